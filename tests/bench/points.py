"""Durable metric points a second: see bench_points.c, which starts this with its own path."""
import os
import pathlib
import sys

from bench import BIN, Bench, row

SPEC = """
apiVersion: katydid/v1
kind: Experiment
metadata: {name: points}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 4
  maxTrialCount: 8
  resources: {cpus: 1, oversubscribe: true}
  parameters: [{name: lr, parameterType: double, feasibleSpace: {min: 0.1, max: 1}}]
  trialTemplate:
    trainer: {model: [], optimizer: {name: sgd, lr: "${lr}"}}
"""
RATE = """
SELECT (SELECT count(*) FROM metrics), max(finished_at) - min(started_at),
       (SELECT count(*) FROM metrics) / (max(finished_at) - min(started_at)) FROM attempts
"""


def main():
    producer = pathlib.Path(sys.argv[1]).resolve()
    with Bench() as bench:
        os.mkdir("libexec")
        os.symlink(producer, "libexec/katydid-trainer")
        for name in ("katydid-supervisor", "katydid-exec"):
            os.symlink(BIN / name, f"libexec/{name}")
        bench.env["KATYDID_LIBEXEC"] = str(bench.folder / "libexec")
        bench.spec(SPEC)
        _, memory = bench.run()
        (points, seconds, rate), = bench.query(RATE)
    row("durable metric points, 4 producers, 64 a message", rate, "/s", "at least 100,000")
    row("  points", points, "")
    row("  seconds", seconds, "s")
    row("  coordinator's peak memory", memory, "MiB")


main()
