#!/usr/bin/env bash
# Bad input of every kind gives an error that says what, where and what to do, with the right exit code, and loses nothing.
# shellcheck disable=SC2016  # ${lr} and the like are for katydid, not for this shell
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A command spec that is right; cases change one thing in it.
write_good() {
    cat >good.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: good}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  maxTrialCount: 2
  maxFailedTrialCount: 0
  resources: {cpus: 1}
  parameters:
    - {name: lr, parameterType: double, feasibleSpace: {min: 0.1, max: 1}}
  trialTemplate:
    command: [sh, -c, "echo loss=$1", sh, "${lr}"]
YAML
}

# spec_error SED-SCRIPT REGEX...: with that change validate and run both exit 2 and name file, line and the reason; nothing
# is run.
spec_error() {
    local change=$1
    shift
    sed -E "$change" good.yaml >bad.yaml
    cmp -s good.yaml bad.yaml && fail "the change '$change' changes nothing"
    expect_exit 2 katydid validate bad.yaml
    expect_in err '^bad\.yaml:[0-9]+:[0-9]+: error: ' '^ *\^' "$@"
    expect_exit 2 katydid run bad.yaml
    expect_in err "$@"
    if [ -e "$KATYDID_DB" ]; then
        expect_sql "0" "SELECT count(*) FROM experiments WHERE name = 'bad'"
    fi
}

# A command line that makes no sense: 2 from every command, and nothing is run.
check_usage() {
    local command commands
    mapfile -t commands < <(katydid help | sed -n 's/^  \([a-z]*\) .*/\1/p')
    [ ${#commands[@]} -ge 10 ] || fail "katydid help lists too few commands"
    for command in "${commands[@]}"; do
        expect_exit 2 katydid "$command" --frob
        expect_in err frob
    done
    expect_exit 2 katydid frob
    write_good
    expect_exit 2 katydid run good.yaml -n x
    expect_exit 2 katydid run good.yaml -j 0
    expect_exit 2 katydid run good.yaml --image-map nothing
    expect_exit 2 katydid run -n 1 --minimize loss --maximize acc 'lr=interval(0,1)' -- true '${args}'
    expect_in err 'loss' 'acc' 'one objective'
    [ -e "$KATYDID_DB" ] && fail "a usage error made a database"
}

check_files() {
    expect_exit 2 katydid run no-such.yaml
    expect_in err 'no-such\.yaml' 'no such file'
    : >empty.yaml
    expect_exit 2 katydid run empty.yaml
    expect_in err 'empty\.yaml' 'empty'
    head -c 4096 /dev/urandom >binary.yaml
    expect_exit 2 katydid run binary.yaml
    expect_in err 'binary\.yaml'
    mkdir folder.yaml
    expect_exit 2 katydid run folder.yaml
    expect_in err 'folder\.yaml' 'directory|folder'
    head -c 100000 /dev/zero | tr '\0' '[' >deep.yaml
    KATYDID_TEST_DEADLINE=5 expect_exit 2 katydid validate deep.yaml
    expect_in err 'deep\.yaml' 'deep|nest'
}

check_specs() {
    write_good
    expect_exit 0 katydid validate good.yaml
    spec_error 's/algorithmName: random/algorithmName: randm/' 'randm' 'did you mean .*random'
    spec_error 's/\{algorithmName: random\}/{algorithmName: random, algorithmSettings: [{name: sed, value: "1"}]}/' 'sed'
    spec_error 's/maxTrialCount/maxTrialCont/' 'maxTrialCont' 'did you mean .*maxTrialCount'
    spec_error 's/min: 0.1, max: 1/min: 1, max: 0.1/' 'min' 'max'
    spec_error 's/min: 0.1/min: zero/' 'zero'
    spec_error 's/"\$\{lr\}"/fixed/' 'lr' 'not used|uses|nothing'
    spec_error 's/"\$\{lr\}"/${lr}/' 'quot'
    spec_error 's/"\$\{lr\}"/"${lr}", "${momentum}"/' 'momentum'
    spec_error 's/  maxTrialCount: 2/&\n  maxTrialCount: 3/' 'maxTrialCount' 'twice|duplicate|again'
    # All errors of a file in one go.
    sed -E 's/random/randm/; s/maxTrialCount/maxTrialCont/; s/min: 0.1/min: zero/' good.yaml >bad.yaml
    expect_exit 2 katydid validate bad.yaml
    [ "$(grep -c ' error: ' err)" -ge 3 ] || complain "three errors were made, all should be reported"
}

check_programs() {
    sed 's/command: .*/command: [.\/no-such-program, "${lr}"]/; s/name: good/name: noprogram/' good.yaml >bad.yaml
    katydid run bad.yaml >out 2>err </dev/null
    [ $? = 2 ] || complain "a missing program: exit code"
    expect_in err 'no-such-program'
    sed 's/    command:/    workingDir: no-such-folder\n&/; s/name: good/name: nofolder/' good.yaml >bad.yaml
    katydid run bad.yaml >out 2>err </dev/null
    case $? in 1 | 2 | 4) ;; *) complain "a missing working directory: exit code" ;; esac
    expect_in err 'no-such-folder'
    # A program that fails: its code and last lines are in the trial's reason.
    sed 's/command: .*/command: [sh, -c, "echo the disk is on fire >\&2; exit 3", sh, "${lr}"]/; s/name: good/name: fails/' \
        good.yaml >bad.yaml
    expect_exit 4 katydid run bad.yaml
    expect_sql "1" "SELECT count(*) > 0 FROM trials t JOIN experiments e ON e.id = experiment_id WHERE e.name = 'fails'
        AND t.state = 'Failed' AND exit_code = 3 AND t.reason LIKE '%the disk is on fire%'"
}

