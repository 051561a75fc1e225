"""What docs/reproductions.md says about its figures is so, and the cheaper tables are current."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsim.engine.replay import replay_trace, with_estimates
from capsim.engine.replay_policies import POLICIES
from capsim.report.reproductions import markdown
from capsim.study import reproductions
from capsim.study.reproductions import ESTIMATES, LOADS, Table
from capsim.workload.traces import read_jobs

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def document(root: Path) -> list[str]:
    return (root / "docs" / "reproductions.md").read_text(encoding="utf-8").splitlines()


def current(table: Table, document: list[str]) -> None:
    """Every row of the table is in the document."""
    missing = [line for line in markdown(table) if line not in document]
    assert not missing, "run: capsim validate --reproductions"


def test_exact_starts(shared: Path, document: list[str]) -> None:
    table = reproductions.exact_starts(shared / "truth" / "scheduling", ("sdsc_sp2_5k", "curie_5k"))
    current(table, document)
    assert set(table.values.values()) == {1.0}
    assert len(table.values) == 2 * len(POLICIES)


def test_inflated_estimates(shared: Path, document: list[str]) -> None:
    table = reproductions.estimates(shared / "truth" / "scheduling")
    current(table, document)
    for policy in ("easy", "conservative"):
        exact = {name: table.values[f"{policy} exact {name}"] for name in ("wait", "wait by chip-time")}
        for estimate in ESTIMATES[1:]:
            assert table.values[f"{policy} {estimate} wait"] < exact["wait"]
            assert table.values[f"{policy} {estimate} wait by chip-time"] > exact["wait by chip-time"]
        assert table.values[f"easy {estimate} median slowdown"] < table.values["easy exact median slowdown"]
    assert table.values["easy factor:100 slowdown"] > table.values["easy exact slowdown"]


def test_jobs_under_a_minute_make_the_mean_slowdown(shared: Path) -> None:
    trace = read_jobs(shared / "truth" / "scheduling" / "lublin_10k.swf.gz")
    waits = {}
    for estimate in ESTIMATES:
        jobs = replay_trace(with_estimates(trace, estimate), policy="easy").outcomes
        short = jobs.run < 60_000
        waits[estimate] = jobs.wait[short].mean() / 3.6e6
        assert jobs.slowdown[short].sum() / jobs.slowdown.sum() == pytest.approx(0.93, abs=0.01)
    assert short.mean() == pytest.approx(0.40, abs=0.005)
    assert waits["exact"] == pytest.approx(5.8, abs=0.05)
    assert min(waits.values()) == pytest.approx(5.6, abs=0.05)
    assert max(waits.values()) == pytest.approx(7.1, abs=0.05)


def test_easy_against_conservative(shared: Path, document: list[str]) -> None:
    table = reproductions.by_metric(shared / "truth" / "scheduling")
    current(table, document)
    assert table.values["wait_s by jobs"] > 0
    assert table.values["wait_s by chip-time"] < 0
    assert table.values["bounded_slowdown by jobs"] < 0


def test_the_order_of_one_instant(shared: Path, document: list[str]) -> None:
    table = reproductions.same_instant(shared / "truth" / "scheduling", ("lublin_10k",))
    current(table, document)
    assert table.values["lublin_10k 10 min submissions-first moved"] > 0.5
    assert abs(table.values["lublin_10k 10 min submissions-first wait"]) > 0.09
    for clock in ("1 s", "10 min"):
        assert table.values[f"lublin_10k {clock} ends-first moved"] == 0
    assert table.values["lublin_10k 1 s one-by-one moved"] < 0.05


def test_philly_in_part(shared: Path, document: list[str]) -> None:
    table = reproductions.philly(shared / "traces", (640,))
    current(table, document)
    assert table.values["fcfs 640"] > 2 * table.values["sjf 640"]
    assert table.values["sjf 640"] < table.values["easy 640"] < table.values["fcfs 640"]
    assert table.values["las 640"] < table.values["sjf 640"]
    assert table.values["las 640 p50"] < 0.6 * table.values["sjf 640 p50"]


def test_gangs_in_racks(document: list[str]) -> None:
    table = reproductions.fragmentation()
    current(table, document)
    values, off, on = table.values, "64 of 72, locality off", "64 of 72, locality on"
    for load in LOADS:
        assert values[f"{off} {load} spare"] == pytest.approx(
            values[f"{off} {load} expected spare"], abs=5e-5
        )
        assert values[f"{on} {load} spare"] > values[f"{on} {load} expected spare"]
        waits = [values[f"{machine} {load} wait"] for machine in ("no segments", off, on)]
        assert waits == sorted(waits)
