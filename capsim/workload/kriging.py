"""Interpolation of a calibrated table: kriging with a mean from physics and a robust fit.

A prediction is the mean plus the weighted departures of the measured points from theirs; the weights
follow from how much two configurations have in common (the kernel). A configuration close to measured
points takes their departure, one far from all of them falls back to the mean, and its band widens.
The estimator is the best linear one for the kernel (Rasmussen and Williams 2006, chapter 2); outliers
are met by repeated fits in which a point's noise grows with its residual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROBUST_FITS = 2
# Predictions are rounded so that they do not depend on how many threads a linear-algebra library uses.
DIGITS = 9
# Residuals beyond this many standard deviations of the noise count as outliers.
ROBUST_LIMIT = 1.5


@dataclass(frozen=True)
class Fit:
    """Solved weights over n points (n,), and the inverse of their covariance (n, n) for the variance."""

    weights: Array
    inverse: Array

    def predict(self, mean: Array, cross: Array) -> Array:
        """Predictions of m configurations: ``mean`` (m,), ``cross`` kernel values to the points (m, n)."""
        return np.asarray(np.round(mean + cross @ self.weights, DIGITS))

    def variance(self, own: Array, cross: Array) -> Array:
        """Variance of m predictions; ``own`` the kernel of each configuration with itself (m,)."""
        explained = ((cross @ self.inverse) * cross).sum(axis=1)
        return np.asarray(np.round(np.maximum(own - explained, 0.0), DIGITS))


def fit(
    values: Array, mean: Array, kernel: Array, noise: Array, trusted: NDArray[np.bool_] | None = None
) -> Fit:
    """Weights of ``values`` about ``mean``, both (n,), for ``kernel`` (n, n) and ``noise`` variances (n,).

    ``trusted`` points keep their noise however far they lie from the others.
    """
    robust = np.ones(len(values), dtype=np.bool_) if trusted is None else ~trusted
    departure, current = values - mean, noise.copy()
    solved, weights = kernel, departure
    for round_ in range(ROBUST_FITS + 1):
        solved = inverse(kernel + np.diag(current))
        weights = (solved * departure).sum(axis=1)
        if round_ < ROBUST_FITS:
            residual = np.abs(current * weights) / np.sqrt(noise)
            current = noise * np.where(robust, np.maximum(1.0, residual / ROBUST_LIMIT), 1.0)
    return Fit(weights, solved)


def inverse(matrix: Array) -> Array:
    """Inverse of a symmetric positive definite matrix (n, n) by Gauss-Jordan elimination.

    A few hundred rows take milliseconds; unlike a threaded library it gives the same digits on every machine
    and does not suffer when all cores are busy.
    """
    a, work = matrix.copy(), np.empty_like(matrix)
    for k in range(len(a)):
        pivot = a[k, k]
        row, column = a[k] / pivot, a[:, k].copy()
        column[k] = 0.0
        np.multiply(column[:, None], row[None, :], out=work)
        a -= work
        a[:, k] = -column / pivot
        a[k] = row
        a[k, k] = 1.0 / pivot
    return a
