"""Objectives in float64, and optima of liblinear, libsvm and L-BFGS: nothing is shared with the solver.

A problem is (values [R, D], signs [R], caps [R], loss, scaling): rows with cap 0 are no part of it, and scaling is 0
without a bias, infinite with a free one, else what liblinear calls intercept_scaling.
"""

import warnings

import numpy as np
from scipy.optimize import lsq_linear, minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, LinearSVC


def scaling_of(bias, intercept_scaling=1.0):
    return {"none": 0.0, "free": np.inf, "penalised": intercept_scaling}[bias]


def primal(problem, weights, bias):
    """½|w|² + b²/2s² + Σ caps loss."""
    values, signs, caps, loss, scaling = problem
    slack = np.maximum(1 - signs * (values @ weights + bias), 0)
    penalty = (bias / scaling) ** 2 if scaling else 0.0
    return (weights @ weights + penalty) / 2 + caps @ (slack if loss == "hinge" else slack**2)


def dual(problem, alpha):
    """Of any α: made feasible first."""
    values, signs, caps, loss, scaling = problem
    alpha = np.clip(np.where(caps > 0, alpha, 0), 0, caps if loss == "hinge" else None)
    if scaling == np.inf:
        sides = [alpha[signs > 0].sum(), alpha[signs < 0].sum()]
        alpha = alpha * [min(sides) / max(sides[int(sign < 0)], 1e-300) for sign in signs]
    combined = values.T @ (signs * alpha)
    share = scaling * (signs @ alpha) if np.isfinite(scaling) else 0.0
    squares = 0.0 if loss == "hinge" else np.sum(alpha[caps > 0] ** 2 / caps[caps > 0]) / 4
    return alpha.sum() - (combined @ combined + share**2) / 2 - squares


def recovered_dual(problem, weights, bias):
    """The dual objective of an α read off (w, b): at its bounds by the margins, between them so that Σ α y x = w."""
    values, signs, caps, loss, scaling = problem
    margins = signs * (values @ weights + bias)
    if loss == "squared_hinge":
        return dual(problem, 2 * caps * np.maximum(1 - margins, 0))
    near = (np.abs(1 - margins) < 1e-3) & (caps > 0)
    alpha = np.where(margins < 1, caps, 0.0)
    alpha[near] = 0
    rows, goal = values * signs[:, None], weights
    if scaling:
        column = signs * (scaling if np.isfinite(scaling) else 1.0)
        rows = np.column_stack([rows, column])
        goal = np.append(goal, bias / scaling)
    if near.any():
        unit = caps.max()  # so that the tolerance suits the values
        missing = (goal - rows.T @ alpha) / unit
        alpha[near] = unit * lsq_linear(rows[near].T, missing, (0, caps[near] / unit), tol=1e-14).x
    return dual(problem, alpha)


def best(problem, steps=100_000):
    """An objective at, or, where they stop early, above the optimum."""
    values, signs, caps, loss, scaling = problem
    kept = caps > 0
    values, signs, caps = values[kept], signs[kept], caps[kept]
    inside = (values, signs, caps, loss, scaling)
    if len(np.unique(signs)) < 2:
        return _smooth(inside) if loss == "squared_hinge" else np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if np.isfinite(scaling):
            bias = {"intercept_scaling": scaling} if scaling else {"fit_intercept": False}
            settings = {"tol": 1e-8, "max_iter": steps, "random_state": 0, **bias}
            machine = LinearSVC(C=caps.max(), loss=loss, dual=True, **settings)
        elif loss == "hinge":
            machine = SVC(C=caps.max(), kernel="linear", tol=1e-8, max_iter=steps)
        else:
            return _smooth(inside)
        machine.fit(values, signs, caps / caps.max())
    bias = float(np.ravel(machine.intercept_)[0])
    return min(primal(inside, machine.coef_[0], bias), primal(inside, np.zeros(values.shape[1]), 0.0))


def _smooth(problem):
    """The squared hinge with a free bias, which no library solves, by L-BFGS, in units of the rows' length."""
    values, signs, caps, _, scaling = problem
    length = np.sqrt(np.mean(np.sum(values**2, axis=1))) or 1.0
    rows = values / length
    shift = float(np.isfinite(scaling) and scaling > 0) / max(scaling, 1e-300) ** 2

    def evaluate(point):
        weights, bias = point[:-1], point[-1] * (scaling != 0)
        slack = np.maximum(1 - signs * (rows @ weights + bias), 0)
        pull = 2 * caps * slack * signs * length**2
        value = (weights @ weights + shift * length**2 * bias**2) / 2 + length**2 * (caps @ slack**2)
        return value, np.append(weights - rows.T @ pull, (shift * length**2 * bias - pull.sum()) * (scaling != 0))

    options = {"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-16, "gtol": 1e-12, "maxcor": 30}
    point = minimize(evaluate, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B", options=options).x
    return primal(problem, point[:-1] / length, point[-1] * (scaling != 0))
