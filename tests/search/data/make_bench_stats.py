#!/usr/bin/env python3
"""Writes tests/search/data/bench_stats.txt; needs scipy (1.10.1 was used) and numpy.

    python3 tests/search/data/make_bench_stats.py      (from the repository root)

Lines: `wilcoxon p n x_1 .. x_n`, scipy.stats.wilcoxon with zsplit, exact up to 50 differences without ties and zeros;
`quantile q value n x_1 .. x_n`, numpy.quantile of sorted values; `ranks n x_1 .. x_n r_1 .. r_n`, scipy.stats.rankdata.
"""
import warnings

import numpy as np
from scipy import stats

warnings.simplefilter("ignore")
rng = np.random.default_rng(3)


def write(out, *words):
    print(*(w if isinstance(w, str) else repr(float(w)) if isinstance(w, float) else w for w in words), file=out)


def samples():
    for n in (5, 8, 24, 50, 51, 120):
        yield rng.normal(0.3, 1, n)
        yield np.round(rng.normal(0.3, 1, n), 1)  # ties and zeros
    yield np.array([0.0, 0.0, 1.0])
    yield np.array([1.0, 2.0, 3.0, 4.0])


with open("tests/search/data/bench_stats.txt", "w") as out:
    for x in samples():
        size = np.abs(x)
        exact = len(x) <= 50 and len(np.unique(size)) == len(x) and not (x == 0).any()
        p = stats.wilcoxon(x, zero_method="zsplit", mode="exact" if exact else "approx").pvalue
        write(out, "wilcoxon", float(p), len(x), *map(float, x))
    for q in (0.0, 0.025, 0.4, 0.975, 1.0):
        x = np.sort(rng.normal(size=11))
        write(out, "quantile", q, float(np.quantile(x, q)), len(x), *map(float, x))
    x = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 5.0])
    write(out, "ranks", len(x), *map(float, x), *map(float, stats.rankdata(x)))
