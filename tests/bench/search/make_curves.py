#!/usr/bin/env python3
"""Trains every configuration of a grid on examples/digits with the built-in trainer and writes what it reported, epoch by
epoch: tests/bench/search/data/curves_<name>.txt, which table_curves.c reads.

    tests/bench/search/make_curves.py [NAME...]        from the repository root; KATYDID_BIN: the folder of the programs

One process at a time, one thread each; about five minutes a table on two cores of 2024. The grid is complete, so that
looking up what a strategy proposes is exact: 7 x 4 x 3 x 2 x 3 x 2 = 1,008 configurations, 27 epochs.

    constant  all training samples, constant learning rate
    few       a tenth of them, cosine schedule: overfitting, curves that cross

The file: `# text`; `epochs N`; `samples N` (validated on); `parameter NAME value value ...` for each parameter; then a line
for each configuration, the last parameter fastest: microseconds of an epoch (the median), then for every epoch the
errors and the validation loss x 10,000, as "errors:loss" ("-": not finite).
"""
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile

EPOCHS = 27
GRID = {
    "lr": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1],
    "units": [8, 16, 32, 64],
    "batch": [16, 64, 256],
    "depth": [1, 2],
    "dropout": [0.0, 0.2, 0.5],
    "wd": [1e-4, 1e-1],
}
TABLES = {
    "constant": {"val": 0.2, "schedule": "constant"},
    "few": {"val": 0.9, "schedule": "cosine"},
}
SAMPLES = 1797


def config(table, lr, units, batch, depth, dropout, wd):
    layers = []
    for _ in range(depth):
        layers += [{"linear": {"units": units}}, {"relu": {}}, {"dropout": {"p": dropout}}]
    return {
        "data": {"format": "csv", "path": os.path.abspath("examples/digits/digits.csv"), "label": "label",
                 "split": {"val": table["val"], "seed": 1}},
        "model": layers + [{"linear": {"units": 10}}],
        "optimizer": {"name": "adamw", "lr": lr, "weightDecay": wd},
        "schedule": {"name": table["schedule"]},
        "batchSize": batch,
        "epochs": EPOCHS,
    }


def train(program, table, values):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config(table, *values), file)
        file.flush()
        run = subprocess.run([program, file.name, "--seed", "1"], capture_output=True, text=True)
    epochs = [dict(pair.split("=") for pair in line.split()) for line in run.stdout.splitlines() if "val_loss" in line]
    if not epochs and run.returncode == 2:
        sys.exit(f"{values}: {run.stderr}")
    return epochs


def cell(epoch, n_val):
    loss = float(epoch["val_loss"])
    if not loss < 1e6:
        return "-"
    return f"{round((1 - float(epoch['val_accuracy'])) * n_val)}:{round(loss * 1e4)}"


def write(program, name):
    table = TABLES[name]
    n_val = round(SAMPLES * table["val"])
    path = f"tests/bench/search/data/curves_{name}.txt"
    with open(path + ".new", "w") as out:
        print("# written by tests/bench/search/make_curves.py", file=out)
        print("epochs", EPOCHS, file=out)
        print("samples", n_val, file=out)
        for parameter, values in GRID.items():
            print("parameter", parameter, *values, file=out)
        for values in itertools.product(*GRID.values()):
            epochs = train(program, table, values)
            seconds = statistics.median(float(e["epoch_time"]) for e in epochs) if epochs else 1e-3
            cells = [cell(e, n_val) for e in epochs] + ["-"] * (EPOCHS - len(epochs))
            print(max(1, round(seconds * 1e6)), *cells, file=out)
    os.replace(path + ".new", path)


def main():
    program = os.path.join(os.environ.get("KATYDID_BIN", "build/bin"), "katydid-trainer")
    for name in sys.argv[1:] or TABLES:
        write(program, name)


if __name__ == "__main__":
    main()
