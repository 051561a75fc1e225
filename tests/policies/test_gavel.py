"""Gavel's programs: by hand, against a grid of all allocations, and decomposition against the whole program."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from capsim.errors import CapsimError, InputError
from capsim.policies import gavel
from capsim.policies.gavel import OBJECTIVES, allocate
from capsim.policies.gavel_program import new_solver, solve

pytest.importorskip("highspy", reason="highspy is not installed: make install")

PAPER = np.array([[4.0, 1.0], [3.0, 1.0], [2.0, 1.0]])
"""Three jobs that profit from the fast type 4, 3 and 2 times: the example of section 4.1 of the OSDI paper."""


def ratios(speed: np.ndarray, shares: np.ndarray, chips: np.ndarray) -> np.ndarray:
    """Each job's speed over that of equal shares of all types."""
    return (speed * shares).sum(axis=1) / (speed @ (chips / chips.sum()))


def test_three_jobs_share_two_chips_as_computed_by_hand() -> None:
    """With r the speeds over their sums (4/5; 3/4, 1/4; 2/3, 1/3), a, b, c the shares of the fast chip and d, e
    of the slow one for jobs 1 and 2, all full: 0.8 a = 0.75 b + 0.25 d = 2/3 c + 1/3 e = t, a + b + c = 1,
    d + e = 1, c + e = 1. So c = d = 3t − 1, b = 2 − 4.25 t, and t = 4/11. The paper prints these shares
    (0.45 0; 0.45 0.09; 0.09 0.91). The value is t over half: 8/11; thirds of both chips give 2/3 each, so
    everyone is 9 % better off.
    """
    chips = np.array([1, 1])
    found = allocate("max-min", PAPER, np.ones(3, dtype=np.int64), chips)
    assert found.value == pytest.approx(8 / 11)
    assert found.shares == pytest.approx(np.array([[5, 0], [5, 1], [1, 10]]) / 11, abs=1e-9)
    agnostic = allocate("agnostic", PAPER, np.ones(3, dtype=np.int64), chips)
    assert agnostic.value == pytest.approx(2 / 3)
    assert ratios(PAPER, agnostic.shares, chips).min() < ratios(PAPER, found.shares, chips).min()


def test_throughput_gives_each_type_to_whom_it_serves_best() -> None:
    """Job 0 loses little on the slow chip, job 1 much: 0.9 + 1."""
    speed = np.array([[1.0, 0.9], [1.0, 0.2]])
    found = allocate("throughput", speed, np.ones(2, dtype=np.int64), np.array([1, 1]))
    assert found.value == pytest.approx(1.9)
    assert found.shares == pytest.approx(np.array([[0, 1], [1, 0]]))


def test_fairness_is_per_chip() -> None:
    """4 chips; a gang of 4 and two jobs of 1: level 1 needs a quarter of the gang's time and all of the others'."""
    found = allocate("max-min", np.ones((3, 1)), np.array([4, 1, 1]), np.array([4]))
    assert found.value == pytest.approx(1.0)
    assert found.shares[:, 0] == pytest.approx([0.25, 1, 1], abs=1e-9) or found.shares[0, 0] >= 0.25


def test_weights_divide_the_level() -> None:
    """One chip: weights 3 and 1 get 3/4 and 1/4."""
    found = allocate("max-min", np.ones((2, 1)), np.array([1, 1]), np.array([1]), weight=np.array([3.0, 1.0]))
    assert found.shares[:, 0] == pytest.approx([0.75, 0.25])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_no_allocation_of_a_grid_is_better(objective: str) -> None:
    """Two jobs of 1 and 2 chips on two types, all shares in steps of a twentieth."""
    speed, size, chips = np.array([[1.0, 0.5], [0.7, 0.6]]), np.array([1, 2]), np.array([1, 2])
    found = allocate(objective, speed, size, chips)
    steps = np.arange(21) / 20
    best = -np.inf
    known = np.ones_like(speed) * [[1, 1], [0, 1]] if objective == "agnostic" else speed * [[1, 1], [0, 1]]
    for cells in itertools.product(steps, repeat=3):  # job 1 does not fit the single chip of type 0
        shares = np.array([[cells[0], cells[1]], [0.0, cells[2]]])
        if np.any(shares.sum(axis=1) > 1 + 1e-9) or np.any(size @ shares > chips + 1e-9):
            continue
        gains = size * (known * shares).sum(axis=1)
        level = (gains / (known @ (chips / 3))).min()
        best = max(best, gains.sum() if objective == "throughput" else level)
    assert found.value >= best - 1e-9
    assert found.value <= best + 0.1


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_decomposition_reaches_the_whole_program(objective: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    for _ in range(12):
        jobs, types = int(rng.integers(1, 40)), int(rng.integers(1, 6))
        speed = rng.uniform(0, 1, (jobs, types)) * (rng.random((jobs, types)) < 0.8)
        speed[:, 0] += 0.01
        size, chips = 2 ** rng.integers(0, 4, jobs), rng.integers(8, 40, types)
        monkeypatch.setattr(gavel, "DIRECT", 10**6)
        whole = allocate(objective, speed, size, chips)
        monkeypatch.setattr(gavel, "DIRECT", 0)
        parts = allocate(objective, speed, size, chips, gap=1e-7)
        assert parts.value == pytest.approx(whole.value, rel=2e-7)
        assert parts.value <= parts.bound + 1e-9
        for found in (whole, parts):
            assert np.all(found.shares >= 0) and np.all(found.shares.sum(axis=1) <= 1 + 1e-7)
            assert np.all(size @ found.shares <= chips * (1 + 1e-7))


def test_alike_jobs_get_alike_shares() -> None:
    found = allocate("max-min", PAPER[[0, 1, 0, 2, 1]], np.ones(5, dtype=np.int64), np.array([1, 1]))
    assert np.array_equal(found.shares[0], found.shares[2])
    assert np.array_equal(found.shares[1], found.shares[4])


def test_wrong_input_and_a_program_without_an_optimum() -> None:
    one = np.ones((1, 1))
    with pytest.raises(InputError, match="objective"):
        allocate("least", one, np.array([1]), np.array([1]))
    with pytest.raises(InputError, match="nowhere"):
        allocate("max-min", one, np.array([2]), np.array([1]))
    assert allocate("max-min", np.empty((0, 1)), np.empty(0, dtype=np.int64), np.array([1])).shares.shape == (
        0,
        1,
    )
    solver = new_solver()
    solver.addVar(0.0, 1.0)
    solver.addRow(2.0, 3.0, 1, np.array([0], dtype=np.int32), np.ones(1))
    with pytest.raises(CapsimError, match="no optimum"):
        solve(solver)
