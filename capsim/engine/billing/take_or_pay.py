"""Take-or-pay: use against commitment, period by period, with make-up and carry-forward."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import Calendar

MONTHS = {"month": 1, "quarter": 3, "year": 12}
"""Calendar months of a period."""


@dataclass(frozen=True)
class Settlement:
    """Chip-hours by period that settle a commitment; shapes (periods,).

    Attributes:
        shortfall: committed, not used, and paid.
        made_up: used beyond the commitment, and free because they were paid for before.
        carried: of a shortfall, not paid because earlier use went beyond the commitment.
    """

    shortfall: NDArray[np.float64]
    made_up: NDArray[np.float64]
    carried: NDArray[np.float64]

    @property
    def extra(self) -> NDArray[np.float64]:
        """Hours paid beside those used (negative: used and not paid)."""
        return self.shortfall - self.made_up


def periods(calendar: Calendar, length: str) -> NDArray[np.int64]:
    """The number of the calendar period of each month, from 0, shape (months,)."""
    months = [int(label[:4]) * 12 + int(label[5:]) - 1 for label in calendar.month_labels()]
    index = np.array(months, dtype=np.int64) // MONTHS[length]
    numbers: NDArray[np.int64] = index - index[0]
    return numbers


def settle(committed: NDArray[np.float64], used: NDArray[np.float64], make_up: int, carry: int) -> Settlement:
    """Compare use and commitment, period by period.

    Use below the commitment is a shortfall: what earlier excess covers is taken off, the rest is paid and may
    be used within `make_up` periods. Use above it first takes what is to be made up, which is free; the rest
    is paid and covers shortfalls within `carry` periods. The oldest hours go first.

    Args:
        committed, used: chip-hours by period, shape (periods,).
        make_up, carry: periods for which hours last; 0 for none.
    """
    count = len(committed)
    shortfall, made_up, carried = np.zeros(count), np.zeros(count), np.zeros(count)
    paid_before: deque[list[float]] = deque()
    used_before: deque[list[float]] = deque()
    for i in range(count):
        _expire(paid_before, i - make_up)
        _expire(used_before, i - carry)
        gap = float(committed[i] - used[i])
        if gap > 0:
            carried[i] = _take(used_before, gap)
            shortfall[i] = gap - carried[i]
            if make_up:
                paid_before.append([i, shortfall[i]])
        elif gap < 0:
            made_up[i] = _take(paid_before, -gap)
            if carry:
                used_before.append([i, -gap - made_up[i]])
    return Settlement(shortfall, made_up, carried)


def _expire(bank: deque[list[float]], oldest: int) -> None:
    while bank and bank[0][0] < oldest:
        bank.popleft()


def _take(bank: deque[list[float]], wanted: float) -> float:
    """Take up to `wanted` hours from a bank, the oldest first; how many there were."""
    taken = 0.0
    while bank and taken < wanted:
        part = min(bank[0][1], wanted - taken)
        bank[0][1] -= part
        taken += part
        if bank[0][1] <= 0:
            bank.popleft()
    return taken
