#!/usr/bin/env python3
"""Writes tests/search/data/nsga2.txt: what Optuna 5.0.0's NSGAIISampler reaches (pip install optuna==5.0.0).

    python3 tests/search/data/make_nsga2.py      (from the repository root, a few minutes)

ZDT1 to 3 (Zitzler, Deb, Thiele, Evolutionary Computation 2000) in 10 variables and DTLZ2 (Deb, Thiele, Laumanns, Zitzler,
CEC 2002) with 3 objectives in 7 variables, and a mixed problem with two log parameters, ints and choices; default settings,
one trial after the other, 10 seeds. The mean hypervolume, before the reference point, of all trials so far. Format:

    NAME AFTER_200 AFTER_1000
"""
import math

import numpy as np
import optuna
from optuna._hypervolume import compute_hypervolume

assert optuna.__version__ == "5.0.0"
optuna.logging.set_verbosity(optuna.logging.ERROR)


def zdt(kind, x):
    f, g = x[0], 1 + 9 * sum(x[1:]) / (len(x) - 1)
    h = [1 - math.sqrt(f / g), 1 - (f / g) ** 2, 1 - math.sqrt(f / g) - f / g * math.sin(10 * math.pi * f)][kind - 1]
    return [f, g * h]


def dtlz2(x):
    a, b, g = x[0] * math.pi / 2, x[1] * math.pi / 2, 1 + sum((v - 0.5) ** 2 for v in x[2:])
    return [g * math.cos(a) * math.cos(b), g * math.cos(a) * math.sin(b), g * math.sin(a)]


def mixed(x):
    a, b, rate, layers, units, kind, other = x
    error = (a - 1.1) ** 2 + (b + 0.6) ** 2 + 0.5 * (math.log10(rate) + 2.5) ** 2 + 4 / layers + 3 / math.sqrt(units)
    time = 0.05 * layers + 0.01 * units + 0.2 * (a + 0.5) ** 2
    return [error + [0, 0.7, 0.3, 1.1][kind] + 0.5 * [0, 0.7, 0.3, 1.1][other],
            time + [1, 0.2, 0.6, 0.1][kind] + 0.5 * [1, 0.2, 0.6, 0.1][other]]


def unit(n):
    return lambda trial: [trial.suggest_float("x%d" % i, 0, 1) for i in range(n)]


def some(trial):
    numbers = [trial.suggest_float("a", -3, 3), trial.suggest_float("b", -3, 3), trial.suggest_float("rate", 1e-5, 1, log=True)]
    ints = [trial.suggest_int("layers", 1, 32), trial.suggest_int("units", 1, 256, log=True)]
    return numbers + ints + [trial.suggest_categorical(k, [0, 1, 2, 3]) for k in ("kind", "other")]


PROBLEMS = {
    "zdt1": (unit(10), lambda x: zdt(1, x), (1.1, 6)),
    "zdt2": (unit(10), lambda x: zdt(2, x), (1.1, 6)),
    "zdt3": (unit(10), lambda x: zdt(3, x), (1.1, 6)),
    "dtlz2": (unit(7), dtlz2, (1.5, 1.5, 1.5)),
    "mixed": (some, mixed, (12, 6)),
}


def volumes(ask, solve, reference, seed):
    study = optuna.create_study(directions=["minimize"] * len(reference), sampler=optuna.samplers.NSGAIISampler(seed=seed))
    study.optimize(lambda trial: solve(ask(trial)), n_trials=1000)
    costs, reference = np.array([t.values for t in study.trials]), np.array(reference, dtype=float)
    return [compute_hypervolume(c[(c <= reference).all(axis=1)], reference) for c in (costs[:200], costs)]


with open("tests/search/data/nsga2.txt", "w") as out:
    for name, problem in PROBLEMS.items():
        after = np.mean([volumes(*problem, seed) for seed in range(10)], axis=0)
        out.write("%s %.5g %.5g\n" % (name, *after))
