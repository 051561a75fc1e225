"""Rounds of Gavel by hand, and conservation of work on random cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.engine.gavel_rounds import GavelRounds, run_gavel
from capsim.engine.replay_jobs import Columns, Done
from capsim.engine.rounds import Progress

pytest.importorskip("highspy", reason="highspy is not installed: make install")

ROUND = 360_000


def jobs_of(*rows: tuple[float, int, float]) -> Columns:
    """Submission, size, run time; times in rounds."""
    submit, size, run = (np.array(column) for column in zip(*rows, strict=True))
    time = (run * ROUND).astype(np.int64)
    return Columns((submit * ROUND).astype(np.int64), size.astype(np.int64), time, time)


def gavel(
    objective: str, jobs: Columns, speed: np.ndarray, chips: np.ndarray, restart: int = 0, **tenants: Any
) -> Done:
    return run_gavel(objective, Progress(jobs, ROUND, restart), speed, chips, **tenants)


def in_rounds(times: np.ndarray) -> list[float]:
    return (times / ROUND).tolist()


def test_two_jobs_take_turns_on_one_chip() -> None:
    """Shares of a half: A, B, A (ends), B (ends). Each is paused once."""
    done = gavel("max-min", jobs_of((0, 1, 2), (0, 1, 2)), np.ones((2, 1)), np.array([1]))
    assert in_rounds(done.start) == [0, 1]
    assert in_rounds(done.end) == [3, 4]
    assert in_rounds(done.wait) == [1, 2]
    assert done.preemptions.tolist() == [1, 1]
    assert done.unused == {"wanted": 0.0, "busy": 1.0}


def test_tenants_by_their_shares() -> None:
    """One chip; a's share is 3, b's 1, so the time is to be 3/4 and 1/4: A, B, A, A (ends), B (ends). Alike they
    take turns: A, B, A, B (ends), A (ends)."""
    jobs, alone = jobs_of((0, 1, 3), (0, 1, 2)), (np.ones((2, 1)), np.array([1]))
    weighted = gavel("max-min", jobs, *alone, tenant=np.array([0, 1]), weights=np.array([3.0, 1.0]))
    assert in_rounds(weighted.end) == [4, 5]
    assert in_rounds(gavel("max-min", jobs, *alone).end) == [5, 4]


def test_jobs_of_a_tenant_divide_its_weight() -> None:
    """a's two jobs have a quarter of the chip each, b's one a half."""
    rounds = GavelRounds(
        "max-min", np.ones(3, dtype=np.int64), np.ones((3, 1)), np.array([1]), np.array([0, 0, 1]), np.ones(2)
    )
    active = np.arange(3)
    progress = Progress(jobs_of((0, 1, 1), (0, 1, 1), (0, 1, 1)), ROUND, 0)
    rounds.place(0, active, True, progress)
    assert rounds.share.ravel() == pytest.approx([0.25, 0.25, 0.5])


def test_a_restart_costs_its_time() -> None:
    """As above with a tenth of a round for each resumption: A has 0.1 left after round 2, waits for B's turn
    (rounds 3), and needs 0.1 + 0.1 in round 4; B the same in round 5."""
    done = gavel("max-min", jobs_of((0, 1, 2), (0, 1, 2)), np.ones((2, 1)), np.array([1]), ROUND // 10)
    assert in_rounds(done.end) == pytest.approx([4.2, 5.2])
    assert done.lost.tolist() == [2 * ROUND // 10] * 2


def test_chips_of_a_job_that_ends_are_given_out_at_the_next_round() -> None:
    """A ends after half a round, B comes at a quarter and starts at 1."""
    done = gavel("max-min", jobs_of((0, 1, 0.5), (0.25, 1, 1)), np.ones((2, 1)), np.array([1]))
    assert in_rounds(done.start) == [0, 1]
    assert in_rounds(done.end) == [0.5, 2]


def test_an_idle_machine_waits_for_the_next_round_after_a_submission() -> None:
    done = gavel("max-min", jobs_of((0, 1, 1), (7.5, 1, 1)), np.ones((2, 1)), np.array([1]))
    assert in_rounds(done.start) == [0, 8]


def test_speed_and_type_decide_the_end() -> None:
    """Throughput: job 1, which is slow on the slow chip, has the fast one; job 0 works at 0.5 for 4 rounds."""
    speed = np.array([[1.0, 0.5], [1.0, 0.1]])
    done = gavel("throughput", jobs_of((0, 1, 2), (0, 1, 4)), speed, np.array([1, 1]))
    assert in_rounds(done.end) == [4, 4]
    assert done.preemptions.tolist() == [0, 0]


def test_chips_without_a_share_go_to_whoever_can_use_them() -> None:
    """Max-min is bound by the small job's level of 1, reached with a quarter of the gang's time; the gang runs on."""
    done = gavel("max-min", jobs_of((0, 4, 3), (0, 1, 3)), np.ones((2, 1)), np.array([8]))
    assert in_rounds(done.end) == [3, 3]


def test_knowing_speeds_beats_not_knowing_them() -> None:
    """Twelve equal jobs of each of three kinds, on ten chips of two types."""
    speed = np.repeat([[4.0, 1.0], [3.0, 1.0], [2.0, 1.0]], 12, axis=0) / 4
    jobs = jobs_of(*[(0.0, 1, 10.0)] * 36)
    chips = np.array([10, 10])
    aware, agnostic = (gavel(name, jobs, speed, chips) for name in ("max-min", "agnostic"))
    assert aware.end.max() < agnostic.end.max()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.sampled_from([1, 2, 4]), st.integers(1, 40), st.integers(0, 2)),
        min_size=1,
        max_size=10,
    ),
    st.sampled_from(["max-min", "throughput", "agnostic"]),
)
def test_every_job_ends_with_its_work_done(rows: list[tuple[int, int, int, int]], objective: str) -> None:
    rows = sorted(rows)
    jobs = jobs_of(*((submit / 4, size, run / 4) for submit, size, run, _ in rows))
    jobs = jobs._replace(submit=jobs.submit - jobs.submit[0])
    kinds = np.array([[1.0, 0.5, 0.0], [0.8, 0.0, 0.4], [0.25, 0.25, 1.0]])
    speed = kinds[[kind for _, _, _, kind in rows]]
    chips = np.array([4, 4, 4])
    done = gavel(objective, jobs, speed, chips)
    assert np.all(done.start >= jobs.submit)
    held = done.end - jobs.submit - done.wait
    fastest, slowest = speed.max(axis=1), np.where(speed > 0, speed, np.inf).min(axis=1)
    assert np.all(held >= np.floor(jobs.run / fastest)) and np.all(held <= np.ceil(jobs.run / slowest))
    assert np.all(done.wait >= 0)
    assert done.unused["busy"] == pytest.approx((held * jobs.size).sum() / (12 * done.end.max()))
    assert done.unused["busy"] + done.unused["wanted"] <= 1 + 1e-9
