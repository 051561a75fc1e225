"""Waits of campaigns: one definition for the metrics and for the table by size."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsim.compile.calendar import MS_DAY, MS_HOUR
from capsim.control.world import DemandWorld
from capsim.engine.campaigns import campaigns, percentiles
from capsim.engine.prepare import prepare
from capsim.engine.simulate import simulate
from capsim.spec.loader import load_study
from capsim.tables import CANCELLED, DONE, RUN, RUNNING, WAITING

END = 60 * MS_DAY
EDGES = (0, 31 * MS_DAY, END)


def finished_run() -> Any:
    """Four campaigns of 10 h, on 8, 16, 16 and 64 chips: done, failed while running, given up, in the queue.

    They are submitted on days 1, 2, 3 and 40; the second runs at half speed and has half its work left.
    """
    world = DemandWorld(
        {
            "submit": np.array([1, 2, 3, 40]) * MS_DAY,
            "chips": np.array([8, 16, 16, 64]),
            "run": np.full(4, 10 * MS_HOUR),
            "fate": np.array([0, 1, 0, 0]),
        },
        np.zeros((0, 0)),
        {},
    )
    runs = np.zeros(4, RUN)
    runs["start"] = [MS_DAY + 5 * MS_HOUR, 2 * MS_DAY + 20 * MS_HOUR, -1, -1]
    runs["end"] = [35 * MS_DAY, 61 * MS_DAY, -1, -1]
    runs["state"] = [DONE, RUNNING, CANCELLED, WAITING]
    runs["rate"] = [1.0, 0.5, 0.0, 0.0]
    runs["work_left"] = np.array([0, 5, 10, 10]) * MS_HOUR
    given_up = np.array([-1, -1, 14 * MS_DAY, -1])
    return SimpleNamespace(
        campaigns=4,
        ctx=SimpleNamespace(demand=world, end=END, cluster=SimpleNamespace(runs=runs)),
        research=SimpleNamespace(given_up=given_up, rented=None),
    )


def test_a_campaign_has_waited_until_it_started_was_given_up_or_the_horizon_ended() -> None:
    found = campaigns(finished_run(), EDGES)
    assert found is not None
    assert (found.wait / MS_HOUR).tolist() == [5, 20, 11 * 24, 20 * 24]
    # alone: 10 h at full speed, 20 h at half speed, 10 h at the reference speed where it never started
    assert found.slowdown.tolist() == pytest.approx([1.5, 2.0, (264 + 10) / 10, (480 + 10) / 10])
    assert found.started.tolist() == [True, True, False, False]
    assert found.finished.tolist() == [True, False, False, False]


def test_work_counts_in_the_month_of_its_end() -> None:
    found = campaigns(finished_run(), EDGES)
    assert found is not None
    assert found.offered.by_month.tolist() == [80 + 160 + 160, 640]
    assert found.done.tolist() == [0, 80 + 80]  # the first ends on day 35; half of the second is done
    assert found.useful == 1.0
    assert [len(own) for own in found.offered.sizes] == [1, 3, 0, 0, 0, 0]


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=50))
def test_percentiles_are_those_of_numpy(values: list[int]) -> None:
    expected = np.percentile(np.array(values), [50, 95, 99])
    assert percentiles(np.array(values), (50, 95, 99)) == pytest.approx(expected.tolist())


def test_campaigns_that_no_place_holds_are_told(root: Path) -> None:
    file = root / "configs" / "quickstart.yaml"
    # 300 campaigns in place of 3,000 ask for the same capacity: a table size of 1,024 becomes about 25,000 chips
    few = load_study(file, sets=["demand.research.campaigns=300"])
    (note,) = prepare(few, "big-cloud").warnings
    assert note.startswith("big-cloud: ") and "of the research is in campaigns too large to start" in note
    assert "its largest place, big-cloud/gb200_nvl72, has 9,216" in note
    run = simulate(prepare(few, "big-cloud"), 0)
    table = {name: np.array(column) for name, column in run.tables["research"].items()}
    assert table["started"][-1] < table["campaigns"][-1]
    assert not prepare(load_study(file), "big-cloud").warnings


def test_metrics_and_table_agree_where_campaigns_are_given_up(root: Path) -> None:
    loaded = load_study(
        root / "configs" / "quickstart.yaml",
        sets=["demand.research.patience=2d", "demand.research.campaigns=2000"],
    )
    result = simulate(prepare(loaded, "wait"), 0)
    table = {name: np.array(column) for name, column in result.tables["research"].items()}
    assert table["campaigns"].sum() == 2000 > table["started"].sum()
    mean = (table["slowdown_mean"] * table["campaigns"]).sum() / 2000
    assert result.metrics["slowdown_mean"] == pytest.approx(mean)
    assert table["wait_p99_h"].max() <= (2 + 7) * 24  # given up at the weekly review after two days
    assert result.metrics["wait_p99_h"] <= table["wait_p99_h"].max()
