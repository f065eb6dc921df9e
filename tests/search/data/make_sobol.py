#!/usr/bin/env python3
"""Writes search/math/sobol_table.h and tests/search/data/sobol.txt from the direction numbers that SciPy carries (1.10.1).

    python3 tests/search/data/make_sobol.py      (from the repository root)

These are new-joe-kuo-6 of Joe and Kuo (https://web.maths.unsw.edu.au/~fkuo/sobol/): one primitive polynomial over GF(2)
and initial numbers m_1 .. m_s, s its degree, for each dimension. The table keeps the first 1,111 dimensions, which are
all polynomials up to degree 13, as one stream of bits, lowest bit of the first word first. For each dimension after the
first, in order: the s - 1 inner coefficients of the polynomial, then (m_i - 1) / 2 in i - 1 bits for i = 2 .. s.
m_1 is always 1, every m_i is odd and below 2^i. How many dimensions have which degree is a list of its own.

sobol.txt, numbers in hexadecimal, points times 2^32:

    points FIRST N_POINTS N_DIMS          then a row for each point of Sobol(N_DIMS, scramble=False, bits=32)
    directions N_DIMS                     for each dimension the exclusive or of all 32 directions, and of every second
"""
import os

import numpy as np
import scipy
from scipy.stats import qmc

N_DIMS = 1111
data = np.load(os.path.join(os.path.dirname(qmc.__file__), "_sobol_direction_numbers.npz"))
polynomials, initial = data["poly"][:N_DIMS], data["vinit"][:N_DIMS]

stream, n_bits, counts = 0, 0, {}


def put(value, bits):
    global stream, n_bits
    assert 0 <= value < 1 << bits or (value == 0 and bits == 0)
    stream |= value << n_bits
    n_bits += bits


for p, m in zip(polynomials[1:], initial[1:]):
    p, degree = int(p), int(p).bit_length() - 1
    assert p & 1 and m[0] == 1 and max(counts, default=1) <= degree
    counts[degree] = counts.get(degree, 0) + 1
    put(p >> 1 & ((1 << degree - 1) - 1), degree - 1)
    for i in range(2, degree + 1):
        assert m[i - 1] & 1
        put(int(m[i - 1]) >> 1, i - 1)

words = ["0x%x," % (stream >> 64 * i & (1 << 64) - 1) for i in range(-(-n_bits // 64))]
lines = [""]
for word in words:
    if len(lines[-1]) + len(word) + 5 > 100:
        lines.append("")
    lines[-1] += (" " if lines[-1] else "    ") + word
with open("search/math/sobol_table.h", "w") as out:
    out.write("""/* sobol_table.h - direction numbers of Joe and Kuo (new-joe-kuo-6), packed; made by
 * tests/search/data/make_sobol.py, which says how. */
#ifndef KD_SEARCH_SOBOL_TABLE_H
#define KD_SEARCH_SOBOL_TABLE_H

#include <stdint.h>

/* Dimensions by the degree of their polynomial, from 1; the first dimension has none. */
static const int dims_of_degree[] = {%s};

/* clang-format off */
static const uint64_t packed[] = {
%s
};
/* clang-format on */

#endif
""" % (", ".join(str(counts[d]) for d in sorted(counts)), "\n".join(lines)))


def engine(n_dims):
    return qmc.Sobol(n_dims, scramble=False, bits=32)


def points(first, n, n_dims):
    rows = engine(n_dims).fast_forward(first).random(n) if first else engine(n_dims).random(n)
    text = ["points %x %x %x\n" % (first, n, n_dims)]
    return "".join(text + [" ".join("%x" % int(u * 2**32) for u in row) + "\n" for row in rows])


assert scipy.__version__ == "1.10.1"
with open("tests/search/data/sobol.txt", "w") as out:
    out.write(points(0, 32, 12) + points(1000, 4, 40) + points(777777, 1, N_DIMS))
    directions = engine(N_DIMS)._sv
    out.write("directions %x\n" % N_DIMS)
    for row in directions:
        out.write("%x %x\n" % (np.bitwise_xor.reduce(row), np.bitwise_xor.reduce(row[::2])))
