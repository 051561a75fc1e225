"""Logarithm, exponential and cosine without calls and jumps, so that loops over draws become vector code.

Series about the middle of a reduced range, arranged so that the rounding of the last sum is nearly all that
counts: each is less than 2 units in the last place from the exact value, and the same on every machine, which
the C library's functions are not. The reductions are the usual ones (Muller, Elementary Functions, 3rd
edition, chapters 5 and 11).
"""

from __future__ import annotations

import math

import numpy as np

from capsim.jit import bits_of, float_of, kernel

_FRACTION = np.uint64(2**52 - 1)
_ONE = np.uint64(1023 << 52)


def _upper(x: float, bits: int) -> float:
    """The first ``bits`` bits of a positive number: its product with a small integer is exact."""
    fraction, power = math.frexp(x)
    return math.ldexp(math.floor(math.ldexp(fraction, bits)), power - bits)


LN2 = math.log(2.0)
LN2_UPPER = _upper(LN2, 32)
LN2_LOWER = 1.9082149292705877e-10
"""ln 2 - LN2_UPPER."""

QUARTER = math.pi / 2.0
QUARTER_UPPER = _upper(QUARTER, 33)
QUARTER_LOWER = 6.077100506506192e-11
"""pi / 2 - QUARTER_UPPER."""


@kernel()
def natural_log(x):
    """ln x for a positive normal number.

    x = m 2**k with m in [3/4, 3/2); ln m = 2 artanh(s), s = (m - 1) / (m + 1).
    """
    bits = bits_of(x)
    up = np.int64((bits >> np.uint64(51)) & np.uint64(1))
    k = np.int64(bits >> np.uint64(52)) - 1023 + up
    f = float_of((bits & _FRACTION) | (_ONE - (np.uint64(up) << np.uint64(52)))) - 1.0
    s = f / (2.0 + f)
    z = s * s
    tail = 2.0 / 23.0 + z * (2.0 / 25.0)
    tail = 2.0 / 19.0 + z * (2.0 / 21.0 + z * tail)
    tail = 2.0 / 15.0 + z * (2.0 / 17.0 + z * tail)
    tail = 2.0 / 11.0 + z * (2.0 / 13.0 + z * tail)
    tail = 2.0 / 7.0 + z * (2.0 / 9.0 + z * tail)
    tail = z * (2.0 / 3.0 + z * (2.0 / 5.0 + z * tail))
    half = 0.5 * f * f
    power = np.float64(k)
    return power * LN2_UPPER - ((half - (s * (half + tail) + power * LN2_LOWER)) - f)


@kernel()
def exponential(x):
    """e**x for x in [-700, 700].

    x = k ln 2 + r with abs(r) <= ln 2 / 2.
    """
    k = np.int64(x * (1.0 / LN2) + 1024.5) - 1024
    power = np.float64(k)
    upper = x - power * LN2_UPPER
    lower = power * LN2_LOWER
    r = upper - lower
    tail = 1.0 / 479001600.0 + r * (1.0 / 6227020800.0)
    tail = 1.0 / 3628800.0 + r * (1.0 / 39916800.0 + r * tail)
    tail = 1.0 / 40320.0 + r * (1.0 / 362880.0 + r * tail)
    tail = 1.0 / 720.0 + r * (1.0 / 5040.0 + r * tail)
    tail = 1.0 / 24.0 + r * (1.0 / 120.0 + r * tail)
    tail = r * r * (0.5 + r * (1.0 / 6.0 + r * tail))
    return (1.0 + (upper + (tail - lower))) * float_of(np.uint64(k + 1023) << np.uint64(52))


@kernel()
def cosine(y):
    """cos y for y in [0, 2 pi]: y = q pi / 2 + r with abs(r) <= pi / 4, then cos r or sin r."""
    q = np.int64(y * (1.0 / QUARTER) + 0.5)
    r = (y - np.float64(q) * QUARTER_UPPER) - np.float64(q) * QUARTER_LOWER
    z = r * r
    tail = -1.0 / 87178291200.0 + z * (1.0 / 20922789888000.0)
    tail = -1.0 / 3628800.0 + z * (1.0 / 479001600.0 + z * tail)
    tail = 1.0 / 24.0 + z * (-1.0 / 720.0 + z * (1.0 / 40320.0 + z * tail))
    half = 0.5 * z
    near = 1.0 - half
    even = near + (((1.0 - near) - half) + z * z * tail)
    tail = -1.0 / 1307674368000.0 + z * (1.0 / 355687428096000.0)
    tail = -1.0 / 39916800.0 + z * (1.0 / 6227020800.0 + z * tail)
    tail = 1.0 / 120.0 + z * (-1.0 / 5040.0 + z * (1.0 / 362880.0 + z * tail))
    odd = r + r * z * (-1.0 / 6.0 + z * tail)
    value = odd if q & 1 else even
    return -value if (q + 1) & 2 else value
