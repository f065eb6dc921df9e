#!/usr/bin/env bash
# What once broke it: changed limits, endless output, a full disk, a killed supervisor, a long curve before a stop.
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# spec NAME 'COMMAND' TRIALS [more lines of spec]
spec() {
    cat >"$1.yaml" <<YAML
apiVersion: katydid/v1
kind: Experiment
metadata: {name: $1}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: tpe}
  parallelTrialCount: 1
  maxTrialCount: $3
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: 1, max: 2}}
  trialTemplate:
    command: [sh, -c, '$2', "\${x}"]
${4:-}
YAML
}
states() {
    sql "SELECT group_concat(t.state, ' ') FROM trials t JOIN experiments e ON e.id = t.experiment_id WHERE e.name = '$1'"
}

# A trial that succeeded on its retry stays that when the next run allows none; wallTime leaves trials for later.
spec limits 'test "$KATYDID_ATTEMPT" = 2 || exit 3; echo loss=$0' 2 '  limits: {maxRetries: 1}'
expect_exit 0 katydid run limits.yaml
expect_exit 0 katydid run limits.yaml limits.maxRetries=0 maxTrialCount=3
[ "$(states limits)" = "Succeeded Succeeded Failed" ] || complain "states: $(states limits)"
expect_sound limits
spec wall 'echo loss=$0; test -e quick || sleep 1000' 2 '  limits: {wallTime: 1s, grace: 1s}'
expect_exit 0 katydid run wall.yaml
[ "$(states wall)" = Pending ] || complain "states: $(states wall)"
touch quick
expect_exit 0 katydid run wall.yaml limits.wallTime=100s
[ "$(states wall)" = "Succeeded Succeeded" ] || complain "states: $(states wall)"
expect_sound wall

# A command that never stops talking is still stopped in time.
spec chatty 'echo loss=$0; exec yes "noise noise noise noise noise"' 1 '  limits: {trialTime: 1s, grace: 1s}'
expect_exit 4 katydid run chatty.yaml
[ "$(states chatty)" = Failed ] || complain "states: $(states chatty)"
rm -rf "$KATYDID_DB".d/chatty

# More output than may lie unread, and nothing that would end it: it is all read.
spec much 'head -c 100000000 /dev/zero | tr "\\0" "\\n"; echo loss=$0' 1
expect_exit 0 katydid run much.yaml
[ "$(states much)" = Succeeded ] || complain "states: $(states much)"
rm -rf "$KATYDID_DB".d/much

# A parent that ignores its children, a mask of the caller's own, a name that is also a folder of ours.
spec gangs 'echo "mask=$(umask) loss=$0"; yes | head -n 1; grep SigIgn /proc/self/status' 2
(umask 022 && trap '' CHLD && expect_exit 0 timeout 60 katydid run gangs.yaml) || exit 1
[ "$(states gangs)" = "Succeeded Succeeded" ] || complain "states: $(states gangs)"
expect_exit 0 katydid logs gangs 1
expect_in out 'mask=0022' 'SigIgn:.*[0-9a-f]{11}0000$'

# Metrics that come through a file are progress.
spec file 'i=0; while [ $i -lt 8 ]; do i=$((i + 1)); echo "step=$i loss=$0" >>"$1/m.log"; sleep 0.5; done' 1 \
    '    metrics: {file: "${trialDir}/m.log"}
  limits: {progressDeadline: 2s, grace: 1s}'
sed -i 's/"\${x}"\]/"${x}", "${trialDir}"]/' file.yaml
expect_exit 0 katydid run file.yaml
expect_sql "1" "SELECT attempts FROM trials t JOIN experiments e ON e.id = t.experiment_id WHERE e.name = 'file'"

# Tens of thousands of reports before a stop: the points after it are still the strategy's own.
spec curve 'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); echo "step=$i loss=$0"; done; sleep 0.5' 8 '  earlyStopping:
    algorithmName: medianstop
    algorithmSettings: [{name: min_trials_required, value: "1"}, {name: start_step, value: "15000"}]'
expect_exit 0 katydid run curve.yaml
expect_sql "8" "SELECT count(DISTINCT value) FROM params p JOIN trials t ON t.id = p.trial_id JOIN experiments e
    ON e.id = t.experiment_id WHERE e.name = 'curve'"
expect_exit 0 katydid run curve.yaml maxTrialCount=9
expect_sound curve

# A killed supervisor leaves nothing behind, not even a grandchild in a session of its own.
spec orphan 'test "$KATYDID_ATTEMPT" -gt 1 || { setsid sleep 1000 & sleep 1000; }; echo loss=$0' 1
katydid run orphan.yaml >run.out 2>run.err </dev/null &
run=$!
grandchild_runs() {
    [ "$(cookie_pids_named sleep | wc -l)" = 2 ]
}
wait_until 20 "the grandchild runs" grandchild_runs
kill -9 "$(cookie_pids_named katydid-supervi | head -n 1)"
wait "$run" || complain "exit code $?: $(cat run.err)"
[ "$(states orphan)" = Succeeded ] || complain "states: $(states orphan)"
expect_no_process_left

# A full disk: what was printed meanwhile is not lost.
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=3m tmpfs small 2>/dev/null; then
    trap 'rc=$?; umount -l "$work/small" 2>/dev/null; (exit $rc); finish' EXIT
    spec full 'echo "step=1 loss=9"; head -c 100M /dev/zero >small/filler 2>/dev/null; echo "step=2 loss=1"; sleep 0.5;
        rm small/filler; echo "step=3 loss=5"' 1
    # The database stands elsewhere, so that only the log meets the full disk.
    mkdir small/data && ln -s small/data full.db.d
    expect_exit 0 katydid run full.yaml --db full.db
    seen=$(sqlite3 full.db "SELECT objective, (SELECT group_concat(step || ':' || value, ' ') FROM metric) FROM trials")
    [ "$seen" = "1.0|1:9.0 2:1.0 3:5.0" ] || complain "the full disk lost something: $seen"
    rm full.db.d
    umount small
else
    echo "not checked here: a full disk (needs mount)" >&2
fi
expect_nothing_left