check_metrics() {
    sed 's/echo loss=/echo los=/; s/name: good/name: silent/' good.yaml >bad.yaml
    expect_exit 4 katydid run bad.yaml
    expect_sql "1" "SELECT count(*) > 0 FROM trials t JOIN experiments e ON e.id = experiment_id WHERE e.name = 'silent'
        AND t.state = 'MetricsUnavailable' AND t.reason LIKE '%loss%' AND t.reason LIKE '%los=%'"
    # NaN and infinity are values. A diverged trial is no crash and never the best.
    sed 's/echo loss=.*", sh,/echo loss=inf; echo loss=nan", sh,/; s/name: good/name: diverged/; s/maxFailedTrialCount: 0//' \
        good.yaml >bad.yaml
    katydid run bad.yaml >out 2>err </dev/null
    expect_sql "2|2" "SELECT sum(nonfinite = 'nan'), sum(nonfinite = 'inf') FROM metrics m JOIN trials t ON t.id = m.trial_id
        JOIN experiments e ON e.id = t.experiment_id WHERE e.name = 'diverged' AND m.value IS NULL"
    expect_sound diverged
}

# data_error REGEX...: the digits example with digits.csv changed by the caller.
data_error() {
    katydid run digits.yaml maxTrialCount=1 parallelTrialCount=1 maxFailedTrialCount=0 >out 2>err </dev/null
    case $? in 1 | 2 | 4) ;; *) complain "bad data: exit code" ;; esac
    expect_in err "$@"
}

check_data() {
    [ -x "$KATYDID_BIN/katydid-trainer" ] || return 0
    cp "$KATYDID_SOURCE/examples/digits/digits.yaml" .
    local whole=$KATYDID_SOURCE/examples/digits/digits.csv
    sed '100s/,[0-9]*$//' "$whole" >digits.csv
    data_error 'digits\.csv:100' '64'
    sed '100s/^[0-9]*,/oops,/' "$whole" >digits.csv
    data_error 'digits\.csv:100' 'oops'
    sed '100s/[0-9]*$/17/' "$whole" >digits.csv
    data_error 'digits\.csv:100' '17' '10'
    sed '100s/[0-9]*$/-1/' "$whole" >digits.csv
    data_error 'digits\.csv:100' '-1'
    rm digits.csv
    data_error 'digits\.csv' 'no such file|cannot open'
}

# A folder whose name is not UTF-8: the trainer cannot be told of it, a command runs there as anywhere.
check_odd_folder() {
    local odd=$'lat\xffin'
    mkdir "$odd" || return 0 # a file system that takes no such name
    write_good
    sed 's/name: good/name: odd/' good.yaml >"$odd/good.yaml"
    expect_exit 0 katydid run "$odd/good.yaml"
    [ -x "$KATYDID_BIN/katydid-trainer" ] || return 0
    cp "$KATYDID_SOURCE"/examples/digits/digits.* "$odd"
    local command
    for command in validate run; do
        expect_exit 2 katydid $command "$odd/digits.yaml"
        LC_ALL=C expect_in err 'not UTF-8' 'digits\.yaml:[0-9]+:[0-9]+: error'
    done
}

# A trainer block that no message could carry is refused before anything runs.
check_long_block() {
    [ -x "$KATYDID_BIN/katydid-trainer" ] || return 0
    cp "$KATYDID_SOURCE/examples/digits/digits.csv" .
    # Too long for an argument of sed: put together from parts.
    {
        sed '/path: digits.csv/,$d' "$KATYDID_SOURCE/examples/digits/digits.yaml"
        printf '      data: {format: csv, label: label, path: '
        head -c 950000 /dev/zero | tr '\0' a
        printf '}\n'
        sed '1,/path: digits.csv/d' "$KATYDID_SOURCE/examples/digits/digits.yaml"
    } >long.yaml
    expect_exit 2 katydid validate long.yaml
    expect_in err 'at most 921600 can be sent'
}

check_trainer_dies() {
    [ -x "$KATYDID_BIN/katydid-trainer" ] || return 0
    cp "$KATYDID_SOURCE"/examples/digits/digits.* .
    mkdir -p broken
    cp "$KATYDID_BIN"/katydid-supervisor "$KATYDID_BIN"/katydid-exec broken/
    # Answers the check of the spec as the real one does, and dies when it is to train.
    printf '#!/bin/sh\ncase $1 in --gang) echo "libfoo.so.1: cannot open shared object" >&2; exit 127;; esac\nexec "%s" "$@"\n' \
        "$KATYDID_BIN/katydid-trainer" >broken/katydid-trainer
    chmod +x broken/katydid-trainer
    KATYDID_LIBEXEC=$work/broken KATYDID_TEST_DEADLINE=60 timeout 60 katydid run digits.yaml --name dies >out 2>err </dev/null
    case $? in 1 | 4) ;; *) complain "a trainer that dies at start: exit code" ;; esac
    cat out >>err
    expect_in err 'libfoo\.so\.1|127'
}

