"""Rounds of Sia by hand, and conservation of chips and work on random cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.engine.gavel_rounds import run_gavel
from capsim.engine.replay_jobs import Columns, Done
from capsim.engine.replay_types import Types
from capsim.engine.rounds import Placement, Progress, run_rounds
from capsim.engine.sia_rounds import SiaRounds, run_sia
from capsim.workload.traces.model import Ints

pytest.importorskip("highspy", reason="highspy is not installed: make install")

ROUND = 360_000
Elastic = tuple[int, int, float] | None


def jobs_of(*rows: tuple[float, int, float]) -> Columns:
    """Submission, size, run time; times in rounds."""
    submit, size, run = (np.array(column) for column in zip(*rows, strict=True))
    time = (run * ROUND).astype(np.int64)
    return Columns((submit * ROUND).astype(np.int64), size.astype(np.int64), time, time)


def types_of(chips: list[int], speed: list[list[float]], elastic: list[Elastic], restart: int = 0) -> Types:
    """Types of nodes of 4 chips; a row of ``speed`` is a class."""
    names = tuple("abc"[: len(chips)])
    classes = tuple(f"class {index}" for index in range(len(speed)))
    return Types(
        names, np.array(chips), classes, np.array(speed), np.empty(0, dtype=np.int64), ROUND, restart,
        np.full(len(chips), 4), tuple(elastic),
    )  # fmt: skip


def sia(jobs: Columns, types: Types, group: Ints) -> Done:
    return run_sia(Progress(jobs, ROUND, types.restart_ms), SiaRounds(types, jobs.size, group))


def in_rounds(times: np.ndarray) -> list[float]:
    return (times / ROUND).tolist()


def test_two_elastic_jobs_share_the_machine() -> None:
    """4 chips, two jobs of 3 rounds on all 4 that scale perfectly. Both begin with 1 chip, then have 2 each:
    3 − 0.25 − 0.5 × t = 0 at t = 5.5, so both end at 6.5. FCFS ends them at 3 and 6, Gavel, who lets them take
    turns, at 5 and 6."""
    jobs, group = jobs_of((0, 4, 3), (0, 4, 3)), np.zeros(2, dtype=np.int64)
    done = sia(jobs, types_of([4], [[1.0]], [(1, 4, 0.0)]), group)
    assert in_rounds(done.start) == [0, 0]
    assert in_rounds(done.end) == [6.5, 6.5]
    assert done.preemptions.tolist() == [1, 1]
    assert done.unused["busy"] == pytest.approx((1 * 2 + 5.5 * 4) / (4 * 6.5))
    gavel = run_gavel("max-min", Progress(jobs, ROUND, 0), np.ones((2, 1)), np.array([4]))
    assert sorted(in_rounds(gavel.end)) == [5, 6]


def test_a_job_alone_doubles_its_chips_until_it_has_the_most() -> None:
    """1, 2, 4, 8 chips of 8: speeds 1/8, 1/4, 1/2 and 1; 4 − 7/8 rounds are left for all 8."""
    done = sia(jobs_of((0, 8, 4)), types_of([8], [[1.0]], [(1, 8, 0.0)]), np.zeros(1, dtype=np.int64))
    assert in_rounds(done.end) == [3 + 4 - 0.875]
    assert done.preemptions.tolist() == [3]


def test_rigid_small_jobs_go_before_a_gang() -> None:
    """The gang of 4 came first; two jobs of 2 are worth more together, and keep their chips to their end."""
    jobs, group = jobs_of((0, 4, 2), (0, 2, 2), (0, 2, 1.5)), np.zeros(3, dtype=np.int64)
    done = sia(jobs, types_of([4], [[1.0]], [None]), group)
    assert in_rounds(done.start) == [2, 0, 0]
    assert in_rounds(done.end) == [4, 2, 1.5]
    assert done.preemptions.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("restart", "moves"), [(ROUND // 20, True), (ROUND // 2, False)])
def test_a_restart_keeps_a_job_where_it_is(restart: int, moves: bool) -> None:
    """Job 1 runs at 0.8 while job 0, which gains more, has the fast chip for one round. Then it may move at r.

    At a cost of 1/20: r = 1 / 1.05, 1/√(0.95 × 1.25) = 0.92 < 1: it moves and ends 0.05 + (2 − 0.8) later.
    At 1/2: r = 1 / 1.5, 1/√(0.67 × 1.25) = 1.09 > 1, and later r is 2 / 2.5 = 0.8, no gain either: it stays and
    needs 2 / 0.8 rounds.
    """
    jobs, group = jobs_of((0, 1, 1), (0, 1, 2)), np.array([0, 1])
    types = types_of([1, 1], [[1.0, 0.2], [1.0, 0.8]], [None, None], restart)
    done = sia(jobs, types, group)
    assert in_rounds(done.end) == pytest.approx([1, 2.25 if moves else 2.5])
    assert done.preemptions.tolist() == [0, int(moves)]
    assert done.lost.tolist() == [0, restart if moves else 0]


def test_a_restart_longer_than_a_round_is_paid_in_full() -> None:
    """1 chip, then 2 for good: 2.5 rounds are lost in between, 2 − 0.5 are left at full speed."""
    types = types_of([2], [[1.0]], [(1, 2, 0.0)], 5 * ROUND // 2)
    rounds = SiaRounds(types, np.array([2]), np.array([0]))
    state = Progress(jobs_of((0, 2, 2)), ROUND, types.restart_ms)
    done = run_rounds(rounds, state, types.chips)
    assert in_rounds(done.end) == [1 + 2.5 + 1.5]
    assert done.lost.tolist() == [5 * ROUND]
    assert state.restarts.tolist() == [1]


class Watched(SiaRounds):
    """Rounds that note who held what."""

    def place(self, now: int, active: Ints, changed: bool, state: Progress) -> Placement:
        placed = super().place(now, active, changed, state)
        kind = self.kind_in[placed.jobs, 0]
        used = np.bincount(
            self.option_type[kind, placed.held], weights=placed.chips, minlength=len(self.types.chips)
        )
        assert np.all(used <= self.types.chips)
        assert np.array_equal(self.types.chips - used, placed.free)
        assert len(set(placed.jobs.tolist())) == len(placed.jobs)
        assert set(placed.jobs.tolist()) <= set(active.tolist())
        return placed


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.sampled_from([1, 2, 3, 4]), st.integers(1, 20), st.integers(0, 2)),
        min_size=1,
        max_size=10,
    ),
    st.sampled_from([0, ROUND // 12, 2 * ROUND]),
)
def test_chips_and_work_are_conserved(rows: list[tuple[int, int, int, int]], restart: int) -> None:
    rows = sorted(rows)
    jobs = jobs_of(*((submit / 4, size, run / 4) for submit, size, run, _ in rows))
    jobs = jobs._replace(submit=jobs.submit - jobs.submit[0])
    group = np.array([row[3] for row in rows])
    types = types_of(
        [4, 8, 4],
        [[1.0, 0.5, 0.0], [0.8, 0.0, 0.4], [0.25, 0.25, 1.0]],
        [None, (1, 4, 0.1), (2, 8, 0.0)],
        restart,
    )
    state = Progress(jobs, ROUND, restart)
    done = run_rounds(Watched(types, jobs.size, group), state, types.chips)
    assert np.all(done.start >= jobs.submit)
    assert np.all(done.end > done.start)
    assert np.all(state.left <= 1e-6)
    assert np.all(state.left > -8.0)  # a job ends on the next millisecond, at a speed of up to 8
    assert np.all(done.wait >= 0)
    assert np.array_equal(state.ran, done.end - jobs.submit - done.wait)
    assert done.unused["busy"] == pytest.approx(state.chip_ms.sum() / (16 * done.end.max()))
    again = sia(jobs, types, group)
    assert all(np.array_equal(a, b) for a, b in zip(done[:5], again[:5], strict=True))
