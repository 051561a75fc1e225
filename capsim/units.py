"""Numbers as people write them: lengths of time, suffixes and the text forms of quantities.

Units inside capsim: milliseconds (int), USD, kW, FLOP, chips, tokens a day.
"""

from __future__ import annotations

import math
import re
from typing import Final

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
WEEK_MS: Final = 7 * DAY_MS
YEAR_MS: Final = 31_557_600_000
"""The Julian year of 365.25 days; months and quarters are its 12th and 4th part."""
QUARTER_MS: Final = YEAR_MS // 4
MONTH_MS: Final = YEAR_MS // 12

DURATIONS: Final[dict[str, int]] = {
    "ms": 1,
    "s": SECOND_MS,
    "min": MINUTE_MS,
    "h": HOUR_MS,
    "d": DAY_MS,
    "w": WEEK_MS,
    "mo": MONTH_MS,
    "q": QUARTER_MS,
    "y": YEAR_MS,
}
"""Milliseconds of each unit of time."""

SUFFIXES: Final[dict[str, float]] = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
"""SI suffixes of plain numbers."""

MONEY_SUFFIXES: Final[dict[str, float]] = {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}
"""Suffixes after a dollar sign."""

POWER: Final[dict[str, float]] = {"W": 1e-3, "kW": 1.0, "MW": 1e3, "GW": 1e6}
"""Kilowatts of each unit of power."""

DATA: Final[dict[str, float]] = {"GB": 1.0, "TB": 1e3, "PB": 1e6, "EB": 1e9}
"""Gigabytes (10^9 bytes) of each unit of data."""

BANDWIDTH: Final[dict[str, float]] = {"MB/s": 1e-3, "GB/s": 1.0, "TB/s": 1e3}
"""Gigabytes (10^9 bytes) per second of each unit of bandwidth."""

_SHAPE: Final = re.compile(
    r"\s*([+-]?)\s*(\$?)\s*((?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)\s*(.*?)\s*",
    re.DOTALL,
)
_NOT_FINITE: Final = re.compile(r"\s*[+-]?\.?(inf|infinity|nan)\s*", re.IGNORECASE)


def split_quantity(text: str) -> tuple[bool, float, str]:
    """Split ``$38B/y`` into (money, 38.0, "B/y").

    Raises ValueError with a short reason where ``text`` is no finite decimal number with a unit.
    """
    found = _SHAPE.fullmatch(text)
    if found is None:
        if _NOT_FINITE.fullmatch(text):
            raise ValueError("is not a finite number")
        raise ValueError("is not a number")
    sign, dollar, digits, unit = found.groups()
    number = float(digits.replace("_", ""))
    if math.isinf(number):
        raise ValueError("is too large for a number")
    return bool(dollar), -number if sign == "-" else number, unit
