#!/usr/bin/env python3
"""Writes tests/search/data/importance.txt from Optuna 5.0.0 (pip install optuna==5.0.0).

    python3 tests/search/data/make_importance.py      (from the repository root)

Studies of random trials and what optuna.importance.get_param_importances says of them with PedAnovaImportanceEvaluator.
Numbers are C hexadecimal doubles. Format:

    study TARGET REGION N_PARAMS N_OBJECTIVES N_TRIALS
    param TYPE LOW HIGH STEP LOG    TYPE double, int or categorical (HIGH is the number of choices)
    row of each trial: its values (nan = inactive), then its objectives
    the share of each parameter
"""
import math
import random

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

assert optuna.__version__ == "5.0.0"
optuna.logging.set_verbosity(optuna.logging.ERROR)
rng = random.Random(12)

MIXED = {"x": FloatDistribution(-2, 3), "lr": FloatDistribution(1e-5, 1e-1, log=True), "q": FloatDistribution(0, 1, step=0.125),
         "n": IntDistribution(1, 16), "w": IntDistribution(0, 300), "u": IntDistribution(1, 1000, log=True),
         "c": CategoricalDistribution(list("abcd"))}


def draw(d):
    if isinstance(d, CategoricalDistribution):
        return rng.choice(d.choices)
    if isinstance(d, IntDistribution):
        return int(math.exp(rng.uniform(math.log(d.low), math.log(d.high)))) if d.log else rng.randint(d.low, d.high)
    if d.step:
        return d.low + d.step * rng.randint(0, round((d.high - d.low) / d.step))
    return math.exp(rng.uniform(math.log(d.low), math.log(d.high))) if d.log else rng.uniform(d.low, d.high)


def param(d):
    if isinstance(d, CategoricalDistribution):
        return "param categorical 0 %d 0 0\n" % len(d.choices)
    kind = "int" if isinstance(d, IntDistribution) else "double"
    return "param %s %s %s %s %d\n" % (kind, float(d.low).hex(), float(d.high).hex(), float(d.step or 0).hex(), d.log)


def mixed(p):
    return (p["x"] - 1) ** 2 + (math.log10(p["lr"]) + 3) ** 2 / 4 + (p["c"] == "b") + abs(p["n"] - 4) / 8


def first(p):
    return [mixed(p)]


def coarse(p):
    return [float(round(mixed(p)))]


def two(p):
    return [mixed(p), p["q"] + p["w"] / 300 + (p["x"] + 1) ** 2 / 9]


def study(n, target, region, objectives, conditional=False):
    made = optuna.create_study(directions=["minimize"] * len(objectives({k: draw(d) for k, d in MIXED.items()})))
    rows = []
    for _ in range(n):
        point = {k: draw(d) for k, d in MIXED.items()}
        values = objectives(point)
        if conditional and point["c"] in "ad":  # "w" is active under b and c only
            del point["w"]
        made.add_trial(optuna.trial.create_trial(params=point, distributions={k: MIXED[k] for k in point}, values=values))
        numbers = [point.get(k, math.nan) for k in MIXED]
        numbers[-1] = "abcd".index(point["c"])
        rows.append(" ".join(float(v).hex() for v in numbers + values) + "\n")
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=target, region_quantile=region)
    shares = optuna.importance.get_param_importances(made, evaluator=evaluator, params=list(MIXED))
    head = "study %g %g %d %d %d\n" % (target, region, len(MIXED), len(values), n)
    return head + "".join(param(d) for d in MIXED.values()) + "".join(rows) + " ".join(shares[k].hex() for k in MIXED) + "\n"


with open("tests/search/data/importance.txt", "w") as out:
    out.write(study(10, 0.1, 1, first) + study(60, 0.1, 1, first) + study(60, 0.25, 0.5, first))
    out.write(study(60, 0.2, 1, coarse) + study(50, 0.1, 1, two) + study(50, 0.3, 0.8, two))
    out.write(study(60, 0.2, 1, first, conditional=True))
