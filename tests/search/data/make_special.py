#!/usr/bin/env python3
"""Writes search/math/special_tables.h and tests/search/data/special.txt; needs mpmath (any recent version).

    python3 tests/search/data/make_special.py      (from the repository root)

The tables are Chebyshev interpolants computed with 60 digits, turned into powers of the mapped argument and cut where
the next coefficient no longer changes a double. special.txt holds lines `function argument value`, C hexadecimal
doubles, the value rounded from 60 digits.
"""
import random

from mpmath import mp, mpf

mp.dps = 60
INTERVALS = [("HALF", 0.5, 1), ("ONE", 1, 2), ("TWO", 2, 4), ("FOUR", 4, 8)]


def erfcx(x):
    return mp.exp(x * x) * mp.erfc(x)


def powers(f, a, b, degree):
    """Coefficients c of sum c[i] t^i, t in [-1, 1] mapped to [a, b]: interpolation at Chebyshev points."""
    n = degree + 1
    nodes = [mp.cos(mp.pi * (2 * k + 1) / (2 * n)) for k in range(n)]
    values = [f((a + b) / 2 + (b - a) / 2 * t) for t in nodes]
    return list(mp.lu_solve(mp.matrix([[t**i for i in range(n)] for t in nodes]), mp.matrix(values)))


def horner(c, t):
    value = mpf(0)
    for v in reversed(c):
        value = value * t + v
    return value


def fit(f, a, b):
    a, b = mpf(a), mpf(b)
    for degree in range(4, 40):
        c = powers(f, a, b, degree)
        worst = 0
        for k in range(101):
            x = a + (b - a) * k / 100
            t = (2 * x - a - b) / (b - a)
            worst = max(worst, abs(horner(c, t) / f(x) - 1))
        if worst < mpf(2) ** -57:
            return c
    raise SystemExit("no fit")


def table(name, c):
    lines = ",\n".join("    %s" % float(v).hex() for v in c)
    return "static const double %s[] = {\n%s,\n};\n" % (name, lines)


def write_tables(path):
    out = ["/* special_tables.h - coefficients for special.c, lowest power first; made by\n"
           " * tests/search/data/make_special.py, which says how. */\n"
           "#ifndef KD_SEARCH_SPECIAL_TABLES_H\n#define KD_SEARCH_SPECIAL_TABLES_H\n",
           "\n/* erf(x) / x for 0 <= x <= 1/2, in t = 8 x^2 - 1 */\n",
           table("erf_small", fit(lambda y: mp.erf(mp.sqrt(y)) / mp.sqrt(y) if y else 2 / mp.sqrt(mp.pi), 0, mpf(1) / 4))]
    for name, a, b in INTERVALS:
        out.append("\n/* exp(x^2) erfc(x) for %s <= x <= %s, in t mapped to [-1, 1] */\n" % (mp.nstr(mpf(a), 3), mp.nstr(mpf(b), 3)))
        out.append(table("erfcx_" + name.lower(), fit(erfcx, a, b)))
    out.append("\n/* x exp(x^2) erfc(x) for x >= 8, in t = 128 / x^2 - 1 */\n")

    def far(y):
        if y > mpf(10) ** -8:
            return erfcx(1 / mp.sqrt(y)) / mp.sqrt(y)
        term, total = mpf(1), mpf(0)  # the asymptotic series
        for n in range(8):
            total += term
            term *= -(2 * n + 1) * y / 2
        return total / mp.sqrt(mp.pi)
    out.append(table("erfcx_far", fit(far, 0, mpf(1) / 64)))
    out.append("\n/* (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2, in r: its Taylor series 1/2!, 1/3!, ... */\n")
    out.append(table("exp_tail", [1 / mp.factorial(i) for i in range(2, 15)]))
    out.append("\n/* (atanh(s) / s - 1) / s^2 in s^2, |s| <= 0.1716: 1/3, 1/5, ... */\n")
    out.append(table("log_tail", [mpf(1) / (2 * i + 3) for i in range(11)]))
    out.append("\n#endif\n")
    open(path, "w").write("".join(out))


def cdf(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def log_mass(a, b):
    if a > 0:
        a, b = -b, -a
    return mp.log(cdf(b) - cdf(a))


def quantile(p):
    if p > mpf(1) / 2:
        return -quantile(1 - p)
    x = -mp.sqrt(-2 * mp.log(p)) + mpf(1) / 2 if p < 0.1 else mpf(-1) / 2
    for _ in range(200):
        step = (cdf(x) - p) / mp.npdf(x)
        x -= step if abs(step) < 1 else mp.sign(step)
        if abs(step) < mpf(10) ** -45:
            break
    return x


def write_values(path):
    rng = random.Random(1)
    wide = [10 ** rng.uniform(-12, 2) for _ in range(40)] + [-(10 ** rng.uniform(-12, 2)) for _ in range(40)]
    near = [rng.uniform(-6, 6) for _ in range(80)]
    rows = []

    def add(name, f, args):
        for x in args:
            rows.append("%s %s %s\n" % (name, float(x).hex(), float(f(mpf(float(x)))).hex()))
    add("exp", mp.exp, near + wide + [rng.uniform(-745, 709) for _ in range(60)] + [-744.9, 709.7, 1e-300])
    add("log", mp.log, [10 ** rng.uniform(-307, 307) for _ in range(60)] + [rng.uniform(0.5, 2) for _ in range(60)]
        + [1 + 1e-10, 1 - 1e-10, 5e-324, 1e-310])
    add("log1p", mp.log1p, [10 ** rng.uniform(-18, 3) for _ in range(40)] + [-(10 ** rng.uniform(-18, -0.001)) for _ in range(40)])
    add("erf", mp.erf, near + wide)
    add("erfc", mp.erfc, near + [rng.uniform(0, 26) for _ in range(80)] + [0.5, 1, 2, 4, 8, 26.5])
    add("normal_cdf", cdf, near + [rng.uniform(-37, 8) for _ in range(60)])
    add("normal_log_cdf", lambda x: mp.log(cdf(x)), near + [rng.uniform(-37, 8) for _ in range(40)] + [-100, -1e5, -1e10])
    ps = [10 ** rng.uniform(-300, -0.3) for _ in range(40)] + [rng.random() for _ in range(40)] + [0.5 - 1e-9, 0.5 + 1e-9, 1 - 2**-53]
    add("normal_quantile", quantile, ps)
    for _ in range(120):
        a = rng.uniform(-30, 30)
        b = a + 10 ** rng.uniform(-9, 1.5)
        a, b = float(a), float(b)
        rows.append("normal_log_mass %s %s %s\n" % (a.hex(), b.hex(), float(log_mass(mpf(a), mpf(b))).hex()))
    open(path, "w").write("".join(rows))


write_tables("search/math/special_tables.h")
write_values("tests/search/data/special.txt")
