"""The benchmark's inputs, its plain simpy model, and what the command prints."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from capsim.bench import plain_simpy
from capsim.bench.cases import Case, grid, growth, quick, special
from capsim.bench.inputs import FLEETS, MIXES, draw, layout
from capsim.bench.machine import against_simpy, crossing
from capsim.bench.measure import Figures, cluster_of, measure, measure_alone
from capsim.bench.session import Session
from capsim.bench.table import text
from capsim.cli.main import build
from tests.oracles import scalar


def test_the_first_mix_is_what_the_page_says() -> None:
    submit, run, size, requested = draw(MIXES["first"], 200_000, 524_160, 0.9)
    assert np.bincount(np.log2(size).astype(int)).nonzero()[0].tolist() == list(range(3, 18))
    assert (size == 16).sum() / (size == 8).sum() == pytest.approx(2**-0.7, abs=0.02)
    assert np.median(run) == pytest.approx(1_800_000, rel=0.03)
    assert (requested / run).mean() == pytest.approx(2.5, rel=0.02)
    assert (run * size).sum() / (524_160 * (submit[-1] - submit[0])) == pytest.approx(0.9, rel=0.05)
    exact = draw(MIXES["exact"], 1000, 1024, 0.9)
    assert np.array_equal(exact[1], exact[3]) and exact[2].max() <= 256


def test_the_fleets_have_their_chips() -> None:
    assert list(FLEETS) == [1024, 65_520, 524_160, 1_048_320, 15_984_000]
    for chips in list(FLEETS)[:4]:
        built = layout(chips, failures=True)
        assert sum(t.domains * built.pools[0].domain_chips for t in built.tranches) == chips


@pytest.mark.parametrize("policy", ["fcfs", "easy"])
def test_the_plain_simpy_model_gives_the_obvious_schedule(policy: str) -> None:
    columns = draw(MIXES["loose"], 300, 256, 0.98, seed=4)
    jobs = [scalar.Job(s, n, r, q) for s, r, n, q in zip(*(c.tolist() for c in columns), strict=True)]
    assert plain_simpy.schedule(columns, 256, policy) == scalar.schedule(jobs, 256, policy)
    ours, theirs = against_simpy(policy, 300, 1024)
    assert 0 < ours < theirs


def test_cases_do_what_they_are_named_for() -> None:
    small = Case("easy", 1024, "racks, failures", jobs=3000)
    found = measure(small)
    assert found.failures > 0 and found.backfilled > 0 and found.array_bytes > 100 * found.jobs
    preempting = replace(small, places="racks", order="priority", preemption=True)
    assert measure(preempting).preemptions > 0
    plain, own = measure(replace(small, order="sjf")), measure(replace(small, order="own"))
    assert (plain.backfilled, plain.longest_queue) == (own.backfilled, own.longest_queue)
    built_in = measure(replace(small, places="racks"))
    placed = measure(replace(small, places="racks", own_placement=True))
    assert (placed.backfilled, placed.longest_queue) == (built_in.backfilled, built_in.longest_queue)
    assert measure(Case("conservative", 1024, mix="loose", jobs=2000)).backfilled > 0
    assert crossing(100) < 0.01


def test_sixteen_million_chips_load_and_run() -> None:
    (case,) = [case for name, case in special(10_000) if name.startswith("16 million")]
    columns = draw(MIXES[case.mix], case.jobs, case.chips, case.load)
    cluster = cluster_of(case, columns)
    cluster.advance(int(columns[0][-1]))
    assert cluster.chip_time()["active"].sum() == 15_984_000 * int(columns[0][-1])
    assert cluster.counters()["first_starts"] == case.jobs - 1  # the last one is submitted at that instant


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_terminal(width: int) -> None:
    figures = Figures(1_000_000, 2.0, 650_000, 12_345, 944_000, 31_509, 400_000_000, 338_000_000, 589.0)
    rows = [*special(1_000_000), *growth(10_000_000)]
    session = Session(
        [(case, figures) for case in grid(1_000_000)],
        [(name, case, figures) for name, case in rows],
        {"compiling everything once": 64.9, "a step": 1.5e-6},
        [("easy", 20_000, 0.004, 0.3)],
    )
    lines = text(session, 1_000_000, width).splitlines()
    assert max(len(line) for line in lines) <= width
    assert sum(line.startswith("524,160") for line in lines) == 9
    assert len([line for line in lines if "500,000" in line]) == 36 + len(rows)


def test_memory_is_that_of_a_process_of_its_own() -> None:
    found = measure_alone(Case("easy", 65_520, "racks", jobs=20_000))
    assert found.peak_mb > 50
    assert 100 * found.jobs < found.resident_bytes < found.peak_mb * 2**20


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="Linux alone forgets a peak")
def test_memory_is_that_of_the_case_whatever_the_process_before_it_held() -> None:
    held = np.ones(2**26)  # half a GiB
    with_it = measure_alone(Case("easy", 65_520, "racks", jobs=20_000))
    assert held.all() and with_it.peak_mb < 400
    assert with_it.resident_bytes < 1_000 * with_it.jobs


def test_the_command_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capsim.bench.session.measure_alone", measure)
    done = CliRunner().invoke(build(), ["bench", "--quick", "--jobs", "1000", "--json", "--quiet"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert len(found["cases"]) == len(quick(1000)) == 6
    assert all(case["jobs_per_s"] > 0 for case in found["cases"])
    assert {row["policy"] for row in found["plain_simpy"]} == {"fcfs", "easy"}
