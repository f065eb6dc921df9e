#!/usr/bin/env bash
# Conditional parameters in a run: what is inactive reaches the trial in no way; points of the user's own come first; and
# importance finds the parameter that matters.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || skip "no python3"

cat >train.py <<'PYTHON'
import json, os, sys
args = dict(word[2:].split("=") for word in sys.argv[1:])
params = json.load(open(os.environ["KATYDID_PARAMS"]))
print("args", *sys.argv[1:], "env", os.environ.get("MOMENTUM", "none"))
same = {name: str(value) for name, value in params.items()} == args
assert same, (args, params)
assert ("momentum" in args) == (args["opt"] == "sgd") == ("MOMENTUM" in os.environ)
if args["opt"] == "broken":
    sys.exit(3)
print(f"loss={float(args['lr']) ** 2 + 0.001 * float(args.get('momentum', 0))}")
PYTHON
cat >sweep.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: sweep}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  maxTrialCount: 40
  seed: 5
  enqueue:
    - {lr: 0.25, opt: adam}
    - {opt: sgd, momentum: 0.5}
  parameters:
    - {name: momentum, parameterType: double, feasibleSpace: {min: 0, max: 0.99}, condition: {parameter: opt, in: [sgd]}}
    - {name: lr, parameterType: double, feasibleSpace: {min: 0, max: 1}}
    - {name: opt, parameterType: categorical, feasibleSpace: {list: [sgd, adam, broken]}}
  trialTemplate:
    command: [python3, train.py, "--momentum=${momentum}", "--lr=${lr}", "--opt=${opt}"]
    env: {MOMENTUM: "${momentum}"}
YAML

# Each trial checks itself what it was given.
expect_exit 0 katydid run sweep.yaml
expect_sql "40" "SELECT count(*) FROM trials"
expect_sql "0" "SELECT count(*) FROM trials t JOIN params p ON p.trial_id = t.id AND p.name = 'opt'
    WHERE (t.state = 'Succeeded') != (p.value != 'broken')"
expect_sql "0" "SELECT count(*) FROM trials t JOIN params p ON p.trial_id = t.id AND p.name = 'opt'
    WHERE (p.value = 'sgd') != EXISTS (SELECT 1 FROM params m WHERE m.trial_id = t.id AND m.name = 'momentum')"
expect_sql "0.25|adam" "SELECT lr.value, opt.value FROM trials t JOIN params lr ON lr.trial_id = t.id AND lr.name = 'lr'
    JOIN params opt ON opt.trial_id = t.id AND opt.name = 'opt' WHERE t.number = 0"
expect_sql "0.5" "SELECT value FROM params p JOIN trials t ON t.id = p.trial_id WHERE t.number = 1 AND p.name = 'momentum'"
expect_sound sweep

# The loss is lr's affair.
expect_exit 0 katydid importance --csv
[ "$(sed -n 2p out | cut -d, -f1)" = lr ] || fail "lr is not the most important: $(cat out)"
[ "$(wc -l <out)" = 4 ] || fail "three parameters: $(cat out)"
expect_exit 0 katydid importance sweep --json
expect_in out '"rows":\[\{"parameter":"lr","importance":0\.[0-9]+\}'
expect_exit 6 katydid importance sweeep
expect_exit 0 katydid run sweep.yaml --name short maxTrialCount=2
expect_exit 1 katydid importance short
expect_in err 'importance needs'

# try: a value that cannot stand where it is, and one that is completed.
expect_exit 2 katydid try sweep.yaml momentum=0.5
expect_in err 'momentum is active only while opt is sgd'
expect_exit 0 katydid try sweep.yaml opt=sgd lr=0.125
expect_in out '^args --momentum=0\.[0-9]+ --lr=0\.125 --opt=sgd env 0\.'
expect_exit 0 katydid try sweep.yaml opt=adam
expect_in out '^args --lr=[0-9.e-]+ --opt=adam env none'
expect_nothing_left
