"""Replay of one pool of interchangeable chips against the obvious scheduler."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.engine.replay import starts_of
from tests.oracles import named, scalar

POLICIES = ("fcfs", "easy", "conservative")
BY_HAND = [case for case in named.SCALAR if case.policy in POLICIES]


def starts(policy: str, jobs: list[scalar.Job] | tuple[scalar.Job, ...], chips: int) -> list[int]:
    """Starts by the kernel."""
    columns = np.array(jobs, dtype=np.int64).reshape(len(jobs), 4)
    submit, size, run, requested = (np.ascontiguousarray(columns[:, i]) for i in range(4))
    return starts_of(policy, submit, size, run, requested, chips).tolist()


@st.composite
def pools(draw: st.DrawFn) -> tuple[list[scalar.Job], int]:
    """Jobs with many ties and long queues, and the size of the pool."""
    chips = draw(st.sampled_from([1, 2, 3, 8, 64]))
    one = st.builds(
        scalar.Job,
        submit=st.integers(0, draw(st.sampled_from([0, 5, 40]))),
        size=st.integers(1, chips),
        run=st.integers(1, 12),
        requested=st.integers(1, 20),
    )
    jobs = draw(st.lists(one, min_size=1, max_size=30))
    return sorted(jobs, key=lambda job: job.submit), chips


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=150, deadline=None)
@given(pool=pools())
def test_replay_agrees_with_the_obvious_scheduler(policy: str, pool: tuple[list[scalar.Job], int]) -> None:
    jobs, chips = pool
    assert starts(policy, jobs, chips) == scalar.schedule(jobs, chips, policy)


@pytest.mark.parametrize(
    "case", [c for c in named.SCALAR if c.policy in POLICIES], ids=lambda case: case.name
)
def test_schedule_computed_by_hand(case: named.ScalarCase) -> None:
    assert tuple(starts(case.policy, case.jobs, case.chips)) == case.starts


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=60, deadline=None)
@given(pool=pools(), factor=st.sampled_from([2, 1000]), shift=st.integers(0, 10**9))
def test_scaled_and_shifted_time_scales_and_shifts_the_schedule(
    policy: str, pool: tuple[list[scalar.Job], int], factor: int, shift: int
) -> None:
    jobs, chips = pool
    scaled = [
        scalar.Job(j.submit * factor + shift, j.size, j.run * factor, j.requested * factor) for j in jobs
    ]
    plain = starts(policy, jobs, chips)
    assert starts(policy, scaled, chips) == [start * factor + shift for start in plain]


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=60, deadline=None)
@given(pool=pools(), factor=st.sampled_from([2, 7]))
def test_scaled_chips_change_nothing(policy: str, pool: tuple[list[scalar.Job], int], factor: int) -> None:
    jobs, chips = pool
    scaled = [job._replace(size=job.size * factor) for job in jobs]
    assert starts(policy, scaled, chips * factor) == starts(policy, jobs, chips)


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=60, deadline=None)
@given(pool=pools(), data=st.data())
def test_later_jobs_do_not_change_what_started_before_they_came(
    policy: str, pool: tuple[list[scalar.Job], int], data: st.DataObject
) -> None:
    jobs, chips = pool
    cut = data.draw(st.integers(1, len(jobs)))
    head = starts(policy, jobs[:cut], chips)
    whole = starts(policy, jobs, chips)
    until = jobs[cut].submit if cut < len(jobs) else None
    for alone, together in zip(head, whole, strict=False):
        assert alone == together or (until is not None and min(alone, together) >= until)


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=60, deadline=None)
@given(pool=pools())
def test_capacity_is_never_exceeded(policy: str, pool: tuple[list[scalar.Job], int]) -> None:
    jobs, chips = pool
    found = starts(policy, jobs, chips)
    changes: list[tuple[int, int]] = []
    for job, start in zip(jobs, found, strict=True):
        assert start >= job.submit
        changes += [(start, job.size), (start + min(job.run, job.requested), -job.size)]
    used = 0
    for _, change in sorted(changes):
        used += change
        assert 0 <= used <= chips