check_databases() {
    write_good
    expect_exit 0 katydid run good.yaml
    expect_exit 0 katydid run good.yaml
    # Another spec under the same name: exit 7, what changed, and the ways on.
    sed 's/max: 1\b/max: 2/' good.yaml >other.yaml
    expect_exit 7 katydid run other.yaml
    expect_in err 'lr.max: 1 -> 2' '--name' '--db'
    # Counts may change.
    expect_exit 0 katydid run good.yaml maxTrialCount=3
    expect_sql "3" "SELECT count(*) FROM trials t JOIN experiments e ON e.id = experiment_id WHERE e.name = 'good'"
    # A file from a newer version is refused and left alone.
    cp "$KATYDID_DB" newer.db
    sqlite3 newer.db 'PRAGMA user_version = 9999'
    cp newer.db newer.copy
    expect_exit 1 katydid run good.yaml --db newer.db
    expect_in err 'newer'
    cmp -s newer.db newer.copy || fail "a database from a newer version was written to"
    # Not a database at all.
    echo "my precious notes" >notes.db
    expect_exit 1 katydid run good.yaml --db notes.db
    expect_in err 'notes\.db'
    [ "$(cat notes.db)" = "my precious notes" ] || fail "a file that is no database was written to"
    expect_exit 6 katydid show no-such-name
    expect_in err 'no-such-name'
    expect_exit 6 katydid list --db nowhere.db
    expect_in err 'nowhere\.db'
}

check_second_owner() {
    sed 's/echo loss=/sleep 60; echo loss=/; s/name: good/name: slow/' good.yaml >slow.yaml
    katydid run slow.yaml >slow.out 2>slow.err </dev/null &
    local first=$!
    wait_until 20 "the slow trial runs" test -n "$(sql "SELECT 1 FROM meta")"
    wait_until 20 "the slow trial runs" slow_trial_runs
    expect_exit 7 katydid run good.yaml
    expect_in err "$first" 'katydid run'
    # Reading beside it works.
    expect_exit 0 katydid trials slow
    kill -INT $first
    sleep 0.2
    kill -INT $first 2>/dev/null
    wait $first
    [ $? = 130 ] || fail "two Ctrl-C should end it with 130"
    expect_in slow.err 'resume|again|katydid run'
    expect_no_process_left
}

slow_trial_runs() {
    [ "$(sql "SELECT count(*) FROM trials t JOIN experiments e ON e.id = experiment_id WHERE e.name = 'slow'
        AND t.state = 'Running'")" -ge 1 ]
}

# A file system of 1 MB that only the commands inside see: needs root and mount namespaces.
check_full_disk() {
    mkdir -p small
    unshare --mount true 2>/dev/null || { echo "no mount namespaces here: disk full and read-only are not checked" >&2; return; }
    cat >full.sh <<'SH'
mount -t tmpfs -o size=1m katydid-test small || exit 99
sed 's/echo loss=/yes | head -c 400000; echo loss=/; s/maxTrialCount: 2/maxTrialCount: 20/' good.yaml >small.yaml
timeout 60 katydid run small.yaml --db small/full.db
rc=$?
sqlite3 small/full.db 'PRAGMA integrity_check' >integrity || exit 98
exit $rc
SH
    timeout 90 unshare --mount bash full.sh >out 2>err </dev/null
    case $? in 1 | 4) ;; *) complain "disk full: exit code" ;; esac
    expect_in err 'full|no space'
    expect_in integrity '^ok$'
    # More output than there is room for: the trials stand still, and nothing else is to be saved. The run says so and ends.
    cat >output.sh <<'SH'
mount -t tmpfs -o size=1m katydid-test small || exit 99
sed 's/echo loss=/yes | head -c 3000000; echo loss=/' good.yaml >large.yaml
timeout 60 katydid run large.yaml --db small/full.db
SH
    timeout 90 unshare --mount bash output.sh >out 2>err </dev/null
    case $? in 1 | 4) ;; *) complain "disk full of output: exit code" ;; esac
    expect_in err 'full|no space'
    cat >readonly.sh <<'SH'
mount -t tmpfs -o size=1m,ro katydid-test small || exit 99
timeout 60 katydid run good.yaml --db small/ro.db
SH
    timeout 90 unshare --mount bash readonly.sh >out 2>err </dev/null
    [ $? = 1 ] || complain "read-only folder: exit code"
    expect_in err 'small' 'read-only|permission'
}

check_usage
check_files
check_specs
check_programs
check_metrics
check_data
check_long_block
check_trainer_dies
check_odd_folder
check_databases
check_second_owner
check_full_disk
expect_nothing_left
