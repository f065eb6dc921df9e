#!/usr/bin/env python3
"""Writes tests/search/data/gp.txt; needs scikit-learn 1.2, scipy 1.10 and mpmath (any recent version).

    python3 tests/search/data/make_gp.py      (from the repository root)

Lines, numbers as C hexadecimal doubles:

    case N_DIMS N N_POINTS     a Gaussian process as scikit-learn's GaussianProcessRegressor has it, kernel
                               ConstantKernel * Matern(nu=2.5) + WhiteKernel. Then: is each dimension a category (0, 1);
                               ln length scales, ln variance, ln noise; N rows of coordinates and target; log marginal
                               likelihood and its gradient; N_POINTS rows of coordinates, posterior mean and variance of f
    hope U VALUE SLOPE         ln(phi(u) + u Phi(u)) and its derivative, from 60 digits
    power Z LAMBDA VALUE       scipy.stats.yeojohnson

A category is given to scikit-learn as one column per choice, 1/sqrt(2) or 0, all with the same length scale: two
different choices are then at distance 1.
"""
import numpy as np
from mpmath import mp, mpf
from scipy.stats import yeojohnson
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

CHOICES = 4
mp.dps = 60
rng = np.random.default_rng(11)


def embed(rows, is_category):
    columns = []
    for j, categorical in enumerate(is_category):
        if categorical:
            columns += [(rows[:, j] == c) / np.sqrt(2) for c in range(CHOICES)]
        else:
            columns.append(rows[:, j])
    return np.array(columns, dtype=float).T


def draw(n, is_category):
    return np.array([[rng.integers(CHOICES) if c else rng.random() for c in is_category] for _ in range(n)], dtype=float)


def line(values):
    return " ".join(float(v).hex() for v in values) + "\n"


def case(is_category, n, n_points, noise):
    d = len(is_category)
    rows, points = draw(n, is_category), draw(n_points, is_category)
    targets = np.sin(5 * rows[:, 0]) + rows.sum(axis=1) ** 2 / d + 0.1 * rng.standard_normal(n)
    theta = np.concatenate([rng.normal(0, 0.5, d), [rng.normal(0.5, 0.5), np.log(noise)]])
    owner = np.repeat(np.arange(d), [CHOICES if c else 1 for c in is_category])
    kernel = (ConstantKernel(np.exp(theta[d])) * Matern(np.exp(theta[:d])[owner], nu=2.5, length_scale_bounds=(1e-9, 1e9))
              + WhiteKernel(noise))
    process = GaussianProcessRegressor(kernel, alpha=1e-20, optimizer=None).fit(embed(rows, is_category), targets)
    likelihood, slopes = process.log_marginal_likelihood(process.kernel_.theta, eval_gradient=True)
    gradient = np.zeros(d + 2)
    np.add.at(gradient, owner, slopes[1:-1])
    gradient[d], gradient[d + 1] = slopes[0], slopes[-1]
    mean, deviation = process.predict(embed(points, is_category), return_std=True)
    text = "case %d %d %d\n" % (d, n, n_points) + line(is_category) + line(theta)
    text += "".join(line([*row, y]) for row, y in zip(rows, targets)) + line([likelihood]) + line(gradient)
    return text + "".join(line([*p, m, s * s - noise]) for p, m, s in zip(points, mean, deviation))


def hope(u):
    u = mpf(u)
    phi, cdf = mp.npdf(u), mp.ncdf(u)
    h = phi + u * cdf
    return line_named("hope", [u, mp.log(h), cdf / h])


def line_named(name, values):
    return name + " " + line(values)


with open("tests/search/data/gp.txt", "w") as file:
    file.write(case([False], 1, 3, 1e-3))
    file.write(case([False, False], 12, 8, 1e-4))
    file.write(case([False, True, False], 30, 11, 1e-3))
    file.write(case([True], 9, 4, 1e-2))
    file.write(case([False] * 10, 61, 9, 1e-2))
    file.writelines(hope(u) for u in [5.0, 1.5, 0.25, 0.0, -0.125, -1.0, -5.0, -20.0, -39.5, -40.5, -100.0, -3000.0])
    for z in [0.0, 1e-9, 0.3, 2.0, 1e5]:
        file.writelines(line_named("power", [z, l, yeojohnson(np.array([z]), lmbda=l)[0]]) for l in [1.0, 0.5, 0.0, -0.5])
