"""Learning curves: the inverse power law of a metric by the number of training images, and its extrapolation."""

from dataclasses import dataclass

import numpy as np

from offshelf.metric.bootstrap import Interval

FEWEST_SIZES = 4
"""Training sizes that a fit needs: the law has three parameters."""
FEWEST_DRAWS = 3
"""Draws of the training images that an error band needs."""
REPLICATES = 200
"""Bootstrap samples of the draws."""
LEVEL = 0.95
"""Confidence level of the band."""
STEEPEST = 3.0
"""Largest exponent."""


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """The inverse power law a - b n^-c, fitted to a metric at several training sizes n, and to bootstrap samples.

    See Cortes, Jackel, Solla, Vapnik, Denker: Learning Curves: Asymptotic Values and Rate of Convergence (NIPS 1993);
    Figueroa, Zeng-Treitler, Kandula, Ngo: Predicting sample size required for classification performance (BMC Medical
    Informatics and Decision Making 12:8, 2012), who fit it by weighted least squares.
    """

    parameters: np.ndarray
    """a, b and c: float64 [3]."""
    replicates_B3: np.ndarray
    """The same for bootstrap samples of the draws."""

    @staticmethod
    def fit(sizes_S: np.ndarray, values_SR: np.ndarray, seed: int = 0) -> "PowerLaw":
        """Fit to a metric at S sizes in R draws of the training images.

        0 <= a <= 1, b >= 0, 0 <= c <= 3. The weight of a size is n / (v + m): v is the variance of its mean over the
        draws, and m the mean of v over the sizes, since no law holds exactly. With n, larger sizes count for more, as
        in Figueroa et al.: the law is to hold beyond them. The band is the bootstrap over draws, whose subsets of all
        sizes are resampled together, with normal deviations of variance m. Deviations of the bootstrap are enlarged by
        sqrt(R / (R - 1)): for a mean of R numbers it is too narrow by that factor. The band does not cover a change of
        the curve's shape beyond the largest size.

        Args:
            sizes_S: Numbers of training images, positive.
            values_SR: The metric, between 0 and 1.
            seed: Seed of the bootstrap.

        Raises:
            ValueError: Fewer than 4 sizes or 3 draws.
        """
        count = values_SR.shape[1]
        if len(sizes_S) < FEWEST_SIZES or count < FEWEST_DRAWS:
            raise ValueError(f"{FEWEST_SIZES} sizes and {FEWEST_DRAWS} draws are needed.")
        means_S = values_SR.mean(axis=1)
        variances_S = values_SR.var(axis=1, ddof=1) / count
        errors_S = np.sqrt((variances_S + variances_S.mean() + 1e-12) / sizes_S * sizes_S.max())
        parameters = _fit(sizes_S, means_S, errors_S)
        random = np.random.default_rng(seed)
        drawn_SB = values_SR[:, random.integers(0, count, (REPLICATES, count))].mean(axis=2) - means_S[:, None]
        off_SB = random.normal(0, np.sqrt(variances_S.mean()), drawn_SB.shape)
        samples_SB = means_S[:, None] + np.sqrt(count / (count - 1)) * drawn_SB + off_SB
        return PowerLaw(parameters, np.array([_fit(sizes_S, one, errors_S, parameters) for one in samples_SB.T]))

    def __call__(self, size: float) -> float:
        """Return the metric at a training size."""
        return float(_law(np.array([size]), *self.parameters)[0])

    def size_for(self, value: float) -> float:
        """Return the training size at which the law reaches a value of the metric; infinity if it never does."""
        a, b, c = self.parameters
        with np.errstate(divide="ignore", over="ignore"):
            return float((b / (a - value)) ** (1 / c)) if value < a and c > 0 else float("inf")

    def interval(self, size: float) -> Interval:
        """Return the error band at a training size."""
        a_B, b_B, c_B = self.replicates_B3.T
        low, high = np.percentile(a_B - b_B * size**-c_B, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
        return Interval(float(low), float(high))


def _law(sizes_S: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    return a - b * sizes_S**-c


def _fit(sizes_S: np.ndarray, means_S: np.ndarray, errors_S: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Return a, b and c of weighted least squares; the best from several exponents, or from a start."""
    from scipy.optimize import least_squares

    unit = np.exp(np.log(sizes_S).mean())  # b and c are nearly independent around the middle of the sizes
    x_S = sizes_S / unit

    def residuals(parameters: np.ndarray) -> np.ndarray:
        return (_law(x_S, *parameters) - means_S) / errors_S

    def slopes(parameters: np.ndarray) -> np.ndarray:
        powers_S = x_S ** -parameters[2]
        return (
            np.stack([np.ones(len(x_S)), -powers_S, parameters[1] * np.log(x_S) * powers_S], axis=1) / errors_S[:, None]
        )

    starts = [np.array([0.9, 0.2, c]) for c in (0.2, 0.5, 1.0, 2.0)]
    if start is not None:
        starts = [start * [1, unit ** -start[2], 1]]
    bounds = ([0, 0, 0], [1, np.inf, STEEPEST])
    inside = [np.clip(one, [1e-6, 1e-6, 1e-6], [1 - 1e-6, 1e6, STEEPEST - 1e-6]) for one in starts]
    found = min((least_squares(residuals, one, slopes, bounds) for one in inside), key=lambda one: float(one.cost))
    a, b, c = found.x
    return np.array([a, b * unit**c, c])
