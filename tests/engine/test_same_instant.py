"""Other orders of what happens at one instant: by hand, and ``together`` against the kernel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.engine.replay import starts_of
from capsim.engine.replay_jobs import Columns
from capsim.engine.replay_policies import parse_policy
from capsim.engine.same_instant import starts_by
from capsim.errors import InputError

CHIPS = 6
JOBS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, CHIPS), st.integers(1, 4), st.integers(0, 2)),
    min_size=1,
    max_size=14,
)
"""Gap, size, run time, requested time less run time: many events at the same instants."""


def columns(rows: list[tuple[int, int, int, int]]) -> Columns:
    gap, size, run, more = (np.array(values, dtype=np.int64) for values in zip(*rows, strict=True))
    return Columns(np.cumsum(gap) - gap[0], size, run, run + more)


def starts(order: str, policy: str, jobs: Columns, chips: int = CHIPS) -> list[int]:
    return starts_by(order, parse_policy(policy), False, jobs, chips).tolist()


@settings(max_examples=200, deadline=None)
@given(JOBS, st.sampled_from(["fcfs", "easy"]))
def test_together_is_what_the_kernel_does(rows: list[tuple[int, int, int, int]], policy: str) -> None:
    jobs = columns(rows)
    assert starts("together", policy, jobs) == starts_of(policy, *jobs, CHIPS).tolist()


def test_a_pass_between_ends_lets_a_short_job_in() -> None:
    """4 chips under EASY. A (2 chips) and B (2 chips) both run 0–10; B has asked for 30.
    H (4 chips) and S (2 chips, 10 ms) wait from 5.

    together: at 10 all 4 chips are free: H 10–20, S at 20.
    one-by-one: after A's end H's shadow is 30, B's estimate; S ends by then and starts at 10; H waits until 20.
    """
    jobs = Columns(
        *(
            np.array(v, dtype=np.int64)
            for v in ([0, 0, 5, 5], [2, 2, 4, 2], [10, 10, 10, 10], [10, 30, 10, 10])
        )
    )
    assert starts("together", "easy", jobs, 4) == [0, 0, 10, 20]
    assert starts("ends-first", "easy", jobs, 4) == [0, 0, 10, 20]
    assert starts("one-by-one", "easy", jobs, 4) == [0, 0, 20, 10]


def test_submissions_first_uses_chips_before_the_ends() -> None:
    """4 chips under EASY. A (3 chips) runs 0–10 and has asked for 20; H (4 chips) waits from 5, its shadow is 20.
    At 10 A ends and S (1 chip, 10 ms) is submitted.

    submissions-first: S ends by 20 and starts at 10 on the free chip; A ends; H starts at 20.
    together, ends-first, one-by-one: A's end starts H at 10; S at 20.
    """
    jobs = Columns(
        *(np.array(v, dtype=np.int64) for v in ([0, 5, 10], [3, 4, 1], [10, 10, 10], [20, 10, 10]))
    )
    assert starts("submissions-first", "easy", jobs, 4) == [0, 20, 10]
    for order in ("together", "ends-first", "one-by-one"):
        assert starts(order, "easy", jobs, 4) == [0, 10, 20]


def test_only_where_it_is_defined() -> None:
    jobs = columns([(0, 1, 1, 0)])
    for order, policy, topology in (
        ("backwards", "easy", False),
        ("ends-first", "sjf", False),
        ("ends-first", "easy", True),
    ):
        with pytest.raises(InputError):
            starts_by(order, parse_policy(policy), topology, jobs, CHIPS)
