#!/usr/bin/env bash
# The same spec and seed, one trial at a time, gives the same trials bit for bit; another seed gives others. A run with
# parallel trials replays from its journal.
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cat >seed.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: seed}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: tpe}
  parallelTrialCount: 1
  maxTrialCount: 30
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: 0.001, max: 1, distribution: logUniform}}
    - {name: k, parameterType: int, feasibleSpace: {min: 1, max: 20}}
    - {name: opt, parameterType: categorical, feasibleSpace: {list: [a, b, c]}}
  trialTemplate:
    command: [sh, -c, 'echo "loss=$0$1"', "${x}", "${k}", "${opt}"]
YAML
points() {
    KATYDID_DB=$1 sql "SELECT t.number, p.name, p.value, t.objective FROM trials t JOIN params p ON p.trial_id = t.id ORDER BY 1, 2"
}
expect_exit 0 katydid run seed.yaml --db first.db
expect_exit 0 katydid run seed.yaml --db second.db
expect_exit 0 katydid run seed.yaml --db third.db seed=7
[ "$(points first.db | wc -l)" = 90 ] || complain "not 30 trials of 3 parameters"
[ "$(points first.db)" = "$(points second.db)" ] || complain "the same seed gave other trials"
[ "$(points first.db)" != "$(points third.db)" ] || complain "another seed gave the same trials"

expect_exit 0 katydid run seed.yaml parallelTrialCount=4 resources.oversubscribe=true resources.cpus=1
expect_sound seed
expect_exit 0 katydid replay seed --json
expect_in out '"differences":0' '"suggestions":30'

# A journal that was tampered with is found.
sqlite3 "$KATYDID_DB" "UPDATE events SET data = replace(data, '\"values\":[0.', '\"values\":[0.1') WHERE seq =
    (SELECT max(seq) FROM events WHERE kind = 'suggested')"
expect_exit 1 katydid replay seed
expect_in err 'another point|something else'
