#!/usr/bin/env python3
"""Writes tests/search/data/bench_tasks.txt; needs pycma (4.5.0 was used), whose cma/bbobbenchmarks.py is the BBOB
authors' own implementation of f1 .. f24.

    python3 tests/search/data/make_bench_tasks.py      (from the repository root)

A line is `function dimension instance value x_1 .. x_d`. The last point of each instance lies outside the domain, so
that the penalties are held, too.
"""
import random
import warnings

warnings.simplefilter("ignore")
from cma import bbobbenchmarks

random.seed(1)
with open("tests/search/data/bench_tasks.txt", "w") as out:
    for function in range(1, 25):
        for dim in (2, 5, 10):
            for instance in (1, 7):
                f = bbobbenchmarks.instantiate(function, instance)[0]
                for reach in (4, 5, 7):
                    x = [round(random.uniform(-reach, reach), 3) for _ in range(dim)]
                    print(function, dim, instance, repr(float(f(x))), *x, file=out)
