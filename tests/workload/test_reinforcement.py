"""The split of an RL phase: both gangs keep up, and what a given split costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsim.catalog.library import load_catalog
from capsim.workload.reinforcement import generated_flops, phase_flops, split_chips
from capsim.workload.shape import shape_of

SPEEDS = st.floats(1.0, 1e5)


def test_three_tokens_for_each_trained_one() -> None:
    """600 trained and 900 generated tokens/s a chip, 3 for 1: 1/3 of the chips train 200 tokens/s a chip,
    2/3 generate 600, which is 3 times as many."""
    split = split_chips(600.0, 900.0, 3.0)
    assert split.trainer == pytest.approx(1 / 3)
    assert split.trained == pytest.approx(200.0)


@given(SPEEDS, SPEEDS, st.floats(0.1, 100.0), st.floats(0.01, 0.99))
def test_no_other_split_is_faster(trained: float, generated: float, ratio: float, other: float) -> None:
    best = split_chips(trained, generated, ratio)
    assert best.trainer * trained == pytest.approx((1 - best.trainer) * generated / ratio)
    assert split_chips(trained, generated, ratio, other).trained <= best.trained * (1 + 1e-9)


def test_flops_of_both_gangs() -> None:
    """Without attention a trained token costs 6 N and a generated one 2 N."""
    shape = shape_of(load_catalog().models["llama-3.1-70b"])
    assert generated_flops(shape, 0.0) == pytest.approx(2 * shape.active)
    assert phase_flops(shape, 0.0, 3.0) == pytest.approx(12 * shape.active)
    assert phase_flops(shape, 8192.0, 0.0) == pytest.approx(shape.training_flops(8192.0))
