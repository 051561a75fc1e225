"""Chips that services may use beside named runs, and replicas given to places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.control.allocation import allocate, take_stock
from capsim.kernel.accounts import CHIP_TIME


def chips(active: int, *, out: int = 0, broken: int = 0, spare: int = 0, runs: int = 0) -> NDArray[np.void]:
    """Chips of one place."""
    row = np.zeros(1, CHIP_TIME)
    row["active"], row["out"], row["broken"], row["spare"], row["free"] = active, out, broken, spare, 7
    row["allocated"][0, :4] = runs - runs // 4, runs // 4, 5, 11  # kinds 0 and 1 are named runs
    return row


def available(row: NDArray[np.void], reserve: int) -> tuple[int, int, int]:
    """Healthy and free chips, and those that services may use."""
    healthy, free, left = (np.zeros(1, dtype=np.int64) for _ in range(3))
    take_stock(row, np.array([0, 1]), np.array([reserve]), healthy, free, left)
    return int(healthy[0]), int(free[0]), int(left[0])


def test_services_may_use_what_works_and_no_run_holds() -> None:
    assert available(chips(1000, out=100, broken=20, spare=30, runs=200), 0) == (880, 7, 650)


def test_a_claim_is_kept_free_until_the_run_has_its_chips() -> None:
    assert available(chips(1000, runs=200), 300) == (1000, 7, 700)
    assert available(chips(1000, runs=100), 300) == (1000, 7, 0)  # less than half: the place is cleared


def test_a_service_takes_its_best_place_first_and_the_rest_from_the_next() -> None:
    wanted = np.zeros((2, 2), dtype=np.int64)
    left = np.array([20, 100], dtype=np.int64)
    allocate(
        np.array([50.0, 30.0]),
        np.array([[10.0, 5.0], [10.0, 10.0]]),
        np.array([[8, 8], [8, 8]], dtype=np.int64),
        np.array([[0, 1], [0, 1]], dtype=np.int64),
        np.array([0, 1], dtype=np.int64),
        left,
        wanted,
    )
    # two replicas of 8 fit in 20 chips: 20 tokens/s; the other 30 take 6 replicas at 5 tokens/s
    assert wanted.tolist() == [[2, 6], [0, 3]]
    assert left.tolist() == [4, 100 - 48 - 24]
