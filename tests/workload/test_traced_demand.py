"""Campaigns that follow a job trace: scaled in time, count and chips, repeated, the same in every world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsim.spec.demand import TracedResearch
from capsim.spec.loader import load_study
from capsim.workload.traced_demand import offered_chips, traced_campaigns

HOUR = 3_600_000
DAY = 24 * HOUR
QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
# (submit s, chips, run s, requested s): two days of jobs
JOBS = [(0, 1, 600, 1200), (3600, 8, 7200, 7200), (90_000, 3, 60, 120)]
STREAM = (
    "{model: llama-3.1-70b, precision: bf16, systems: [gb200_nvl72], priority: 1, "
    "checkpoint: {stall: 10 s, restart: 10 min}, value_lost: $3/gb200e-h, trace: jobs.csv%s}"
)


def stream(folder: Path, more: str = "") -> TracedResearch:
    """The research of a study beside a trace of three jobs."""
    rows = "\n".join(f"{i},{s},{c},{r},{q},t{i}" for i, (s, c, r, q) in enumerate(JOBS))
    (folder / "jobs.csv").write_text("job,submit,size,run,requested,tenant\n" + rows + "\n")
    research = STREAM % more
    option = "demand.research=" + research.replace("jobs.csv", str(folder / "jobs.csv"))
    found = load_study(QUICKSTART, sets=[option]).study.demand.research
    assert isinstance(found, TracedResearch)
    return found


def campaigns(spec: TracedResearch, days: int, scale: float = 1.0, world: int = 0) -> dict[str, Any]:
    hours = days * 24
    return traced_campaigns(spec, hours, scale, np.ones(hours), (7, world, "research"))


def test_unscaled_a_trace_is_itself_in_every_world(tmp_path: Path) -> None:
    spec = stream(tmp_path, ", repeat: false")
    for world in range(3):
        found = campaigns(spec, 10, world=world)
        assert found["submit"].tolist() == [s * 1000 for s, *_ in JOBS]
        assert found["chips"].tolist() == [1, 8, 3]
        assert found["run"].tolist() == [600_000, 7_200_000, 60_000]
        assert found["requested"].tolist() == [1_200_000, 7_200_000, 120_000]
        assert found["tenant"].tolist() == [0, 1, 2]


def test_time_stretches_submissions_and_chips_are_rounded_up(tmp_path: Path) -> None:
    found = campaigns(stream(tmp_path, ", repeat: false, scale: {time: 2, chips: 1.5}"), 10)
    assert found["submit"].tolist() == [s * 2000 for s, *_ in JOBS]
    assert found["chips"].tolist() == [2, 12, 5]
    assert found["run"].tolist() == [600_000, 7_200_000, 60_000]


def test_a_trace_starts_again_after_whole_days(tmp_path: Path) -> None:
    """25 hours are two days long; five days hold two whole rounds and the first day's jobs of a third."""
    found = campaigns(stream(tmp_path), 5)
    first = [s * 1000 for s, *_ in JOBS]
    assert found["submit"].tolist() == [*first, *(t + 2 * DAY for t in first), 4 * DAY, 4 * DAY + HOUR]


def test_counts_are_met_on_average_and_copies_do_not_coincide(tmp_path: Path) -> None:
    spec = stream(tmp_path, ", scale: {count: 2.5}")
    counts = [len(campaigns(spec, 200, scale=2.0, world=w)["submit"]) for w in range(5)]
    assert np.mean(counts) == pytest.approx(300 * 5, rel=0.01)
    few = stream(tmp_path, ", scale: {count: 0.1}")
    assert len(campaigns(few, 2000)["submit"]) == pytest.approx(300, abs=60)
    found = campaigns(spec, 200)["submit"]
    assert np.all(np.diff(found) >= 0) and len(np.unique(found)) > 0.8 * len(found)


def test_offered_chips_are_the_work_over_the_span(tmp_path: Path) -> None:
    spec = stream(tmp_path, ", repeat: false")
    edges = np.array([0, DAY, 2 * DAY], dtype=np.int64)
    work = [600 + 8 * 7200, 3 * 60]
    assert offered_chips(spec, edges, 1.0) == pytest.approx([w / 86_400 for w in work])
