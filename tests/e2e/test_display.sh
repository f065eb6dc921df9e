#!/usr/bin/env bash
# On a terminal a live picture, elsewhere one line per event; data on stdout, messages on stderr.
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cat >s.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: display}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: 3
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: 0, max: 1}}
  trialTemplate:
    command: [sh, -c, 'echo "epoch=1 loss=$0"; sleep 0.3', "${x}"]
YAML
command -v script >/dev/null || skip "no script(1) to make a terminal"
script -qec "katydid run s.yaml" terminal >/dev/null </dev/null
expect_in terminal '\[#+-*\] [0-3]/3' 'random, minimize loss' 'trial 0 .*step 1 .*loss' 'best: trial' 'elapsed'

expect_exit 0 katydid run s.yaml --name lines
expect_in err 'trial 0 started' 'trial 2 Succeeded: loss = '
expect_in out '^lines: Succeeded' '^best: trial'
! grep -q $'\x1b' err || complain "escape sequences where there is no terminal"
expect_exit 0 katydid run s.yaml --name quiet --quiet --json
[ ! -s err ] || complain "--quiet is not quiet"
python3 -c 'import json; d = json.load(open("out")); assert d["best"]["trial"] in range(3), d' || complain "--json"
