"""The next trial on a warm gang: from one trial's DONE to the first metric of the next, each with another shape.

The first metric comes after the first epoch, which here is one step on 32 rows and its validation, so the figure is an
upper bound of the time to the first step."""
from bench import SOURCE, Bench, median, row

N = 60
SPEC = """
apiVersion: katydid/v1
kind: Experiment
metadata: {name: warm}
spec:
  objective: {type: minimize, objectiveMetricName: val_loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: %d
  resources: {cpus: 1}
  parameters: [{name: units, parameterType: int, feasibleSpace: {min: 16, max: 256}}]
  trialTemplate:
    trainer:
      data: {format: csv, path: rows.csv, label: label, split: {val: 0.2, seed: 1}}
      model: [{linear: {units: "${units}"}}, {relu: {}}, {linear: {units: 10}}]
      loss: crossEntropy
      optimizer: {name: sgd, lr: 0.01}
      batchSize: 32
      epochs: 1
      report: {every: epoch}
"""
GAPS = """
WITH runs AS (
    SELECT a.gang_id AS gang, a.fence, a.started_at, a.finished_at,
           (SELECT min(at) FROM metrics m WHERE m.fence = a.fence) AS first_metric,
           lag(a.finished_at) OVER (PARTITION BY a.gang_id ORDER BY a.fence) AS before
    FROM attempts a)
SELECT (started_at - before) * 1e3, (first_metric - before) * 1e3 FROM runs WHERE before IS NOT NULL
"""


def main():
    with Bench() as bench:
        with open(SOURCE / "examples/digits/digits.csv") as digits, open("rows.csv", "w") as rows:
            rows.writelines(line for line, _ in zip(digits, range(41)))
        bench.spec(SPEC % N)
        bench.run()
        gaps = bench.query(GAPS)
        (gangs,), = bench.query("SELECT count(*) FROM gangs")
    row(f"warm gang: DONE to the next ASSIGN, median of {len(gaps)}", median([g[0] for g in gaps]), "ms")
    row("warm gang: DONE to the next trial's first metric", median([g[1] for g in gaps]), "ms", "at most 5")
    row("  gangs started for them", gangs, "")


main()
