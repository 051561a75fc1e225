"""Draws of days against resampling by hand, and the coverage of the intervals."""

from __future__ import annotations

import numpy as np
import pytest

from capsim.study.day_bootstrap import DAY_MS, Days, draw_days, mean_draws, middle, quantile_draws


def days_of(day: list[int], counts: list[list[float]]) -> Days:
    return Days(np.array(day, dtype=np.int64), np.array(counts), 1)


def test_means_and_quantiles_of_draws_by_hand() -> None:
    """Day 0 has jobs 1, 5 with weights 3, 1; day 1 has job 3 with weight 2. Draws: as it was, and day 0 twice."""
    days = days_of([0, 0, 1], [[1, 1], [2, 0]])
    values, weights = np.array([1.0, 5.0, 3.0]), np.array([3.0, 1.0, 2.0])
    assert mean_draws(days, values).tolist() == [3.0, 3.0]
    assert mean_draws(days, values, weights) == pytest.approx([14 / 6, 2.0])
    assert quantile_draws(days, values, (0.5, 0.99)).tolist() == [[3.0, 1.0], [5.0, 5.0]]
    assert quantile_draws(days, values, (0.5, 0.8), weights).tolist() == [[1.0, 1.0], [3.0, 5.0]]


def test_draws_are_blocks_of_consecutive_days_and_keyed_by_the_seed() -> None:
    submit = np.arange(27 * 4, dtype=np.int64) * (DAY_MS // 4)
    first, again, other = (draw_days(submit, seed, 50) for seed in (1, 1, 2))
    assert first is not None and again is not None and other is not None
    assert first.days == 27 and first.block == 3
    assert np.all(first.counts.sum(axis=1) == 27)
    assert np.array_equal(first.counts, again.counts)
    assert not np.array_equal(first.counts, other.counts)
    alone = (
        (first.counts > 0)
        & (np.roll(first.counts, 1, axis=1) == 0)
        & (np.roll(first.counts, -1, axis=1) == 0)
    )
    assert not alone.any()


def test_too_few_days_give_no_draws() -> None:
    assert draw_days(np.array([0, 4 * DAY_MS - 1]), 0) is None
    assert draw_days(np.empty(0, dtype=np.int64), 0) is None
    assert draw_days(np.array([0, 4 * DAY_MS]), 0) is not None


def test_many_jobs_are_binned_by_rank_within_a_two_thousandth() -> None:
    rng = np.random.default_rng(3)
    values = rng.exponential(size=30_000)
    days = days_of((np.arange(30_000) % 10).tolist(), [[1.0] * 10])
    found = quantile_draws(days, values, (0.5, 0.95, 0.99))[:, 0]
    for value, share in zip(found, (0.5, 0.95, 0.99), strict=True):
        assert share <= (values <= value).mean() <= share + 1 / 2000


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    """40 days, each with its own level: the interval of the mean has about the width of the normal one."""
    rng = np.random.default_rng(11)
    submit = np.repeat(np.arange(40, dtype=np.int64) * DAY_MS, 25)
    covered = 0
    for trial in range(100):
        values = np.repeat(rng.normal(size=40), 25) + rng.normal(size=1000)
        days = draw_days(submit, trial, 300)
        assert days is not None
        interval = middle(mean_draws(days, values))
        covered += interval.low <= 0.0 <= interval.high
    assert 83 <= covered <= 99
