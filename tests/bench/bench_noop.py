"""No-op command trials, one at a time: how many a second, against a bare posix_spawn and wait loop; peak memory.

bench_noop.py [TRIALS], 1000 unless said; 10000 for the memory bar."""
import os
import sys
import time

from bench import Bench, row

SPEC = """
apiVersion: katydid/v1
kind: Experiment
metadata: {name: noop}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: %d
  resources: {cpus: 1}
  parameters: [{name: x, parameterType: double, feasibleSpace: {min: 0, max: 1}}]
  trialTemplate: {command: ["true", "${x}"]}
"""


def bare_spawns_a_second(n):
    start = time.monotonic()
    for _ in range(n):
        os.waitpid(os.posix_spawnp("true", ["true"], os.environ), 0)
    return n / (time.monotonic() - start)


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with Bench() as bench:
        bench.spec(SPEC % n)
        # Nothing prints a loss: every trial ends as MetricsUnavailable, which is a failed one.
        seconds, peak = bench.run(accept=(0, 4))
        (count, busy), = bench.query("SELECT count(*), max(finished_at) - min(created_at) FROM trials")
        if count != n:
            sys.exit(f"{count} trials were run, not {n}")
    bare = bare_spawns_a_second(n)
    row(f"no-op command trials, one at a time ({n})", count / busy, "/s", "at least 150")
    row("  the same, start of the coordinator included", count / seconds, "/s")
    row("  bare posix_spawn and wait loop", bare, "/s")
    row("  a trial's cost next to a bare spawn's", bare / (count / busy), "times")
    row(f"  coordinator's peak memory, {n} trials", peak, "MiB", "at most 50 for 10,000")


main()
