#!/usr/bin/env python3
"""Writes tests/search/data/eigen.txt with numpy 1.24 (numpy.linalg.eigh, LAPACK's syevd).

    python3 tests/search/data/make_eigen.py      (from the repository root)

Each case: n, the lower triangle of a symmetric matrix by rows, its eigenvalues ascending, as C hexadecimal doubles.
"""
import numpy as np

rng = np.random.RandomState(1)


def text(values):
    return " ".join(float(v).hex() for v in values) + "\n"


def case(matrix):
    n = len(matrix)
    return "%d\n" % n + text(matrix[np.tril_indices(n)]) + text(np.linalg.eigh(matrix)[0])


def graded(n):
    q = np.linalg.qr(rng.randn(n, n))[0]
    m = q @ np.diag(10.0 ** np.linspace(-6, 6, n)) @ q.T
    return (m + m.T) / 2


def normal(n):
    m = rng.randn(n, n)
    return (m + m.T) / 2


with open("tests/search/data/eigen.txt", "w") as file:
    file.write("".join(case(normal(n)) for n in (1, 2, 3, 8, 17)))
    file.write(case(graded(9)) + case(np.eye(6)) + case(np.ones((5, 5))) + case(np.zeros((3, 3))))
    file.write(case(1e200 * normal(4)) + case(np.diag([3.0, -1.0, 2.0])))
