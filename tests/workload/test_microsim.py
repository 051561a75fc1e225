"""The micro-simulation: exact against the obvious version, fast enough, and right where theory is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.workload.known import known
from capsim.workload.latency import (
    Engine,
    Latency,
    Lengths,
    Requests,
    _simulated,
    closed_form_tpot,
    draw_requests,
    iteration_times,
    measured,
    simulate,
)
from capsim.workload.layouts import Layout, replica_of
from capsim.workload.shape import shape_of
from capsim.workload.ticks import TICK
from tests.workload import naive_microsim


def engine_with(
    most: int, room: int, budget: int, base: int = 1000, slope: int = 70, context: int = 3
) -> Engine:
    """A small engine with round numbers of ticks."""
    step = base + slope * np.arange(most + 1, dtype=np.int64)
    return Engine(step, np.array([context, 11, 1, budget, room, most], dtype=np.int64))


def requests_of(rows: list[tuple[int, int, int, int]]) -> Requests:
    """Requests from (gap, computed, cached, outputs)."""
    gap, computed, cached, outputs = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    return Requests(np.cumsum(gap), computed, computed + cached, outputs)


request_rows = st.lists(
    st.tuples(st.integers(0, 6000), st.integers(1, 60), st.integers(0, 20), st.integers(1, 40)),
    min_size=1,
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(rows=request_rows, most=st.integers(1, 9), room=st.integers(1, 400), budget=st.integers(1, 70))
def test_equals_the_obvious_version_token_for_token(
    rows: list[tuple[int, int, int, int]], most: int, room: int, budget: int
) -> None:
    engine, requests = engine_with(most, room, budget), requests_of(rows)
    fast = simulate(engine, requests)
    times, iterations = naive_microsim.simulate(engine, requests)
    assert fast.first.tolist() == [t[0] for t in times]
    assert fast.finish.tolist() == [t[-1] for t in times]
    assert fast.iterations == iterations
    assert fast.decoded == sum(len(t) for t in times)


def test_equals_the_obvious_version_with_azure_lengths() -> None:
    engine = engine_with(64, 200_000, 2048, base=80_000_000_000, slope=50_000_000, context=40_000)
    requests = draw_requests(Lengths(1155, 211), rate=2.0, count=150, key=7)
    fast = simulate(engine, requests)
    times, _ = naive_microsim.simulate(engine, requests)
    assert fast.first.tolist() == [t[0] for t in times]
    assert fast.finish.tolist() == [t[-1] for t in times]


def test_one_request_takes_its_prompt_and_its_steps() -> None:
    engine = engine_with(4, 1000, 16)
    fast = simulate(engine, requests_of([(5, 20, 0, 3)]))
    first = 5 + (1000 + 11 * 16 + 16 * 16) + (1000 + 11 * 4 + 4 * (2 * 16 + 4))
    assert fast.first.tolist() == [first]
    assert fast.finish.tolist() == [first + (1070 + 3 * 21) + (1070 + 3 * 22)]


def test_replicas_that_take_hours_a_request_stay_on_the_clock() -> None:
    """Arrivals at 4e-4 a second run for months, beyond 64 bits of ticks: they wrapped to negative times."""
    engine = engine_with(4, 200_000, 2048, base=round(2.0 / TICK), slope=0, context=0)
    table = _simulated(engine, 4e-4, Lengths(1000, 1000))
    for row in table["ttft"] + table["tpot"]:
        assert 2.0 <= row[0] <= row[-1]
    requests = draw_requests(Lengths(10, 10), rate=1e-9, count=5, key=1)
    assert (requests.arrival >= 0).all() and (np.diff(requests.arrival) >= 0).all()


@pytest.mark.parametrize("load", [0.3, 0.5, 0.8])
def test_time_per_token_is_near_the_closed_form(load: float) -> None:
    """With short prompts TPOT follows from B = rate x outputs x step(B): within 10 % at 30 to 80 % load."""
    base, slope = 0.010, 0.0002
    step = np.round((base + slope * np.arange(513)) / TICK).astype(np.int64)
    engine = Engine(step, np.array([0, round(1e-7 / TICK), 0, 4096, 10**9, 512], dtype=np.int64))
    outputs = 200.0
    saturated = 1 / slope / outputs
    rate = load * saturated
    requests = draw_requests(Lengths(20, outputs), rate, 6000, key=3)
    _, tpot, _ = measured(requests, simulate(engine, requests), engine)
    closed = base / (1 - rate * outputs * slope)
    assert tpot.mean() == pytest.approx(closed, rel=0.10)


@pytest.mark.parametrize(
    ("model", "system", "layout"),
    [
        ("llama-3.1-8b", "h100_hgx", Layout(1)),
        ("llama-3.1-70b", "h100_hgx", Layout(2)),
        ("llama-3.1-405b", "gb300_nvl72", Layout(4)),
    ],
)
def test_replicas_are_near_the_closed_form(model: str, system: str, layout: Layout) -> None:
    """With the Azure chat lengths, mean TPOT within 10 % of the closed form at 30 to 80 % load."""
    catalog, lengths = known(), Lengths(1155, 211)
    spec = catalog.systems[system]
    replica = replica_of(shape_of(catalog.models[model]), catalog.chips[spec.chip], spec, "fp8", layout)
    most = replica.most_sequences(lengths.inputs + lengths.outputs / 2)
    saturated = replica.throughput(lengths.inputs, lengths.outputs, most) / lengths.outputs
    engine = iteration_times(replica, lengths, most)
    for load in (0.3, 0.5, 0.8):
        requests = draw_requests(lengths, load * saturated, 20_000, key=1)
        _, tpot, batch = measured(requests, simulate(engine, requests), engine)
        drawn = Lengths(float(requests.held.mean()), float(requests.outputs.mean()))
        rate = len(requests.arrival) / (float(requests.arrival[-1]) * TICK)
        assert closed_form_tpot(engine, drawn, rate) == pytest.approx(tpot.mean(), rel=0.10)
        assert 0 < batch <= most


def test_a_step_of_a_broken_batch_lies_between_whole_ones() -> None:
    random = np.random.default_rng(5)
    steps = np.cumsum(random.integers(1, 10**7, 200))
    engine = Engine(steps, np.zeros(6, dtype=np.int64))
    for batch in (0.0, 1.0, 198.0, 198.5, 199.0, *random.random(100) * 199):
        assert engine.step_at(batch) == np.interp(batch, np.arange(200), steps)


def test_latency_grows_with_load_and_interpolates() -> None:
    latency = Latency(
        np.array([0.1, 0.5, 1.0]),
        np.array([[0.1, 0.2, 0.3], [0.2, 0.4, 0.6], [1.0, 3.0, 9.0]]),
        np.array([[0.01, 0.02, 0.03], [0.02, 0.03, 0.04], [0.03, 0.05, 0.06]]),
        np.array([1.0, 5.0, 20.0]),
    )
    assert latency.at(0.3) == pytest.approx((0.3, 0.025, 3.0))
    assert latency.largest_load(400.0, None) == pytest.approx(0.5)
    assert latency.largest_load(None, 40.0) == pytest.approx(0.75)
    assert latency.largest_load(100.0, None) == 0.0
    assert latency.largest_load(None, None) == 1.0
