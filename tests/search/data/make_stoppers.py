#!/usr/bin/env python3
"""Writes tests/search/data/stoppers.txt from Optuna 5.0.0 (pip install optuna==5.0.0) and scipy 1.10, whose rules
search/stoppers/percentile.c, wilcoxon.c, patient.c and threshold.c follow.

    python3 tests/search/data/make_stoppers.py      (from the repository root)

Format:

    rank N P                       then N differences: P = scipy.stats.wilcoxon(alternative="greater", zero_method="zsplit"),
                                   exact up to 50 differences without ties and zeros, else approximate
    study STOPPER N_SETTINGS N_TRIALS VERDICT      settings: NAME VALUE each; VERDICT of Optuna's pruner, 1 = stop,
                                   at the last report of the last trial, which is running; the others are:
    trial OUTCOME OBJECTIVE N      then N reports: STEP VALUE        OUTCOME complete, pruned, failed or running
"""
import math
import random
import warnings

import optuna
import scipy
from optuna.trial import TrialState
from scipy.stats import wilcoxon

assert optuna.__version__ == "5.0.0" and scipy.__version__.startswith("1.10.")
warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
rng = random.Random(3)
STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL,
          "running": TrialState.RUNNING}


def text(x):
    return repr(float(x))


def p_value(d):
    plain = len(d) <= 50 and 0 not in d and len({abs(x) for x in d}) == len(d)
    return wilcoxon(d, alternative="greater", zero_method="zsplit", mode="exact" if plain else "approx").pvalue


def ranks(out):
    for n in (1, 2, 3, 5, 8, 13, 20, 35, 50, 51, 80, 200):
        for shift in (-0.5, 0, 0.3, 1):
            for round_to in (6, 1):
                d = [rng.gauss(shift, 1) for _ in range(n)]
                d = [round(x, round_to) for x in d]
                if not any(d):
                    continue
                out.write(f"rank {n} {text(p_value(d))}\n" + " ".join(map(text, d)) + "\n")


PRUNERS = {
    "percentile": lambda: (lambda s: (optuna.pruners.PercentilePruner(**s), s))(
        dict(percentile=rng.choice([0, 10, 25, 50, 75, 100]), n_startup_trials=rng.choice([0, 1, 3]),
             n_warmup_steps=rng.choice([0, 3]), interval_steps=rng.choice([1, 2, 3]), n_min_trials=rng.choice([1, 4]))),
    "wilcoxon": lambda: (lambda s: (optuna.pruners.WilcoxonPruner(**s), s))(
        dict(p_threshold=rng.choice([0.01, 0.1, 0.3]), n_startup_steps=rng.choice([0, 2, 5]))),
    "patient": lambda: (lambda s: (optuna.pruners.PatientPruner(None, **s), s))(
        dict(patience=rng.choice([0, 1, 3]), min_delta=rng.choice([0.0, 0.25]))),
    "threshold": lambda: (lambda s: (optuna.pruners.ThresholdPruner(**s), s))(
        dict(lower=-0.8, upper=1, n_warmup_steps=rng.choice([0, 3]), interval_steps=rng.choice([1, 2]))),
}


def reports(n, may_nan):
    level, steps = rng.gauss(0, 0.5), sorted(rng.sample(range(1, 12), n))
    return {s: math.nan if may_nan and rng.random() < 0.1 else round(level + rng.gauss(0, 0.7), 3) for s in steps}


def studies(out):
    for name, make in PRUNERS.items():
        for _ in range(40):
            pruner, settings = make()
            study = optuna.create_study(pruner=pruner)
            rows, n = [], rng.randint(2, 9)
            for i in range(n):
                last = i == n - 1
                state = "running" if last else rng.choice(["complete"] * 5 + ["pruned", "failed"])
                values = reports(rng.randint(1, 8) if last else rng.randint(6, 11), name == "percentile")
                objective = math.nan if state in ("running", "failed") else round(rng.gauss(0, 1), 3)
                trial = optuna.create_trial(state=STATES[state], intermediate_values=values,
                                            value=None if math.isnan(objective) else objective)
                study.add_trial(trial)
                rows.append(f"trial {state} {text(objective)} {len(values)} "
                            + " ".join(f"{s} {text(v)}" for s, v in values.items()))
            verdict = pruner.prune(study, study.get_trials()[-1])
            out.write(f"study {name} {len(settings)} {n} {int(verdict)} "
                      + " ".join(f"{k} {v}" for k, v in settings.items()) + "\n" + "\n".join(rows) + "\n")


with open("tests/search/data/stoppers.txt", "w") as out:
    ranks(out)
    studies(out)
