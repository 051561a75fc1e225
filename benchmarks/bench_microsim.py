"""Micro-simulation of one replica: goal 200,000 requests/s on one core with the Azure chat lengths."""

from __future__ import annotations

from typing import Any

import pytest

from capsim.workload.calibration import shipped
from capsim.workload.inference import Candidate, DoesNotFit, candidates
from capsim.workload.known import known
from capsim.workload.latency import Lengths, draw_requests, iteration_times, simulate
from capsim.workload.shape import shape_of

AZURE = Lengths(1155, 211)
REQUESTS = 50_000
GOAL = 200_000


def best(model: str, system: str, precision: str) -> Candidate:
    """The layout with the most tokens per chip."""
    catalog = known()
    spec = catalog.systems[system]
    chip, shape = catalog.chips[spec.chip], shape_of(catalog.models[model])
    found = candidates(shape, spec.chip, chip, spec, precision, 1155, 211, 0.0, shipped(), model, None)
    assert not isinstance(found, DoesNotFit)
    return found[0]


@pytest.mark.parametrize("load", [0.3, 0.7, 0.95])
@pytest.mark.parametrize(
    ("model", "system", "precision"),
    [
        ("llama-3.1-8b", "h100_hgx", "fp8"),
        ("llama-3.1-70b", "h100_hgx", "fp8"),
        ("deepseek-v3", "gb200_nvl72", "fp4"),
    ],
)
def test_requests_a_second(benchmark: Any, model: str, system: str, precision: str, load: float) -> None:
    chosen = best(model, system, precision)
    engine = iteration_times(chosen.replica, AZURE, chosen.batch)
    requests = draw_requests(AZURE, load * chosen.saturated / AZURE.outputs, REQUESTS, key=1)
    simulate(engine, requests)
    benchmark(simulate, engine, requests)
    benchmark.extra_info["requests_per_s"] = REQUESTS / benchmark.stats["min"]
    benchmark.extra_info["goal"] = GOAL
