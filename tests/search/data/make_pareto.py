#!/usr/bin/env python3
"""Writes tests/search/data/pareto.txt from Optuna 5.0.0 (pip install optuna==5.0.0).

    python3 tests/search/data/make_pareto.py      (from the repository root)

Numbers are C hexadecimal doubles, costs are minimised. N rows of M numbers follow each head. Format:

    volume N M          rows, the reference point, the hypervolume by optuna._hypervolume.compute_hypervolume
    ranks N M           rows each followed by its violation, then N ranks by _fast_non_domination_rank
    best N M WANT       rows, then the WANT indices (ascending) that _fast_non_domination_rank and _solve_hssp choose, by
                        the reference point of Optuna's TPE sampler
"""
import numpy as np
import optuna
from optuna._hypervolume import compute_hypervolume
from optuna._hypervolume.hssp import _solve_hssp
from optuna.samplers._tpe.sampler import _get_reference_point
from optuna.study._multi_objective import _fast_non_domination_rank

assert optuna.__version__ == "5.0.0"
rng = np.random.RandomState(8)


def text(rows):
    return "".join(" ".join(float(v).hex() for v in np.atleast_1d(row)) + "\n" for row in rows)


def costs(n, m, kind):
    rows = rng.rand(n, m)
    if kind == "front":  # on a sphere: nobody dominates anybody
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    if kind == "coarse":  # repeats and ties
        rows = np.floor(rows * 5) / 5
    if kind == "negative":
        rows = -3 * rows
    return rows


def volume(n, m, kind):
    rows, reference = costs(n, m, kind), np.full(m, 1.1)
    return "volume %d %d\n" % (n, m) + text(rows) + text([reference, [compute_hypervolume(rows, reference)]])


def ranks(n, m, kind):
    rows = costs(n, m, kind)
    violations = np.maximum(0, np.floor(rng.rand(n) * 8 - 5))
    found = _fast_non_domination_rank(rows, penalty=violations)
    lines = text(np.column_stack([rows, violations]))
    return "ranks %d %d\n" % (n, m) + lines + " ".join(map(str, found)) + "\n"


def best(n, m, want, kind):
    rows = costs(n, m, kind)
    found = _fast_non_domination_rank(rows)
    chosen = []
    for rank in range(n):
        members = np.arange(n)[found == rank]
        if len(members) <= want - len(chosen):
            chosen += list(members)
            continue
        if want > len(chosen):
            reference = _get_reference_point(rows[members])
            chosen += list(_solve_hssp(rows[members], members, want - len(chosen), reference))
        break
    return "best %d %d %d\n" % (n, m, want) + text(rows) + " ".join(map(str, sorted(chosen))) + "\n"


with open("tests/search/data/pareto.txt", "w") as out:
    for kind in ("any", "front", "coarse", "negative"):
        for n, m in [(1, 2), (7, 1), (20, 2), (40, 3), (25, 4), (15, 5), (12, 6)]:
            out.write(volume(n, m, kind))
        for n, m in [(30, 1), (60, 2), (60, 3), (40, 4)]:
            out.write(ranks(n, m, kind))
        for n, m, want in [(40, 2, 10), (40, 2, 25), (40, 3, 10), (30, 4, 8), (30, 3, 29)]:
            out.write(best(n, m, want, kind))
