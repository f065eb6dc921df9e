#!/usr/bin/env bash
# What a command is promised: its environment, folder, files and limits, and what is said when it fails.
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# spec NAME 'COMMAND' [more lines of spec]: one trial of sh -c COMMAND.
spec() {
    cat >"$1.yaml" <<YAML
apiVersion: katydid/v1
kind: Experiment
metadata: {name: $1}
spec:
  objective: {type: minimize, objectiveMetricName: loss, additionalMetricNames: [val/acc]}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: 1
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: 1, max: 2}}
    - {name: opt, parameterType: categorical, feasibleSpace: {list: ["it's \"odd\" \$HOME"]}}
  trialTemplate:
    command: [sh, -c, '$2', "\${x}", "\${opt}"]
${3:-}
YAML
}
reason() {
    sql "SELECT t.reason FROM trials t JOIN experiments e ON e.id = t.experiment_id WHERE e.name = '$1'"
}

# Values reach argv as they are; stderr counts as stdout does; carriage returns end a line; nan and names with / are read.
spec metrics 'printf "%s\n" "opt is $1"; printf "epoch=1 loss=0.5\repoch=2 loss=0.4 val/acc: 0.9\n" >&2;
      echo "{\"epoch\": 3, \"loss\": 0.3, \"val/acc\": \"nan\"}"'
expect_exit 0 katydid run metrics.yaml
expect_sql "1:0.5 2:0.4 3:0.3" "SELECT group_concat(step || ':' || value, ' ') FROM metric WHERE name = 'loss'"
expect_sql "2:0.9 3:nan" "SELECT group_concat(step || ':' || coalesce(value, nonfinite), ' ') FROM metric
    WHERE name = 'val/acc'"
expect_exit 0 katydid logs metrics 0
grep -qxF "opt is it's \"odd\" \$HOME" out || complain "a value was not passed as it is"

# Folder and environment.
mkdir elsewhere
spec place 'pwd; env; cat "$KATYDID_PARAMS"; test -d "$KATYDID_CHECKPOINT_DIR" && echo loss=1' '    workingDir: elsewhere
    env: {MINE: "x is ${x}"}'
OMPI_COMM_WORLD_RANK=3 SLURM_JOB_ID=9 FROM_CALLER=yes expect_exit 0 katydid run place.yaml
expect_exit 0 katydid logs place 0
expect_in out "/elsewhere$" '^KATYDID_EXPERIMENT=place$' '^KATYDID_TRIAL=0$' '^KATYDID_ATTEMPT=1$' '^KATYDID_SEED=[0-9]+$' \
    '^KATYDID_TRIAL_DIR=/.*place/0$' '^KATIB_TRIAL_NAME=place-0$' '^PYTHONUNBUFFERED=1$' '^MINE=x is 1' '^FROM_CALLER=yes$' \
    '"x": *1\.'
! grep -qE '^(OMPI_|SLURM_)' out || complain "a launcher's variables leaked: $(grep -E '^(OMPI_|SLURM_)' out)"

# An own failure: exit code, the last 20 lines and no more, retried as often as asked.
spec fails 'for i in $(seq 1 30); do echo "line $i"; done; exit 3' '  limits: {maxRetries: 1}'
expect_exit 4 katydid run fails.yaml
expect_sql "Failed|2|3" "SELECT t.state, attempts, exit_code FROM trials t JOIN experiments e ON e.id = t.experiment_id
    WHERE e.name = 'fails'"
reason fails >why
expect_in why 'exit code 3' 'line 11$' 'line 30$'
! grep -q 'line 10$' why || complain "more than 20 lines"

spec signal 'echo before; kill -SEGV $$'
expect_exit 4 katydid run signal.yaml
reason signal >why
expect_in why 'signal 11' 'before'

# A metric that never comes: what was looked for, and what was seen instead.
spec silent 'echo "accuracy=0.9"'
expect_exit 4 katydid run silent.yaml
expect_sql "MetricsUnavailable" "SELECT t.state FROM trials t JOIN experiments e ON e.id = t.experiment_id WHERE e.name = 'silent'"
reason silent >why
expect_in why "'loss'" 'accuracy=0.9'

# Too long: TERM, and after the grace KILL.
spec long 'trap "echo told" TERM; echo loss=1; while :; do sleep 0.1; done' '  limits: {trialTime: 1s, grace: 1s}'
expect_exit 4 katydid run long.yaml
reason long >why
expect_in why 'trialTime'
expect_exit 0 katydid logs long 0
expect_in out told

# A daemon that is left behind does not outlive its trial.
spec daemon 'setsid sh -c "trap \"\" TERM; exec sleep 1000" >/dev/null 2>&1 & echo loss=1'
expect_exit 0 katydid run daemon.yaml
expect_nothing_left
