"""A user's own order and placement, named on the command line, beside the built-in ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from capsim.engine.replay import Machine, replay_trace
from capsim.engine.replay_policies import parse_policies, parse_policy
from capsim.errors import CapsimError, InputError
from capsim.policies.own import own_policy
from capsim.workload.traces import JobTrace, read_jobs
from tests.traces import busy_trace

CODE = """
from capsim.policies.orders import order, placement

@order
def shortest(job):
    return job.requested

@placement
def tightest(needed, free, size):
    return free

def widest(job):
    return -job.size_max

def no_field(job):
    return job.length

def nothing(job):
    return 0.0 / (job.size_min - job.size_min)

def two(a, b):
    return a

def sjf(job):
    return 1.0

number = 4
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "mine.py"
    path.write_text(CODE)
    return path


def trace_of(folder: Path, rows: str) -> JobTrace:
    path = folder / "jobs.csv"
    path.write_text("job,submit,size,run\n" + rows)
    return read_jobs(path)


def test_on_equal_terms(code: Path) -> None:
    """With the key of sjf, and the score of best-fit, the schedules are those of the built-in ones."""
    machine = Machine(domain=8)
    own, built_in, spread = (
        replay_trace(busy_trace(), policy=name, machine=machine)
        for name in (f"{code}:shortest+easy+{code}:tightest", "sjf+easy", "sjf+easy+spread")
    )
    assert own.start.tolist() == built_in.start.tolist()
    assert own.policy == "shortest+easy+tightest"
    assert spread.start.tolist() != built_in.start.tolist()


def test_the_documented_command(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    page = (pytestconfig.rootpath / "docs" / "scheduling.md").read_text(encoding="utf-8")
    section = page.partition("## Own policies")[2]
    (tmp_path / "mine.py").write_text(section.partition("```python")[2].partition("```")[0])
    line = next(line for line in section.splitlines() if "capsim trace replay" in line)
    names = line.split()[-1].replace("mine.py", str(tmp_path / "mine.py"))
    machine = Machine(domain=16)
    found = [replay_trace(busy_trace(), policy=policy, machine=machine) for policy in parse_policies(names)]
    assert [schedule.policy for schedule in found] == [
        "easy",
        "small_and_short_first+easy",
        "easy+leave_no_crumbs",
    ]
    assert found[1].start.tolist() != found[0].start.tolist()


def test_an_order_of_one_s_own_by_hand(code: Path, tmp_path: Path) -> None:
    """4 chips: job 1 holds all for 10 s; of the waiting ones the widest goes first."""
    trace = trace_of(tmp_path, "1,0,4,10\n2,1,1,5\n3,2,4,5\n4,3,2,5\n")
    found = replay_trace(trace, policy=f"{code}:widest", chips=4)
    assert (found.start // 1000).tolist() == [0, 15, 10, 15]
    assert (replay_trace(trace, policy="fcfs", chips=4).start // 1000).tolist() == [0, 10, 15, 20]


def test_placement_by_hand(tmp_path: Path) -> None:
    """Two domains of 4: 2 chips (100 s), then 1 (100 s), then a gang of 4. Best-fit puts the second beside the
    first, so the gang starts at once; spread takes the other domain, so it waits."""
    trace = trace_of(tmp_path, "1,0,2,100\n2,1,1,100\n3,2,4,100\n")
    starts = {
        name: (replay_trace(trace, policy=name, chips=8, machine=Machine(domain=4)).start // 1000).tolist()
        for name in ("easy", "easy+spread")
    }
    assert starts == {"easy": [0, 1, 2], "easy+spread": [0, 1, 100]}


def test_by_the_name_that_a_package_offers(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "offering_orders.py").write_text(CODE)
    info = tmp_path / "offering-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[capsim.orders]\nwidest-first = offering_orders:widest\n"
        "[capsim.placements]\nno-crumbs = offering_orders:tightest\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    policy = parse_policy("widest-first+easy+no-crumbs")
    assert (policy.name, policy.backfill) == ("widest+easy+tightest", "easy")
    assert own_policy("offering_orders:widest").kind == "order"
    sys.modules.pop("offering_orders")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_field", "no field 'length'; it has submit, run, requested, size_min"),
        ("two", "is no order \\(job\\) and no placement"),
        ("number", "is no order"),
        ("sjf", "sjf is the name of a built-in policy"),
        ("missing", "has no attribute 'missing'"),
        ("a b", "names no function"),
    ],
)
def test_what_is_wrong_with_the_code_is_said(code: Path, name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_policy(f"{code}:{name}+easy")


def test_a_key_that_is_no_number(code: Path) -> None:
    with pytest.raises(CapsimError, match="nothing gives no number for the job at place 0"):
        replay_trace(busy_trace(20), policy=f"{code}:nothing")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("none.py:f", "there is no such file"),
        ("nowhere.at_all:f", "there is no module"),
        ("lifo", "unknown policy 'lifo'"),
        ("easy+sjf", "write ORDER, ORDER\\+BACKFILLING"),
        ("spread", "write ORDER, ORDER\\+BACKFILLING"),
        ("conservative+spread", "keeps the order fcfs"),
        ("FILE:widest,FILE:widest+none", "'widest' is named twice"),
    ],
)
def test_wrong_names(code: Path, names: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_policies(names.replace("FILE", str(code)))


def test_placement_needs_domains() -> None:
    with pytest.raises(InputError, match="say --domain D"):
        replay_trace(busy_trace(20), policy="easy+first-fit")
