"""Keyed draws: reproducible, independent of order, correctly distributed."""

from __future__ import annotations

import numpy as np
import pytest

from capsim.randomness import (
    choose,
    exponential,
    factor_score,
    generator,
    normal,
    score_to_uniform,
    seed64,
    uniform,
)


def test_same_key_same_draw_and_parts_do_not_run_together() -> None:
    assert seed64(7, "a", 1) == seed64(7, "a", 1)
    different = {
        seed64(7, "a", 1),
        seed64(7, "a", "1"),
        seed64(7, "a1"),
        seed64(7, "a1", ""),
        seed64(71, "a"),
    }
    assert len(different) == 5


def test_draws_do_not_depend_on_order() -> None:
    first = [uniform(1, "x"), uniform(1, "y")]
    assert [uniform(1, "y"), uniform(1, "x")] == first[::-1]


def test_moments() -> None:
    u = np.array([uniform(3, i) for i in range(20_000)])
    assert u.mean() == pytest.approx(0.5, abs=0.01)
    assert u.var() == pytest.approx(1 / 12, rel=0.03)
    z = np.array([normal(3, i) for i in range(20_000)])
    assert z.mean() == pytest.approx(0.0, abs=0.03)
    assert z.std() == pytest.approx(1.0, rel=0.03)
    e = np.array([exponential(5.0, 3, i) for i in range(20_000)])
    assert e.mean() == pytest.approx(5.0, rel=0.03)


def test_generators_of_different_keys_are_uncorrelated() -> None:
    a, b = generator(1, "a").standard_normal(10_000), generator(1, "b").standard_normal(10_000)
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.04


def test_factor_score_has_the_asked_correlation() -> None:
    pairs = np.array(
        [[factor_score(0.5, (1, run, "f"), (1, run, o)) for o in ("a", "b")] for run in range(8_000)]
    )
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(0.5, abs=0.03)
    assert pairs.std() == pytest.approx(1.0, rel=0.03)


def test_correlation_one_gives_equal_scores() -> None:
    for run in range(50):
        assert factor_score(1.0, (run, "f"), (run, "a")) == factor_score(1.0, (run, "f"), (run, "b"))
    assert score_to_uniform(0.0) == 0.5


@pytest.mark.parametrize("count", [1, 2, 7, 60, 9000])
def test_choices_are_those_of_a_search_at_every_bound(count: int) -> None:
    rng = generator("choose", count)
    shares = np.where(rng.random(count) < 0.2, 0.0, rng.random(count))
    shares[0] += 0.1
    bounds = np.cumsum(shares / shares.sum())
    near = np.concatenate(
        [bounds, np.nextafter(bounds, 0.0), np.nextafter(bounds, 2.0), np.arange(4096) / 4096]
    )
    u = np.concatenate([near[near < 1.0], rng.random(20_000), [0.0, np.nextafter(1.0, 0.0)]])
    wanted = np.minimum(np.searchsorted(bounds, u, side="right"), count - 1)
    assert choose(shares, u).tolist() == wanted.tolist()
