#!/usr/bin/env python3
"""Writes tests/search/data/motpe.txt from Optuna 5.0.0 (pip install optuna==5.0.0): splits of studies of several objectives.

    python3 tests/search/data/make_motpe.py      (from the repository root)

Objectives are on a coarse grid in half of the studies, so that some are equal in one of them. Format, with C hexadecimal
doubles:

    split WANT N_TRIALS N_OBJECTIVES N_BELOW      then a row of objectives per trial, then the numbers below
"""
import random

import optuna
from optuna.samplers._tpe import sampler as tpe

assert optuna.__version__ == "5.0.0"
optuna.logging.set_verbosity(optuna.logging.ERROR)
rng = random.Random(6)


def split(n, m, want, grid):
    study = optuna.create_study(directions=["minimize"] * m)
    rows = []
    while len(rows) < n:
        row = [rng.uniform(-1, 1) for _ in range(m)]
        row = [round(v * grid) / grid for v in row] if grid else row
        if row in rows:  # of equal ones either may be chosen
            continue
        rows.append(row)
        study.add_trial(optuna.trial.create_trial(values=row))
    below, _ = tpe._split_trials(study, study.get_trials(), want)
    lines = [" ".join(float(v).hex() for v in row) for row in rows]
    return "split %d %d %d %d\n%s\n%s\n" % (want, n, m, len(below), "\n".join(lines),
                                            " ".join(str(t.number) for t in below))


with open("tests/search/data/motpe.txt", "w") as out:
    for m in (2, 3):
        for n, want, grid in [(4, 1, 0), (20, 5, 0), (60, 6, 0), (60, 12, 8)]:
            out.write(split(n, m, want, grid))
