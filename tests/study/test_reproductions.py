"""What docs/reproductions.md says about its figures is so, and the cheaper tables are current."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from capsim.engine.replay import replay_trace, with_estimates
from capsim.engine.replay_policies import POLICIES
from capsim.report.reproductions import markdown
from capsim.study import reproductions
from capsim.study.reproductions import ESTIMATES, LOADS, TYPED_POLICIES, Table
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
        assert (
            table.values[f"conservative {estimate} median slowdown"]
            < table.values[f"easy {estimate} median slowdown"]
        )
    assert table.values["easy factor:100 slowdown"] > table.values["easy exact slowdown"]
    slowdowns = np.array([table.values[f"conservative {estimate} slowdown"] for estimate in ESTIMATES])
    assert np.ptp(np.sign(np.diff(slowdowns))) == 2


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
    assert 1 - table.values["easy 640"] / table.values["fcfs 640"] == pytest.approx(0.15, abs=0.005)


def test_philly_comes_in_waves(shared: Path) -> None:
    trace = read_jobs(shared / "traces" / "philly_sia.csv.gz")
    work = trace.size * trace.run.astype(np.float64)
    by_day = np.bincount((trace.submit - trace.submit.min()) // 86_400_000, weights=work) / 86_400_000
    assert len(by_day) == 109
    for chips, load, days in ((512, 0.73, 30), (640, 0.58, 21)):
        assert work.sum() / np.ptp(trace.submit) / chips == pytest.approx(load, abs=0.005)
        assert np.count_nonzero(by_day > chips) == days


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


def test_sia_on_two_chip_types_in_part(shared: Path, document: list[str]) -> None:
    table = reproductions.elastic_jobs(shared / "traces", ((192, 384),), ("gavel-throughput", "las", "fcfs"))
    current(table, document)
    assert table.values["gavel-throughput 192"] < table.values["las 192"] < table.values["fcfs 192"]
    rows = {cells[2].strip(): cells for line in document if len(cells := line.split("|")) == 11}
    mean, p99, makespan, stops = (
        {
            name: float(cells[column].split()[0].replace(",", ""))
            for name, cells in rows.items()
            if "sia" in name
        }
        for column in (3, 5, 6, 9)
    )
    base = table.values["gavel-throughput 192"] / 3600, table.values["gavel-throughput 192 p99"] / 3600
    for serial, saved in ((5, (0.50, 0.50, 0.18)), (20, (0.37, 0.41, 0.09))):
        name = f"sia, elastic, {serial} % serial"
        assert 1 - mean[name] / base[0] == pytest.approx(saved[0], abs=0.006)
        assert 1 - p99[name] / base[1] == pytest.approx(saved[1], abs=0.006)
        assert 1 - makespan[name] / 23.6 == pytest.approx(saved[2], abs=0.006)
    assert 1 - mean["sia, rigid jobs"] / base[0] == pytest.approx(0.08, abs=0.006)
    assert stops["sia, rigid jobs"] == pytest.approx(62_735 / 14, rel=0.03)


def test_elastic_jobs_of_one_day_end_sooner_under_sia(shared: Path) -> None:
    """The order of the table's rows, on the day's jobs of up to 8 h and a twelfth of the machine."""
    whole = read_jobs(shared / "traces" / "philly_sia.csv.gz")
    trace = reproductions.submitted_between(whole, 60, 61, longest=8 * 3_600_000)
    mean = {}
    for name in ("gavel-throughput", "sia, rigid jobs", "sia, elastic, 5 % serial"):
        policy, serial = TYPED_POLICIES[name]
        done = replay_trace(trace, policy=policy, types=reproductions.two_types(trace, 16, 32, serial))
        mean[name] = float((done.end - done.eligible).mean())
    assert mean["sia, elastic, 5 % serial"] < 0.7 * mean["gavel-throughput"]
    assert mean["sia, elastic, 5 % serial"] < mean["sia, rigid jobs"] < mean["gavel-throughput"]
