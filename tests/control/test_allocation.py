"""Chips that services may use beside named runs, and replicas given to places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.control.allocation import allocate, take_stock
from capsim.kernel.accounts import CHIP_TIME
from capsim.kernel.api import Cluster
from capsim.kernel.layout import Classes, Layout, make_jobs
from capsim.kernel.reserving import Reservation
from capsim.kernel.stock import keep_off_windows


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


def test_services_may_not_use_what_is_reserved() -> None:
    """Two sites of four domains of 8 chips. At 2 two windows over the same two domains of site 0 are live, and
    one of a domain of site 1 is not announced. A run of kind 0 holds 5 chips in one of the two domains.
    """
    layout = Layout()
    for _ in range(2):
        layout.tranche(layout.site(layout.pool(8)), 4)
    classes = Classes(2)
    classes.add(kind=0, speed={0: 1.0})
    jobs = make_jobs(np.array([0]), np.array([100]), np.array([5]))
    asked = [
        Reservation(0, 0, 200, domains=2, classes=[0]),
        Reservation(0, 300, 400, domains=1),
        Reservation(1, 10, 20, domains=1, announced=5),
    ]
    cluster = Cluster(layout, jobs, classes, reservations=asked)
    for tranche in range(2):
        cluster.activate(tranche)
    cluster.advance(2)

    def left(at_first: list[int], kinds: list[int]) -> list[int]:
        available = np.array(at_first, dtype=np.int64)
        keep_off_windows(cluster.address, np.array(kinds, dtype=np.int64), available)
        return available.tolist()

    assert left([32, 32], [3]) == [16, 32]
    assert left([27, 32], [0, 1]) == [27 - 11, 32]  # the run's 5 chips are off already
    assert left([10, 0], [0, 1]) == [0, 0]
    cluster.advance(6)
    assert left([27, 32], [0]) == [27 - 11, 24]
    cluster.advance(500)
    assert left([32, 32], [0]) == [32, 32]


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
