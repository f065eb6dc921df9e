#!/usr/bin/env python3
"""Writes tests/search/data/cmaes.txt from the package cmaes 0.13.1 (pip install cmaes==0.13.1 scipy).

    python3 tests/search/data/make_cmaes.py      (from the repository root)

What search/cmaes_*.h must reproduce, from the same points in the same order. Numbers are C hexadecimal doubles. Format:

    model D LAMBDA ADAPTS GENERATIONS, mean, sigma     then per generation: LAMBDA points, best first; afterwards mean,
                                                       sigma, both paths, the lower triangle of C
    margin D LAMBDA GENERATIONS COUNTS.. mean sigma    COUNTS: how many values a coordinate takes, 0 = continuous; then
                                                       per generation the points; mean, sigma, scales
    choices N COUNTS.. ROWS GENERATIONS weights        then per generation ROWS rows of indices; all probabilities
    warm D N points; mean sigma and C

The package's flag h_sigma counts one generation more than Hansen's tutorial; the model cases are such that this makes no
difference. Its trust region for choices uses the size before the last update for the step and the size after it for the
path; the paper (arXiv 2405.09962) has one size, which is set here before each update.
"""
import importlib.metadata

import numpy as np
from cmaes import CMA, CMAwM, CatCMA, get_warm_start_mgd

assert importlib.metadata.version("cmaes") == "0.13.1"
rng = np.random.RandomState(7)


def text(*arrays):
    return " ".join(float(v).hex() for a in arrays for v in np.ravel(a)) + "\n"


def lower(c):
    return c[np.tril_indices(len(c))]


def ellipsoid(x):
    return sum(10 ** (3 * i / len(x)) * (v - 0.3 - 0.05 * i) ** 2 for i, v in enumerate(x))


def model(d, popsize, adapts, generations):
    mean, sigma = rng.uniform(0, 1, d), 0.2
    cma = CMA(mean.copy(), sigma, population_size=popsize, seed=d, lr_adapt=adapts)
    out = "model %d %d %d %d\n" % (d, popsize, adapts, generations) + text(mean, sigma)
    for _ in range(generations):
        xs = sorted((cma.ask() for _ in range(popsize)), key=ellipsoid)
        cma.tell([(x, float(i)) for i, x in enumerate(xs)])
        length = np.linalg.norm(cma._p_sigma)
        limit = (1.4 + 2 / (d + 1)) * cma._chi_n
        flags = [length / np.sqrt(1 - (1 - cma._c_sigma) ** (2 * (cma._g + k))) < limit for k in (0, 1)]
        assert flags[0] == flags[1]
        out += text(xs) + text(cma._mean, cma._sigma, cma._p_sigma, cma._pc, lower(cma._C))
    return out


def margin(counts, popsize, generations):
    d = len(counts)
    low = [0.5 / n if n else 0 for n in counts]
    bounds = np.array([[a, 1 - a] for a in low])
    steps = np.array([1 / n if n else 0 for n in counts])
    mean, sigma = rng.uniform(0.2, 0.8, d), 0.25
    cma = CMAwM(mean.copy(), sigma, bounds, steps, seed=3, population_size=popsize)
    out = "margin %d %d %d %s\n" % (d, popsize, generations, " ".join(map(str, counts))) + text(mean, sigma)
    for _ in range(generations):
        pairs = sorted((cma.ask() for _ in range(popsize)), key=lambda p: ellipsoid(p[0]))
        xs = [p[1] for p in pairs]
        cma.tell([(x, float(i)) for i, x in enumerate(xs)])
        out += text(xs) + text(cma._cma._mean, cma._cma._sigma, cma._A)
    return out


def choices(counts, rows, generations):
    cma = CatCMA(np.zeros(2), 1.0, np.array(counts), population_size=2 * rows, seed=5)
    out = "choices %d %s %d %d\n" % (len(counts), " ".join(map(str, counts)), rows, generations)
    out += text(cma._weights[:rows])
    for _ in range(generations):
        cma._delta = 1 / cma._Delta
        points = sorted((cma.ask() for _ in range(2 * rows)), key=lambda p: -p[1][:, 0].sum() - p[1][0, 1])
        cma.tell([(p, float(i)) for i, p in enumerate(points)])
        for p in points[:rows]:
            out += " ".join(str(int(np.argmax(c))) for c in p[1]) + "\n"
        out += text(*(cma._q[i, :n] for i, n in enumerate(counts)))
    return out


def warm(d, n):
    points = rng.uniform(0, 1, (n, d))
    mean, sigma, cov = get_warm_start_mgd([(p, float(i)) for i, p in enumerate(points)], gamma=1.0)
    return "warm %d %d\n" % (d, n) + text(points) + text(mean, sigma, lower(cov))


with open("tests/search/data/cmaes.txt", "w") as file:
    file.write(model(1, 4, 0, 6) + model(2, 6, 0, 12) + model(5, 8, 0, 12) + model(10, 10, 0, 6))
    file.write(model(3, 7, 1, 10))
    file.write(margin([0, 5, 2, 16], 8, 25) + margin([3, 3], 6, 25))
    file.write(choices([3, 4, 2], 4, 20))
    file.write(warm(3, 7) + warm(2, 1))
