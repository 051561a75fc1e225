"""Interpolation of tables: exact where theory is exact."""

from __future__ import annotations

import numpy as np
import pytest

from capsim.workload.kriging import fit, inverse


def covariance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A smooth kernel with variance 0.25."""
    return np.asarray(0.25 * np.exp(-0.5 * (x[:, None] - y[None, :]) ** 2))


def test_inverse() -> None:
    random = np.random.default_rng(3)
    factors = random.normal(size=(60, 8))
    matrix = factors @ factors.T + 0.01 * np.eye(60)
    assert inverse(matrix) @ matrix == pytest.approx(np.eye(60), abs=1e-9)


def test_goes_through_exact_points_and_falls_back_to_the_mean() -> None:
    x = np.array([0.0, 1.0, 2.5])
    values, mean = np.array([1.2, 0.9, 1.4]), np.full(3, 1.0)
    solved = fit(values, mean, covariance(x, x), np.full(3, 1e-8), np.ones(3, dtype=bool))
    assert solved.predict(mean, covariance(x, x)) == pytest.approx(values, abs=1e-5)
    assert solved.variance(np.full(3, 0.25), covariance(x, x)) == pytest.approx(0, abs=1e-6)
    far = np.array([50.0])
    assert solved.predict(np.array([1.0]), covariance(far, x)) == pytest.approx(1.0)
    assert solved.variance(np.array([0.25]), covariance(far, x)) == pytest.approx(0.25)


def test_one_outlier_is_discounted_unless_it_is_trusted() -> None:
    x = np.linspace(0, 1, 9)
    values = np.full(9, 0.0)
    values[4] = 2.0
    free = fit(values, np.zeros(9), covariance(x, x), np.full(9, 0.01))
    held = fit(values, np.zeros(9), covariance(x, x), np.full(9, 0.01), np.arange(9) == 4)
    middle = covariance(x[4:5], x)
    plain = 2.0 * (middle @ np.linalg.inv(covariance(x, x) + 0.01 * np.eye(9)))[0, 4]
    assert abs(float(free.predict(np.zeros(1), middle)[0])) < 0.5 * plain
    assert float(held.predict(np.zeros(1), middle)[0]) > float(free.predict(np.zeros(1), middle)[0])
