"""Starting a gang of two ranks under mpirun, next to a bare mpirun with the flags and variables that katydid gives it:
from the decision (ours) or the spawn (bare) to the first thing that rank 0's program does, which is to look at the clock."""
import json
import os
import pathlib
import re
import subprocess
import time

from bench import Bench, median, row

N = 15
SPEC = """
apiVersion: katydid/v1
kind: Experiment
metadata: {name: gangs}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: %d
  resources: {processes: 2, cpus: 2, oversubscribe: true}
  parameters: [{name: x, parameterType: double, feasibleSpace: {min: 0, max: 1}}]
  trialTemplate: {command: [%s, "${x}"]}
"""
CLOCK = ["sh", "-c", "date +loss=%s.%N"]
# Leaves what mpirun, the parent of rank 0, was started with.
SPY = '''
import json, os, sys
if os.environ.get("RANK", "0") == "0":
    words = open(f"/proc/{os.getppid()}/cmdline").read().split("\\0")[:-1]
    pairs = dict(p.split("=", 1) for p in open(f"/proc/{os.getppid()}/environ").read().split("\\0") if "=" in p)
    json.dump([words, pairs], open("mpirun.json", "w"))
'''


def bare_launch(words, env):
    """words up to the program, and the clock in its place."""
    at = next(i for i, word in enumerate(words) if word.endswith("katydid-exec"))
    return [*words[:at], *CLOCK], {k: v for k, v in env.items() if not k.startswith("PMIX_") and "_RANK" not in k}


def main():
    with Bench() as bench:
        pathlib.Path("spy.py").write_text(SPY)
        bench.spec((SPEC % (1, "python3, spy.py")).replace("name: gangs", "name: spy"))
        bench.run(accept=(0, 4))
        words, env = bare_launch(*json.loads(pathlib.Path("mpirun.json").read_text()))
        bench.spec(SPEC % (N, ", ".join(map(json.dumps, CLOCK))))
        bench.run()
        ours = median([s * 1e3 for s, in bench.query(
            "SELECT t.objective - a.started_at FROM attempts a JOIN trials t ON t.id = a.trial_id JOIN experiments e "
            "ON e.id = t.experiment_id WHERE e.name = 'gangs'")])
        bare = []
        for _ in range(N):
            start = time.time()
            seen = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, check=True, capture_output=True, text=True)
            bare.append((float(re.search(r"loss=([0-9.]+)", seen.stdout)[1]) - start) * 1e3)
    row("mpirun gang of 2, decision to the program's start, median", ours, "ms")
    row("  bare mpirun with the same flags", median(bare), "ms")
    row("  ratio", ours / median(bare), "times", "at most 1.1")


main()
