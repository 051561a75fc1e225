"""Logarithm, exponential and cosine of the kernel against the C library's in extended precision."""

from __future__ import annotations

import numpy as np
import pytest
from numba import float64, int64, void

from capsim.jit import kernel
from capsim.kernel.elementary import cosine, exponential, natural_log

LOG, EXP, COS = range(3)
POINTS = 200_000


@kernel(void(int64, float64[::1], float64[::1]))
def apply(what, x, y):
    """y[i] = f(x[i]) for one of the three functions."""
    for i in range(len(x)):
        if what == LOG:
            y[i] = natural_log(x[i])
        elif what == EXP:
            y[i] = exponential(x[i])
        else:
            y[i] = cosine(x[i])


@pytest.mark.parametrize(
    ("what", "exact", "low", "high"),
    [
        (LOG, np.log, 0.0, 1.0),
        (LOG, np.log, 0.9999, 1.0001),
        (LOG, np.log, 1.0, 1e18),
        (EXP, np.exp, -700.0, 700.0),
        (EXP, np.exp, -1.0, 1.0),
        (COS, np.cos, 0.0, 2.0 * np.pi),
        (COS, np.cos, np.pi / 2 - 1e-3, np.pi / 2 + 1e-3),
    ],
)
def test_within_two_units_in_the_last_place(what, exact, low, high):
    if np.finfo(np.longdouble).nmant <= 52:
        pytest.skip("this machine has no extended precision to compare with")
    x = np.random.default_rng(3).uniform(low, high, POINTS)
    y = np.zeros(POINTS)
    apply(what, x, y)
    right = exact(x.astype(np.longdouble))
    assert np.max(np.abs(y - right) / np.spacing(np.abs(right).astype(float))) < 2.0


def test_ends_of_the_ranges():
    x = np.array([2.0**-54, 1.0 - 2.0**-54, 1.0])
    y = np.zeros(3)
    apply(LOG, x, y)
    assert y.tolist() == pytest.approx([-54.0 * np.log(2.0), 0.0, 0.0])
    apply(COS, np.array([0.0, np.pi, 2.0 * np.pi]), y)
    assert y.tolist() == [1.0, -1.0, 1.0]
    apply(EXP, np.array([0.0, -700.0, 700.0]), y)
    assert y.tolist() == pytest.approx([1.0, np.exp(-700.0), np.exp(700.0)], rel=1e-15)
