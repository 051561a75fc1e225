"""Statistics against tabulated truth and against implementations that are obvious."""

from __future__ import annotations

import itertools
import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.study import statistics, student
from capsim.study.statistics import mean, moved_mean

# Two-sided 95 % and 99 % quantiles of Student's t: NIST/SEMATECH e-Handbook, table 1.3.6.7.2.
TABLE = [
    (0.95, 1, 12.706),
    (0.95, 2, 4.303),
    (0.95, 4, 2.776),
    (0.95, 9, 2.262),
    (0.95, 15, 2.131),
    (0.95, 31, 2.040),
    (0.95, 100, 1.984),
    (0.99, 1, 63.657),
    (0.99, 5, 4.032),
    (0.99, 30, 2.750),
    (0.90, 10, 1.812),
]


@pytest.mark.parametrize(("level", "freedom", "expected"), TABLE)
def test_quantiles_equal_the_table(level: float, freedom: int, expected: float) -> None:
    assert student.quantile(level, freedom) == pytest.approx(expected, abs=6e-4)


def test_p_of_one_degree_of_freedom_is_cauchy() -> None:
    for t in (0.0, 0.3, 1.0, 7.0, 1e4):
        assert student.two_sided_p(t, 1) == pytest.approx(1 - 2 / math.pi * math.atan(t), rel=1e-9)


def test_p_of_two_degrees_of_freedom_has_a_closed_form() -> None:
    for t in (0.1, 1.0, 4.303, 50.0):
        assert student.two_sided_p(t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), rel=1e-9)


def test_quantile_inverts_p() -> None:
    for freedom in (1, 3, 399):
        assert student.two_sided_p(student.quantile(0.95, freedom), freedom) == pytest.approx(0.05, rel=1e-9)


def test_mean_of_known_numbers() -> None:
    found = statistics.mean(np.array([1.0, 2.0, 3.0, 4.0]))
    assert found.value == 2.5
    assert found.half == pytest.approx(3.182 * math.sqrt(5 / 3) / 2, rel=1e-3)


def test_one_run_has_no_interval() -> None:
    assert math.isnan(statistics.mean(np.array([3.0])).half)
    assert math.isnan(statistics.paired_p(np.array([3.0]), np.array([1.0])))


def test_interval_covers_the_truth_in_95_of_100() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(2000):
        found = statistics.mean(rng.normal(5.0, 2.0, size=8))
        covered += abs(found.value - 5.0) <= found.half
    assert 0.935 <= covered / 2000 <= 0.965


def test_paired_difference_sees_what_the_means_hide() -> None:
    rng = np.random.default_rng(2)
    world = rng.normal(100.0, 30.0, size=20)
    first, second = world + rng.normal(0, 0.5, 20), world + 2 + rng.normal(0, 0.5, 20)
    assert statistics.paired_p(first, second) < 1e-6
    assert statistics.mean(first).half > 10


def test_constant_differences() -> None:
    base = np.array([1.0, 2.0, 4.0])
    assert statistics.paired_p(base, base) == 1.0
    assert statistics.paired_p(base + 3, base) == 0.0


def obvious_holm(ps: list[float], alpha: float) -> list[bool]:
    """By closed testing with Bonferroni: a hypothesis falls when every set that contains it falls."""
    n = len(ps)
    sets = [s for k in range(1, n + 1) for s in itertools.combinations(range(n), k)]
    falls = {s: min(ps[i] for i in s) <= alpha / len(s) for s in sets}
    return [all(falls[s] for s in sets if i in s) for i in range(n)]


@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_holm_equals_closed_testing(ps: list[float]) -> None:
    assert statistics.holm(ps, 0.05) == obvious_holm(ps, 0.05)


def test_holm_never_rejects_unknown() -> None:
    assert statistics.holm([math.nan, 0.001]) == [False, True]


def test_ranks_are_shared_where_rows_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(3)
    world = rng.normal(100.0, 10.0, size=32)
    rows = [world, world + 50 + rng.normal(0, 5, 32), world + 50.2 + rng.normal(0, 5, 32), world + 90]
    assert statistics.ranks(rows) == [(1, False), (2, True), (2, True), (4, False)]


def test_a_single_row_is_first() -> None:
    assert statistics.ranks([np.array([1.0, 2.0])]) == [(1, False)]
    assert statistics.ranks([]) == []


def obvious_cvar(values: list[float], share: float) -> float:
    """Every value in 1,000 copies, the worst `share` of them averaged."""
    copies = sorted((v for v in values for _ in range(1000)), reverse=True)
    count = round(share * len(copies))
    return sum(copies[:count]) / count


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=60))
@settings(max_examples=100, deadline=None)
def test_cvar_weighs_the_boundary_run_fractionally(values: list[int]) -> None:
    found = statistics.cvar(np.array(values, dtype=float))
    assert found == pytest.approx(obvious_cvar([float(v) for v in values], 0.05), abs=1e-6)


def test_tail_names_what_it_is() -> None:
    few, many = statistics.tail(np.arange(32.0)), statistics.tail(np.arange(400.0))
    assert (few.value, few.kind) == (31.0, "worst of 32")
    assert (many.value, many.kind) == (pytest.approx(389.5), "CVaR95")


@given(
    st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan)), min_size=1, max_size=40), st.floats(0.01, 1)
)
@settings(max_examples=150, deadline=None)
def test_quantile_is_the_least_value_that_enough_do_not_exceed(values: list[float], q: float) -> None:
    found = statistics.order_quantile(np.array(values), q)
    reached = [v if not math.isnan(v) else math.inf for v in values]
    enough = [v for v in reached if sum(w <= v for w in reached) >= q * len(values) - 1e-6]
    assert found == min(enough)


def test_never_reached_in_enough_runs_is_infinite() -> None:
    assert statistics.order_quantile(np.array([1.0, math.nan]), 0.9) == math.inf
    assert statistics.order_quantile(np.array([1.0, math.nan]), 0.5) == 1.0


def test_regret_is_to_the_best_of_each_run() -> None:
    found = statistics.regret([np.array([1.0, 5.0]), np.array([3.0, 2.0])])
    assert found == [(1.5, 3.0), (1.0, 2.0)]


def test_concentration() -> None:
    assert statistics.concentration([5.0]) == 1e4
    assert statistics.concentration([1.0, 1.0, 2.0]) == pytest.approx(3750)
    assert math.isnan(statistics.concentration([0.0]))


def test_a_mean_moved_in_every_world_is_the_mean_of_the_moved() -> None:
    base, change = np.array([3.0, 5.0, 4.0, 9.0]), np.array([1.0, -1.0, 0.5, -2.0])
    assert astuple(moved_mean(base, change)) == pytest.approx(astuple(mean(base + change)))
    assert math.isnan(moved_mean(base, change[:1]).half)


@pytest.mark.parametrize("slope", [-0.9, 0.0, 0.5])
def test_a_mean_moved_in_some_worlds_has_its_interval(slope: float) -> None:
    """In 19 of 20 samples the interval holds the truth, whether or not the change goes with the base."""
    random = np.random.default_rng(7)
    held = 0
    for _ in range(2000):
        base = random.normal(10.0, 2.0, 16)
        change = slope * (base[:8] - 10.0) + random.normal(1.0, 0.5, 8)
        found = moved_mean(base, change)
        held += abs(found.value - 11.0) <= found.half
    assert 0.93 < held / 2000 < 0.99
