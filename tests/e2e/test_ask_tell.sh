#!/usr/bin/env bash
# katydid suggest as a process: lines in, lines out at once, no database, nothing that grows; and promotion driven to its end.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || skip "no python3"

cat >space.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: s}
spec:
  objective: {type: maximize, objectiveMetricName: acc}
  algorithm: {algorithmName: random}
  seed: 3
  parameters:
    - {name: lr, parameterType: double, feasibleSpace: {min: 1e-5, max: 0.1, distribution: logUniform}}
    - {name: units, parameterType: int, feasibleSpace: {min: 16, max: 64, step: 16}}
YAML

# Whole conversations: a bad line is answered, the end of the input is the end, and there is no database afterwards.
ask() { printf '%s\n' '{"ask": 2}' nonsense '{"ask": 1}' | katydid suggest "$@" 2>&1; }
ask space.yaml >seed3 || fail "exit status $?"
[ "$(wc -l <seed3)" = 3 ] || fail "three lines in, but out: $(cat seed3)"
grep -q '^{"error":"this is no JSON' seed3 || fail "$(cat seed3)"
ask space.yaml --seed 3 | cmp -s - seed3 || fail "--seed 3 is not seed: 3"
ask space.yaml --seed 4 | cmp -s - seed3 && fail "--seed 4 changes nothing"
ask space.yaml parameters.units.max=32 | grep -qE '"units":(48|64)' && fail "the override has no effect"
[ ! -e "$KATYDID_DB" ] || fail "a database was made"
expect_exit 2 katydid suggest
expect_exit 2 katydid suggest space.yaml --seed x
expect_exit 2 katydid suggest space.yaml algorithm.algorithmName=rondom
expect_in err 'did you mean "random"'
expect_exit 2 katydid suggest space.yaml warmStart.experiment=before
expect_in err 'no database here'

cat >drive.py <<'PYTHON'
import json, shutil, subprocess

class Session:
    def __init__(self, *words):
        self.process = subprocess.Popen(["katydid", "suggest", "space.yaml", *words], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def say(self, **line):
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer
        return answer

    def resident_kb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def end(self):
        self.process.stdin.close()
        assert self.process.wait() == 0

# Ten thousand asks, told: nothing is kept but the trials themselves, some 300 bytes each.
session = Session()
for i in range(10000):
    (trial,) = session.say(ask=1)["trials"]
    session.say(tell={"number": trial["number"], "state": "complete", "objective": trial["params"]["lr"]})
    if i == 1999:
        before = session.resident_kb()
grown = session.resident_kb() - before
session.end()
with open(shutil.which("katydid"), "rb") as program:
    is_sanitized = b"__asan_init" in program.read()  # what is freed stays resident then
assert is_sanitized or grown < 8000 * 0.6, f"{grown} KiB more after 8,000 trials"

def drive(session, steps):
    """Four workers, to the end. Returns what step each trial was trained to, and where each clone began."""
    stands, began, running, best = {}, {}, [], 0
    while True:
        answer = session.say(ask=4 - len(running)) if len(running) < 4 else {"trials": [], "end": False}
        for trial in answer["trials"]:
            number, parent = trial["number"], trial["parent"]
            assert trial["resume"] == (number in stands), trial
            if not trial["resume"]:
                began[number] = stands[number] = stands[parent] if parent is not None else 0
            assert stands[number] < trial["until"] <= steps, trial
            running.append(trial)
        if answer["end"] and not running:
            break
        assert running, "nothing runs and there is no end"
        trial = running.pop(0)
        number, until = trial["number"], trial["until"]
        for step in range(stands[number] + 1, until + 1):
            value = trial["params"]["lr"] * (1 - 1 / (1 + step))
            decision = session.say(judge={"number": number, "step": step, "value": value})["decision"]
            assert decision == ("pause" if step == until and step < steps else "go"), (trial, step, decision)
        stands[number] = until
        if until == steps:
            session.say(tell={"number": number, "state": "complete", "objective": value})
            best = max(best, value)
    assert session.say(best=True)["best"]["objective"] == best
    session.end()
    return stands, began

# Promotion: every trial that goes on was paused, and goes on from where it stood; few are trained to the end.
stands, began = drive(Session("algorithm.algorithmName=hyperband", "fidelity.max=9", "maxTrialCount=40"), 9)
n_whole = sum(step == 9 for step in stands.values())
assert len(stands) == 40 and 1 <= n_whole < 25 and not any(began.values()), (len(stands), n_whole)

# A population: losers give way to clones, which begin where their parents stood.
population = [f"algorithm.algorithmSettings.{word}" for word in ("n_population=6", "interval=3")]
stands, began = drive(Session("algorithm.algorithmName=pbt", "fidelity.max=9", *population), 9)
n_whole, n_clones = sum(step == 9 for step in stands.values()), sum(step > 0 for step in began.values())
assert n_whole == 6 and n_clones >= 2 and len(stands) == 6 + n_clones, (stands, began)
print("ok")
PYTHON
expect_exit 0 python3 drive.py
expect_nothing_left
