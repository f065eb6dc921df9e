#!/usr/bin/env python3
"""Writes tests/search/data/tpe.txt from Optuna 5.0.0 (pip install optuna==5.0.0), whose rules search/tpe/parzen.h follows.

    python3 tests/search/data/make_tpe.py      (from the repository root)

Each case is a set of observations, and the log density of some points under Optuna's _ParzenEstimator with its
default parameters; then splits of random studies by Optuna's _split_trials. Sorting is made stable, because Optuna
leaves the order of equal values to numpy. Numbers are C hexadecimal doubles. Format:

    case TOLERANCE PRIOR_WEIGHT N_PARAMS N_OBSERVATIONS N_POINTS
    param TYPE LOW HIGH STEP LOG          TYPE double, int or categorical (HIGH is the number of choices)
    row of each observation; row of each point followed by its log density
    split WANT N_TRIALS N_BELOW           then per trial: OUTCOME OBJECTIVE STEP VALUE, then the numbers below
"""
import random

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers._tpe import parzen_estimator as pe
from optuna.samplers._tpe import sampler as tpe

assert optuna.__version__ == "5.0.0"
unstable = np.argsort
np.argsort = lambda a, **kw: unstable(a, kind="stable")
rng = random.Random(5)

EXACT = {"x": FloatDistribution(-2, 3), "lr": FloatDistribution(1e-5, 1e-1, log=True), "q": FloatDistribution(0, 1, step=0.125),
         "n": IntDistribution(1, 16), "u": IntDistribution(1, 64, log=True), "c": CategoricalDistribution(list("abcd"))}
NARROW = {"x": FloatDistribution(-2, 3), "w": IntDistribution(0, 5000)}
LONELY = {"x": FloatDistribution(0, 1)}


def draw(d):
    if isinstance(d, CategoricalDistribution):
        return rng.randrange(len(d.choices))
    if isinstance(d, IntDistribution):
        return int(np.exp(rng.uniform(np.log(d.low), np.log(d.high)))) if d.log else rng.randint(d.low, d.high)
    if d.step:
        return d.low + d.step * rng.randint(0, round((d.high - d.low) / d.step))
    return float(np.exp(rng.uniform(np.log(d.low), np.log(d.high)))) if d.log else rng.uniform(d.low, d.high)


def param(d):
    if isinstance(d, CategoricalDistribution):
        return "param categorical 0 %d 0 0\n" % len(d.choices)
    kind = "int" if isinstance(d, IntDistribution) else "double"
    return "param %s %s %s %s %d\n" % (kind, float(d.low).hex(), float(d.high).hex(), float(d.step or 0).hex(), d.log)


def row(values):
    return " ".join(float(v).hex() for v in values)


def case(space, n, prior_weight, tolerance, n_points=12):
    observed = [[draw(d) for d in space.values()] for _ in range(n)]
    points = [[draw(d) for d in space.values()] for _ in range(n_points)] + observed[-3:]
    parameters = pe._ParzenEstimatorParameters(prior_weight, True, False, tpe.default_weights, True)

    def columns(rows):
        return {name: np.array([r[i] for r in rows], dtype=float) for i, name in enumerate(space)}
    estimator = pe._ParzenEstimator(columns(observed), space, parameters)
    densities = estimator.log_pdf(columns(points))
    lines = ["case %g %g %d %d %d\n" % (tolerance, prior_weight, len(space), n, len(points))]
    lines += [param(d) for d in space.values()] + [row(r) + "\n" for r in observed]
    return "".join(lines + ["%s %s\n" % (row(p), float(v).hex()) for p, v in zip(points, densities)])


def split(n, want):
    study = optuna.create_study()
    rows = []
    for i in range(n):
        kind = rng.choice(["complete", "complete", "complete", "pruned", "running"])
        value, step, last = rng.choice([rng.uniform(-1, 1), 0.5]), rng.randint(0, 4), rng.choice([rng.random(), float("nan")])
        step = 0 if kind == "running" else step  # running trials with reports are ranked by them here, not there
        state = {"complete": optuna.trial.TrialState.COMPLETE, "pruned": optuna.trial.TrialState.PRUNED,
                 "running": optuna.trial.TrialState.RUNNING}[kind]
        trial = optuna.trial.create_trial(state=state, value=value if kind == "complete" else None,
                                          intermediate_values={step: last} if step else {})
        study.add_trial(trial)
        rows.append("%s %s %d %s\n" % (kind, value.hex(), step, "nan" if last != last else last.hex()))
    below, _ = tpe._split_trials(study, study.get_trials(), want)
    numbers = [t.number for t in below]
    return "split %d %d %d\n%s%s\n" % (want, n, len(numbers), "".join(rows), " ".join(map(str, numbers)))


optuna.logging.set_verbosity(optuna.logging.ERROR)
with open("tests/search/data/tpe.txt", "w") as out:
    for n, weight in [(0, 1), (1, 1), (2, 1), (3, 0.5), (24, 1), (25, 1), (26, 1), (27, 2), (60, 1), (150, 1)]:
        # few trials have wide kernels, for which cells are summed by a series: good to 2e-8 here, exact from 60 on
        out.write(case(EXACT, n, weight, 1e-9 if n >= 60 else 2e-8))
        out.write(case(LONELY, n, weight, 1e-9, 5))
    for n in (1, 10, 120):
        out.write(case(NARROW, n, 1, 1e-6))
    for n, want in [(5, 1), (20, 2), (40, 4), (40, 25), (80, 25)]:
        out.write(split(n, want))
