"""Sia's program: its terms by hand, and its choice against every other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.policies import sia_program
from capsim.policies.sia import KEPT, choose, configurations, gains, options_of, padded, restart_factor
from capsim.policies.sia_program import GAP

pytest.importorskip("highspy", reason="highspy is not installed: make install")


def test_configurations_are_powers_of_two_in_a_node_and_whole_nodes() -> None:
    assert configurations(20, 8).tolist() == [1, 2, 4, 8, 16]
    assert configurations(12, 6).tolist() == [1, 2, 4, 6, 12]
    assert configurations(5, 8).tolist() == [1, 2, 4]
    assert configurations(3, 1).tolist() == [1, 2, 3]


def test_options_of_a_rigid_and_of_an_elastic_job_by_hand() -> None:
    """The rigid one has 2 chips of either type; goodput is 2 on the slow one, four times that on the fast.

    The elastic one does not scale at all in a fifth of its work: 1 / (0.2 + 0.8 / n) = 1, 5/3, 5/2 on 1, 2, 4
    chips, over the 5/3 of its own 2. The third type holds one chip, and the fourth it cannot use.
    """
    speed, chips, node = np.array([1.0, 0.25, 0.5, 0.0]), np.array([8, 8, 1, 8]), np.full(4, 4)
    rigid = options_of(2, speed, chips, node, None)
    assert (rigid.type.tolist(), rigid.chips.tolist()) == ([0, 1], [2, 2])
    assert (rigid.rate.tolist(), rigid.goodput.tolist()) == ([1.0, 0.25], [8.0, 2.0])
    elastic = options_of(2, speed, chips, node, (1, 4, 0.2))
    assert elastic.type.tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert elastic.chips.tolist() == [1, 2, 4, 1, 2, 4, 1]
    assert elastic.rate == pytest.approx([0.6, 1, 1.5, 0.15, 0.25, 0.375, 0.3])
    assert elastic.goodput == pytest.approx([4, 20 / 3, 10, 1, 5 / 3, 2.5, 2])


def test_an_elastic_job_may_always_have_its_own_size() -> None:
    found = options_of(3, np.ones(1), np.array([8]), np.array([8]), (2, 2, 0.0))
    assert found.chips.tolist() == [2, 3]
    assert found.goodput == pytest.approx([2, 3])


def test_the_restart_factor_by_hand() -> None:
    """Young: 1. Age 100, no restart at 20: 100 / 120; after two: 60 / 120; after six nothing is left."""
    age, restarts = np.array([19, 100, 100, 100]), np.array([0, 0, 2, 6])
    assert restart_factor(age, restarts, 20).tolist() == [1, 100 / 120, 0.5, 0]
    assert restart_factor(age, restarts, 0).tolist() == [1, 1, 1, 1]


def test_gains_by_hand() -> None:
    """Goodput 1 and 4, r = 1/4: 1.1 − 1 and 1.1 − 1 elsewhere; who holds the second option has 1.1 − 1/2."""
    goodput = np.array([[1.0, 4.0, 0.0]] * 2)
    found = gains(goodput, np.array([1.0, 0.25]), np.array([-1, 1]))
    assert found == pytest.approx(np.array([[0.1, 0.6, -np.inf], [-0.9, 0.6 + KEPT, -np.inf]]))
    assert gains(goodput, np.ones(2), np.array([-1, -1]), 1.0, 0.5)[0] == pytest.approx([1.5, 4.5, -np.inf])


def test_two_small_jobs_are_worth_more_than_a_large_one() -> None:
    """On 4 chips 2 × (1.1 − 1/√2) beats 1.1 − 1/2; FCFS would run the gang, submitted first."""
    rows = [options_of(size, np.ones(1), np.array([4]), np.array([4]), None) for size in (4, 2, 2)]
    kind, held, _, goodput = padded(rows)
    found = choose(gains(goodput, np.ones(3), np.full(3, -1)), held, kind, np.array([4]))
    assert found.option.tolist() == [-1, 0, 0]
    assert found.value == pytest.approx(2 * (1.1 - 0.5**0.5))


def test_the_fast_type_goes_to_who_gains_most_there() -> None:
    """Normalised goodputs 1/0.9 and 1, 5 and 1: 1 + 1/√5 costs less than √0.9 + 1, though job 0 came first."""
    speeds = np.array([[1.0, 0.9], [1.0, 0.2]])
    rows = [options_of(1, speed, np.array([1, 1]), np.array([1, 1]), None) for speed in speeds]
    kind, held, _, goodput = padded(rows)
    found = choose(gains(goodput, np.ones(2), np.full(2, -1)), held, kind, np.array([1, 1]))
    assert found.option.tolist() == [1, 0]
    assert found.value == pytest.approx(2.2 - 1 - 5**-0.5)


def test_alike_jobs_are_served_in_their_order() -> None:
    """Three of one class on a fast and a slow chip: the first has the fast one, the last waits."""
    rows = [options_of(1, np.array([1.0, 0.5]), np.array([1, 1]), np.array([1, 1]), None)]
    kind, held, _, goodput = padded(rows)
    gain = gains(goodput, np.ones(1), np.array([-1]))
    found = choose(gain, held, kind, np.array([1, 1]), np.zeros(3, dtype=np.int64))
    assert found.option.tolist() == [0, 1, -1]


def test_nobody_and_nothing_to_gain() -> None:
    none = choose(np.empty((0, 0)), np.empty((0, 0), int), np.empty((0, 0), int), np.array([4]))
    assert (none.option.tolist(), none.value) == ([], 0.0)
    unwilling = choose(np.array([[-0.5]]), np.array([[1]]), np.array([[0]]), np.array([4]))
    assert (unwilling.option.tolist(), unwilling.value, unwilling.bound) == ([-1], 0.0, 0.0)


JOB = st.tuples(
    st.integers(1, 8),
    st.sampled_from([(1.0, 0.25), (0.4, 1.0), (1.0, 0.0), (0.7, 0.6)]),
    st.booleans(),
    st.floats(0.2, 1.0),
    st.sampled_from([-1, 0]),
)


@pytest.mark.parametrize(
    "limits",
    [{}, {"DIRECT": 0}, {"DIRECT": 0, "MOST_STEPS": 1, "CORE": 1}],
    ids=["whole", "prices", "poor prices"],
)
@settings(max_examples=60, deadline=None)
@given(st.lists(JOB, min_size=1, max_size=4), st.tuples(st.integers(1, 8), st.integers(1, 8)))
def test_no_choice_of_all_is_better(limits: dict[str, int], jobs: list[tuple], room: tuple[int, int]) -> None:
    """The whole program exactly; by prices and a core to the stated gap; the bound is one.

    Prices of one step are far off, so that the first core is not enough.
    """
    chips = np.array(room)
    jobs = [row for row in jobs if any(s > 0 and row[0] <= c for s, c in zip(row[1], room, strict=True))]
    rows = [
        options_of(size, np.array(speed), chips, np.array([4, 4]), (1, 8, 0.1) if elastic else None)
        for size, speed, elastic, _, _ in jobs
    ]
    if not rows:
        return
    kind, held, _, goodput = padded(rows)
    gain = gains(goodput, np.array([row[3] for row in jobs]), np.array([row[4] for row in jobs]))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in limits.items():
            patch.setattr(sia_program, name, value)
        found = choose(gain, held, kind, chips)
    best = 0.0
    for options in itertools.product(*([-1, *np.flatnonzero(np.isfinite(row))] for row in gain)):
        taken = [(job, option) for job, option in enumerate(options) if option >= 0]
        used = np.zeros(2)
        for pair in taken:
            used[kind[pair]] += held[pair]
        if np.all(used <= chips):
            best = max(best, sum(float(gain[pair]) for pair in taken))
    used = np.zeros(2)
    for job, option in enumerate(found.option.tolist()):
        if option >= 0:
            used[kind[job, option]] += held[job, option]
    assert np.all(used <= chips)
    assert found.bound >= best - 1e-9
    assert found.value <= best + 1e-9
    assert found.value >= best - (GAP * found.bound if limits else 1e-9)


def test_a_core_at_poor_prices_is_widened(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of four gangs of 5 to 8 chips fits on 8; the largest gains most, 1.1 − 1/√8.

    At the first prices, half the gain a chip of the smallest gang, gangs gain less the larger they are: .327,
    .300, .264, .223. So in their order the smallest is served. The first core leaves the two that lose most
    settled, with 11 chips: nobody can be served so, and the search goes on with all four.
    """
    for name, value in (("DIRECT", 0), ("MOST_STEPS", 1), ("CORE", 1)):
        monkeypatch.setattr(sia_program, name, value)
    rows = [options_of(size, np.ones(1), np.array([8]), np.array([8]), None) for size in (5, 6, 7, 8)]
    kind, held, _, goodput = padded(rows)
    found = choose(gains(goodput, np.ones(4), np.full(4, -1)), held, kind, np.array([8]))
    assert found.option.tolist() == [-1, -1, -1, 0]
    assert found.value == pytest.approx(1.1 - 8**-0.5)


def test_a_thousand_unlike_jobs_are_within_the_stated_gap() -> None:
    rng = np.random.default_rng(3)
    chips, node = np.array([80, 60, 90]), np.full(3, 8)
    rows = [
        options_of(int(2 ** rng.integers(0, 5)), rng.uniform(0.1, 1, 3), chips, node, (1, 32, 0.05))
        for _ in range(1000)
    ]
    kind, held, _, goodput = padded(rows)
    found = choose(gains(goodput, np.ones(1000), np.full(1000, -1)), held, kind, chips)
    runs = np.flatnonzero(found.option >= 0)
    used = np.bincount(
        kind[runs, found.option[runs]], weights=held[runs, found.option[runs]], minlength=len(chips)
    )
    assert np.all(used <= chips)
    assert 0 <= found.bound - found.value <= GAP * found.bound
