#!/usr/bin/env python3
"""Writes tests/search/data/lbfgs.txt from scipy 1.10's L-BFGS-B: Rosenbrock's function in boxes.

    python3 tests/search/data/make_lbfgs.py      (from the repository root)

Lines, numbers as C hexadecimal doubles: N, the value found, then N rows of lower bound, upper bound, start, solution.
"""
import numpy as np
from scipy.optimize import minimize, rosen, rosen_der

BOXES = [[(-2, 2)] * 2, [(-2, 0.5)] * 2, [(1.2, 3), (-2, 2)], [(-2, 2)] * 6, [(-1, 0.7)] * 6, [(-2, 2), (0.3, 2)] * 5]

with open("tests/search/data/lbfgs.txt", "w") as file:
    for box in BOXES:
        lower, upper = np.array(box, dtype=float).T
        start = lower + 0.3 * (upper - lower)
        found = minimize(rosen, start, jac=rosen_der, method="L-BFGS-B", bounds=box,
                         options={"ftol": 1e-16, "gtol": 1e-12, "maxiter": 10000, "maxfun": 100000})
        file.write("%d %s\n" % (len(box), float(found.fun).hex()))
        for row in zip(lower, upper, start, found.x):
            file.write(" ".join(float(v).hex() for v in row) + "\n")
