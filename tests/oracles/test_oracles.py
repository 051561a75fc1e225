"""The slow schedulers themselves: against the truth, against each other, and their mutants."""

from __future__ import annotations

import csv
import gzip
from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from capsim.kernel.layout import Layout
from tests.oracles import mutants, named, scalar
from tests.oracles.case import Case, Command, Job, JobClass
from tests.oracles.cases import FEATURES, cases
from tests.oracles.scheduler import PromiseBroken, Scheduler

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
HEAD = 250
KILLS = mutants.all_kills()


@cache
def truth(path: Path, policy: str) -> tuple[tuple[scalar.Job, ...], tuple[int, ...]]:
    """Jobs and starts of one exact schedule, in seconds."""
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    names = ("submit", "procs", "runtime", "requested")
    jobs = tuple(scalar.Job(*(int(row[name]) for name in names)) for row in rows)
    return jobs, tuple(int(row[f"start_{policy}"]) for row in rows)


@pytest.mark.shared
@pytest.mark.parametrize("policy", ["fcfs", "easy", "conservative"])
@pytest.mark.parametrize(("trace", "chips"), [("sdsc_sp2_5k", 128), ("lublin2_10k", 256), ("nasa_full", 128)])
def test_scalar_oracle_against_heads_of_the_truth(shared: Path, trace: str, chips: int, policy: str) -> None:
    """Later jobs cannot change what starts before the first of them is submitted."""
    jobs, starts = truth(shared / "truth" / "scheduling" / f"{trace}.truth.csv.gz", policy)
    found = scalar.schedule(jobs[:HEAD], chips, policy)
    settled = [(a, b) for a, b in zip(found, starts, strict=False) if b < jobs[HEAD].submit]
    assert len(settled) > HEAD // 5
    assert all(a == b for a, b in settled)


def one_domain_case(jobs: list[scalar.Job], chips: int, backfill: str) -> Case:
    """Scalar jobs as a case of one domain."""
    layout = Layout()
    layout.tranche(layout.site(layout.pool(chips)), 1)
    gangs = tuple(Job(j.submit, j.run, j.requested, j.size, j.size, j.size) for j in jobs)
    arrive = (Command(0, "activate", (0, None)),)
    return Case(layout, (JobClass(),), gangs, 10**6, commands=arrive, backfill=backfill)


@st.composite
def scalar_jobs(draw: st.DrawFn, chips: int = 8) -> list[scalar.Job]:
    """Jobs for one pool, in order of submission, with many ties."""
    run = st.integers(1, 12)
    jobs = draw(
        st.lists(
            st.builds(scalar.Job, st.sampled_from([0, 0, 1, 2, 4, 7]), st.integers(1, chips), run, run),
            min_size=1,
            max_size=12,
        )
    )
    return sorted(jobs, key=lambda job: job.submit)


@QUICK
@given(jobs=scalar_jobs(), backfill=st.sampled_from(["none", "easy"]))
def test_both_oracles_agree_on_one_domain(jobs: list[scalar.Job], backfill: str) -> None:
    lives = Scheduler(one_domain_case(jobs, 8, backfill)).run()
    policy = "fcfs" if backfill == "none" else "easy"
    assert [life.start for life in lives] == scalar.schedule(jobs, 8, policy)


@QUICK
@given(data=st.data(), features=st.frozensets(st.sampled_from(FEATURES)))
def test_no_promise_and_no_capacity_is_broken(data: st.DataObject, features: frozenset[str]) -> None:
    scheduler = Scheduler(data.draw(cases(features)))
    lives = scheduler.run()
    assert all(
        life.start < 0 or life.start >= job.submit
        for life, job in zip(lives, scheduler.world.jobs, strict=True)
    )
    for totals in scheduler.integrals:
        parts = sum(chips for state, chips in totals.items() if state != "active")
        assert parts == totals.get("active", 0)


@pytest.mark.parametrize("case", named.SCALAR, ids=lambda case: case.name)
def test_schedule_of_one_pool_computed_by_hand(case: named.ScalarCase) -> None:
    assert tuple(case.run()) == case.starts


@pytest.mark.parametrize("case", named.TOPOLOGY, ids=lambda case: case.name)
def test_schedule_with_racks_computed_by_hand(case: named.TopologyCase) -> None:
    assert tuple(life.start for life in Scheduler(case.case()).run()) == case.starts


@pytest.mark.parametrize(("which", "mutant"), KILLS)
def test_every_mutant_is_killed(which: str, mutant: str) -> None:
    assert KILLS[which, mutant], f"no case notices {mutant}"


def test_the_command_shows_what_kills_each_mutant(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutants.main() == 0
    shown = capsys.readouterr().out
    assert shown.count("killed by") >= len(KILLS)
    assert "SURVIVES" not in shown


def test_a_scalar_extra_breaks_a_promise_on_random_cases() -> None:
    """Without the per-domain extra, random cases with racks break a head's promise; the rule never does."""

    def broken(case: Case) -> bool:
        try:
            Scheduler(case, "scalar-extra").run()
        except PromiseBroken:
            return True
        return False

    racks = cases(frozenset({"topology"}), backfill="easy")
    case = find(
        racks, broken, settings=settings(max_examples=20_000, phases=[Phase.generate]), random=Random(0)
    )
    Scheduler(case).run()
