"""Requests of a trace as a service's lengths, bursts and day."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from capsim.errors import InputError
from capsim.workload.latency import Lengths, draw_requests
from capsim.workload.request_mix import FEWEST, mix_of
from capsim.workload.ticks import TICK


def table(folder: Path, arrivals: np.ndarray, inputs: np.ndarray, outputs: np.ndarray) -> Path:
    """A request table."""
    path = folder / "requests.csv"
    rows = (f"{a},{i},{o}" for a, i, o in zip(arrivals, inputs, outputs, strict=True))
    path.write_text("arrival,input_tokens,output_tokens\n" + "\n".join(rows) + "\n")
    return path


def test_requests_follow_the_trace_scaled_to_means_and_rate(tmp_path: Path) -> None:
    """Pairs of requests at one instant, long prompts with short answers: both stay so at another rate."""
    n = 1000
    arrivals = np.repeat(np.arange(n // 2) * 10.0, 2)
    inputs, outputs = np.tile([3000, 1000], n // 2), np.tile([10, 90], n // 2)
    mix = mix_of(str(table(tmp_path, arrivals, inputs, outputs)), None)
    assert (mix.mean_input, mix.mean_output) == (2000, 50)
    assert mix.burstiness == pytest.approx(1.0, rel=0.01)  # gaps of 0 and 10: their deviation is their mean
    drawn = draw_requests(Lengths(1000.0, 100.0, 0.5, mix), rate=4.0, count=400, key=1)
    assert sorted(set(drawn.held.tolist())) == [500, 1500]
    assert sorted(set(drawn.inputs.tolist())) == [250, 750]
    assert all((h == 1500) == (o == 20) for h, o in zip(drawn.held, drawn.outputs, strict=True))
    gaps = np.diff(drawn.arrival) * TICK
    assert set(np.round(gaps, 2)) <= {0.0, 0.5}
    assert gaps.mean() == pytest.approx(0.25, rel=0.02)


def test_the_hours_of_whole_days_make_the_shape(tmp_path: Path) -> None:
    """Three days, twice as many tokens from 12 to 18 h: the half day at the end does not count."""
    minutes = np.arange(0, 3.5 * 24 * 60, 5)
    tokens = np.where((minutes // 60 % 24 >= 12) & (minutes // 60 % 24 < 18), 200, 100)
    mix = mix_of(str(table(tmp_path, minutes * 60.0, tokens, tokens)), None)
    assert mix.daily is not None
    assert mix.daily == pytest.approx([1.6 if 12 <= h < 18 else 0.8 for h in range(24)])


@pytest.mark.parametrize(
    ("count", "step", "message"),
    [(FEWEST - 1, 1.0, "requests say too little"), (FEWEST, 0.0, "all requests arrive at one instant")],
)
def test_a_trace_that_says_too_little(tmp_path: Path, count: int, step: float, message: str) -> None:
    many = np.full(count, 5)
    with pytest.raises(InputError, match=message):
        mix_of(str(table(tmp_path, np.arange(count) * step, many, many)), None)


@pytest.mark.shared
def test_the_azure_conversations(shared: Path) -> None:
    """19,366 conversations: 1,155 tokens in, 211 out (truth/README); the spreads that lognormals use."""
    mix = mix_of(str(shared / "traces" / "azure_llm_2023_conv.csv.gz"), None)
    assert len(mix.inputs) == 19_366
    assert (mix.mean_input, mix.mean_output) == (pytest.approx(1155, abs=1), pytest.approx(211, abs=1))
    assert (mix.input_spread, mix.output_spread) == (
        pytest.approx(0.96, abs=0.01),
        pytest.approx(0.77, abs=0.01),
    )
    assert mix.daily is None and mix.burstiness > 1.0
