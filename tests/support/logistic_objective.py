"""The objective of logistic regression and a lower bound of its minimum, from their definitions, in float64."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import entr, expit, log_softmax, softmax


def primal(rows, numbers, weights, coef, intercept, C, bias_penalty=0.0):
    """½|W|² + b²/2s² + C Σ c (lse(z) - z_y); bias_penalty is 1/s²."""
    logs = log_softmax(rows @ coef.T + intercept, axis=1)
    losses = -logs[np.arange(len(rows)), numbers]
    return (np.square(coef).sum() + bias_penalty * np.square(intercept).sum()) / 2 + C * weights @ losses


def relative_gap(rows, numbers, weights, coef, intercept, C, bias="none", scaling=1.0):
    """(primal - dual) / primal with q = softmax(z); for a free bias q is scaled until the sums of A vanish."""
    penalty = 1 / scaling**2 if bias == "penalised" else 0.0
    scores = rows @ coef.T + intercept
    wanted = np.eye(len(coef))[numbers]
    shift = np.zeros(len(coef))
    if bias == "free":  # distributions whose sums are right: better biases, by fixed point iteration
        totals = weights @ wanted
        for _ in range(2000):
            found = weights @ softmax(scores + shift, axis=1)
            shift += np.log(totals / found)
        assert np.abs(found - totals).max() <= 1e-6 * totals.max()
    shares = softmax(scores + shift, axis=1)
    residuals = C * weights[:, None] * (wanted - shares)
    dual = C * weights @ entr(shares).sum(axis=1) - np.square(residuals.T @ rows).sum() / 2
    if bias == "penalised":
        dual -= scaling**2 * np.square(residuals.sum(axis=0)).sum() / 2
    value = primal(rows, numbers, weights, coef, intercept, C, penalty)
    return (value - dual) / value


def binary_gap(rows, signs, weights, coef, intercept, C, bias="none", scaling=1.0):
    """The same of one binary problem: ½|w|² + C Σ c log(1 + exp(-y z)), coef [D]."""
    scores, intercept = rows @ coef + intercept, float(intercept)
    penalty = intercept**2 / scaling**2 if bias == "penalised" else 0.0
    value = (coef @ coef + penalty) / 2 + C * weights @ np.logaddexp(0, -signs * scores)
    shift = 0.0
    if bias == "free":
        shift = brentq(lambda b: weights @ (signs * expit(-signs * (scores + b))), -30, 30, xtol=1e-14)
    surprise = expit(-signs * (scores + shift))
    residuals = C * weights * signs * surprise
    dual = C * weights @ (entr(surprise) + entr(1 - surprise)) - np.square(residuals @ rows).sum() / 2
    if bias == "penalised":
        dual -= scaling**2 * residuals.sum() ** 2 / 2
    return (value - dual) / value
