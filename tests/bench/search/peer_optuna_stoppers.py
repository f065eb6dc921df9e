#!/usr/bin/env python3
"""Optuna's pruners on learning curves with W workers, simulated as `katydid-bench stoppers` does it, into a CSV file for its
--with option.

    cmake --build build --target bench
    tests/bench/search/peer_optuna_stoppers.py tpe/sha,tpe/hyperband,random/sha --seeds 5 --csv optuna-stoppers.csv

    sha           SuccessiveHalvingPruner as it is: reduction factor 4, first rung learnt from the first complete trial
    sha3          the same with min_resource 1 and reduction factor 3
    hyperband     HyperbandPruner(min_resource=1, max_resource=steps, reduction_factor=3), which are its defaults but for
                  the maximum, "auto" there
    none          every trial to its end

Asking takes no time here; a pruned trial counts with its last report, a whole one with its best, as Optuna's users would
have it. A run ends at the last target or at the limit.
"""
import argparse
import csv
import heapq
import math
import random
import sys
import warnings

try:
    import optuna
except ImportError:
    print("peer_optuna_stoppers: no Optuna here (pip install optuna): not run")
    sys.exit(0)
from peer import Library
from peer_optuna import SAMPLERS, suggest

TARGETS = (0.01, 0.001)
MOST_TRIALS = 4000
FIELDS = ["strategy", "workers", "task", "seed", "to_1pct", "to_01pct", "regret", "trials"]
PRUNERS = {
    "sha": lambda steps: optuna.pruners.SuccessiveHalvingPruner(),
    "sha3": lambda steps: optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    "hyperband": lambda steps: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=steps, reduction_factor=3),
    "none": lambda steps: optuna.pruners.NopPruner(),
}


def limit_of(workers):
    return 60 / math.sqrt(workers)


def whole_s(problem):
    """Seconds of a whole training, mean over 400 random points."""
    draw = random.Random(0)
    total = 0.0
    for _ in range(400):
        point = []
        for p in problem.parameters:
            if p["type"] == "double":
                point.append(draw.uniform(p["min"], p["max"]))
            else:
                point.append(draw.randint(int(p["min"]), int(p["max"])))
        total += problem.steps * problem.step_s(point)
    return total / 400


class Running:
    def __init__(self, problem, trial, point):
        self.trial, self.point, self.step, self.best = trial, point, 0, math.inf
        self.step_s = problem.step_s(point)


class Simulation:
    def __init__(self, problem, study, workers):
        self.problem, self.study, self.workers = problem, study, workers
        self.unit = whole_s(problem)
        self.queue, self.regret, self.reached, self.n = [], 1.0, [math.inf] * len(TARGETS), 0

    def start(self, now):
        if self.n >= MOST_TRIALS:
            return
        trial = self.study.ask()
        running = Running(self.problem, trial, suggest(trial, self.problem))
        self.n += 1
        heapq.heappush(self.queue, (now + running.step_s / self.unit, self.n, running))

    def note(self, now, value):
        regret = (value - self.problem.optimum) / (self.problem.reference - self.problem.optimum)
        self.regret = min(self.regret, max(0.0, regret))
        for i, target in enumerate(TARGETS):
            if self.regret <= target and math.isinf(self.reached[i]):
                self.reached[i] = now

    def report(self, now, number, running):
        """One more step of a trial; True when it is over."""
        running.step += 1
        value = self.problem.report(running.point, running.step)
        self.note(now, value)
        running.best = min(running.best, value)
        running.trial.report(value, running.step)
        if math.isinf(value):
            self.study.tell(running.trial, state=optuna.trial.TrialState.FAIL)
        elif running.step == self.problem.steps:
            self.study.tell(running.trial, running.best)
        elif running.trial.should_prune():
            self.study.tell(running.trial, state=optuna.trial.TrialState.PRUNED)
        else:
            heapq.heappush(self.queue, (now + running.step_s / self.unit, number, running))
            return False
        return True

    def run(self):
        for _ in range(self.workers):
            self.start(0.0)
        while self.queue and self.queue[0][0] <= limit_of(self.workers) and math.isinf(self.reached[-1]):
            now, number, running = heapq.heappop(self.queue)
            if self.report(now, number, running):
                self.start(now)


def simulate(library, name, task, seed, workers):
    sampler, pruner = name.split("/")
    problem = library.problem(task, seed)
    study = optuna.create_study(sampler=SAMPLERS[sampler](seed, problem.parameters),
                                pruner=PRUNERS[pruner](problem.steps))
    simulation = Simulation(problem, study, workers)
    simulation.run()
    problem.close()
    return [f"optuna-{name}", workers, task, seed, *(f"{t:.6g}" for t in simulation.reached),
            f"{simulation.regret:.6g}", simulation.n]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", help="SAMPLER/PRUNER, separated by commas")
    parser.add_argument("--tasks", default="curve/*,synth/*")
    parser.add_argument("--workers", default="1,4,16,64")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--csv", required=True)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    library = Library()
    with open(options.csv, "a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if file.tell() == 0:
            writer.writerow(FIELDS)
        for seed in range(1, options.seeds + 1):
            for task in library.names(options.tasks):
                for workers in map(int, options.workers.split(",")):
                    for name in options.names.split(","):
                        writer.writerow(simulate(library, name, task, seed, workers))
                        file.flush()


if __name__ == "__main__":
    main()
