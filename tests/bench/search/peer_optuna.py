#!/usr/bin/env python3
"""Optuna's samplers on the problems of katydid-bench, into a CSV file for `katydid-bench search ... --with FILE`.

    cmake --build build --target bench
    tests/bench/search/peer_optuna.py tpe,gp,cmaes,random --tasks 'bbob-5d/*' --seeds 10 --trials 100 --csv optuna.csv

Every sampler has its defaults; `auto` is the policy of the hub's AutoSampler for fewer than 250 trials: TPE where there
are choices or conditions, else GP. A run that the file holds already is not made again. Where Optuna is missing it
says so and ends well. GPSampler needs torch, CmaEsSampler cmaes. Runs are seeded by the number of the run, as ours.
"""
import argparse
import contextlib
import csv
import math
import os
import sys
import time
import warnings

try:
    import optuna
except ImportError:
    print("peer_optuna: no Optuna here (pip install optuna): not run")
    sys.exit(0)
from peer import Library

FIELDS = ["strategy", "task", "seed", "n", "best", "ask_s"]


def mend_old_torch():
    """GPSampler says `with torch.device("cpu")`; before torch 2 a device is no context manager, and the CPU is the
    default anyway. Only what the sampler's module sees of torch is wrapped."""
    import torch

    if hasattr(torch.device("cpu"), "__enter__"):
        return
    from optuna.samplers._gp import sampler

    class Torch:
        def __getattr__(self, name):
            return getattr(torch, name)

        @staticmethod
        def device(*_):
            return contextlib.nullcontext()

    sampler.torch = Torch()


def make_auto(seed, parameters):
    is_plain = all(p["type"] != "categorical" and "condition" not in p for p in parameters)
    return SAMPLERS["gp" if is_plain else "tpe"](seed, parameters)


def make_gp(seed, _):
    mend_old_torch()
    return optuna.samplers.GPSampler(seed=seed)


SAMPLERS = {
    "random": lambda seed, _: optuna.samplers.RandomSampler(seed=seed),
    "tpe": lambda seed, _: optuna.samplers.TPESampler(seed=seed),
    "gp": make_gp,
    "cmaes": lambda seed, _: optuna.samplers.CmaEsSampler(seed=seed),
    "auto": make_auto,
}


def suggest(trial, problem):
    """Asks for each parameter that is active; discrete lists by position, as ours."""
    point = []
    for p in problem.parameters:
        if not problem.is_active(p, point):
            point.append(math.nan)
        elif p["type"] == "categorical":
            point.append(trial.suggest_categorical(p["name"], list(range(p["choices"]))))
        elif p["type"] == "int":
            point.append(trial.suggest_int(p["name"], int(p["min"]), int(p["max"]), log=p["log"]))
        else:
            point.append(trial.suggest_float(p["name"], p["min"], p["max"], log=p["log"]))
    return point


def run(library, sampler, task, seed, n_trials):
    """The rows of one run: one for each improvement, one for the end."""
    problem = library.problem(task, seed)
    study = optuna.create_study(sampler=SAMPLERS[sampler](seed, problem.parameters))
    best, ask_s, rows = math.inf, 0.0, []
    for n in range(1, n_trials + 1):
        start = time.perf_counter()
        trial = study.ask()
        point = suggest(trial, problem)
        ask_s += time.perf_counter() - start
        value = problem.evaluate(point)
        start = time.perf_counter()
        study.tell(trial, value)
        ask_s += time.perf_counter() - start
        if value < best or n == n_trials:
            best = min(best, value)
            rows.append([f"optuna-{sampler}", task, seed, n, repr(best), f"{ask_s:.6g}"])
    problem.close()
    return rows


def read_finished(path, n_trials):
    if not os.path.exists(path):
        return set()
    with open(path) as file:
        return {(r["strategy"], r["task"], int(r["seed"])) for r in csv.DictReader(file) if int(r["n"]) >= n_trials}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samplers", help="separated by commas, of " + ", ".join(SAMPLERS))
    parser.add_argument("--tasks", default="bbob-5d/*")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--csv", required=True)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    library = Library()
    finished = read_finished(options.csv, options.trials)
    with open(options.csv, "a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if file.tell() == 0:
            writer.writerow(FIELDS)
        for seed in range(1, options.seeds + 1):
            for task in library.names(options.tasks):
                for sampler in options.samplers.split(","):
                    if (f"optuna-{sampler}", task, seed) not in finished:
                        writer.writerows(run(library, sampler, task, seed, options.trials))
                        file.flush()


if __name__ == "__main__":
    main()
