"""A governed replay: each rule on a trace whose schedule was computed by hand, seconds throughout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capsim.engine.queue_options import QueueOptions, read_queue_options
from capsim.engine.replay import Machine, Schedule, measure, replay_trace
from capsim.engine.replay_rules import ReplayRules
from capsim.engine.replay_types import types_of
from capsim.errors import InputError, StudyError
from capsim.report.replays import quota_table, replay_report
from capsim.spec.chip_types import read_chip_types
from capsim.spec.governance import read_governance
from capsim.workload.traces import JobTrace, read_jobs
from tests.engine.test_replay_truth import truth_starts
from tests.workload.traces.test_terms import swf


def jobs(folder: Path, rows: str, more: str = "") -> JobTrace:
    """Rows of job, submit, size, run and ``more`` columns."""
    path = folder / "jobs.csv"
    path.write_text(f"job,submit,size,run{',' * bool(more)}{more}\n{rows}")
    return read_jobs(path)


def ruled(folder: Path, text: str, **options: Any) -> ReplayRules:
    path = folder / "tenants.yaml"
    path.write_text(text)
    return ReplayRules(read_governance(path), **options)


def starts(found: Schedule) -> list[float]:
    return [float(start) / 1000 for start in found.start]


def replay(trace: JobTrace, rules: ReplayRules, chips: int, policy: str = "easy") -> Schedule:
    return replay_trace(trace, policy=policy, chips=chips, rules=rules)


def test_a_quota_holds_a_tenant_and_lets_others_pass(tmp_path: Path) -> None:
    """4 chips. a may have 2: its second job waits until 100 although 2 chips are free; b starts at once."""
    trace = jobs(tmp_path, "1,0,2,100,a\n2,1,2,100,a\n3,2,2,50,b\n", "tenant")
    governed = ruled(tmp_path, "tenants: {a: {quota: 2}}")
    assert starts(replay(trace, ReplayRules(), 4, "fcfs")) == [0, 1, 100]
    for policy in ("fcfs", "easy", "sjf"):
        assert starts(replay(trace, governed, 4, policy)) == [0, 100, 2]
    found = measure(replay(trace, governed, 4))
    assert found["wait_s"]["mean"] == pytest.approx(99 / 3)
    rows = {row["tenant"]: row for row in found["by_tenant"]}
    # a waits from 1 to 100 and holds 2 of 4 chips; b never waits
    assert rows["a"]["held_while_waiting"] == pytest.approx(0.5)
    assert rows["b"]["held_while_waiting"] is None
    assert rows["a"]["chip_time_share"] == pytest.approx(400 / 500)
    assert rows["a"]["wait_mean_s"] == pytest.approx(99 / 2)


def test_a_cohort_lends_and_reclaims(tmp_path: Path) -> None:
    """a borrows b's 2 chips from 1 on; at 10 b wants them. Reclaim stops job 2, which has done 9 of its 100
    s, and goes on at 60 when b is done: it ends at 60 + 91. Without reclaim b waits until job 1 ends."""
    rows = "1,0,2,100,a\n2,1,2,100,a\n3,10,2,50,b\n"
    trace = jobs(tmp_path, rows, "tenant")
    text = "tenants: {a: {quota: 2, cohort: x}, b: {quota: 2, cohort: x}}\n"
    found = replay(trace, ruled(tmp_path, text), 4)
    assert starts(found) == [0, 1, 10]
    assert (found.end / 1000).tolist() == [100, 151, 60]
    assert found.preemptions.tolist() == [0, 1, 0]
    assert starts(replay(trace, ruled(tmp_path, text + "reclaim: false\n"), 4)) == [0, 1, 100]
    held = text + "classes: {all: {preemptible: false}}\n"
    trace = jobs(tmp_path, rows.replace(",a\n", ",a,all\n").replace(",b\n", ",b,all\n"), "tenant,class")
    assert starts(replay(trace, ruled(tmp_path, held), 4)) == [0, 1, 100]


def test_jobs_at_a_time_and_terms_of_all_others(tmp_path: Path) -> None:
    """8 chips. Everybody has one job at a time, b two."""
    trace = jobs(tmp_path, "1,0,1,10,a\n2,0,1,10,a\n3,0,1,10,b\n4,0,1,10,b\n5,0,1,10,b\n", "tenant")
    governed = ruled(tmp_path, "tenants: {b: {max_running: 2}}\nothers: {max_running: 1}\n")
    assert starts(replay(trace, governed, 8)) == [0, 10, 0, 0, 10]


def test_jobs_above_the_most_that_their_tenant_may_have_are_counted(tmp_path: Path) -> None:
    trace = jobs(tmp_path, "1,0,3,10,a\n2,0,2,10,a\n3,0,9,10,a\n", "tenant")
    found = measure(replay(trace, ruled(tmp_path, "tenants: {a: {quota: 2}}"), 8))
    assert (found["jobs"], found["too_large"], found["above_quota"]) == (1, 1, 1)


def test_jobs_wait_for_others_and_some_never_start(tmp_path: Path) -> None:
    """8 chips. 2 waits for 1 in whatever way; 3 needs its success and is cancelled, as 1 fails; 4 needs 3 to
    be over, which it is at 100; 5 waits for a job that is not there."""
    rows = "1,0,1,100,,failed\n2,1,1,10,1,\n3,2,1,10,afterok:1,\n4,3,1,10,3,\n5,4,1,10,77,\n"
    trace = jobs(tmp_path, rows, "after,fate")
    heeded = replay(trace, ReplayRules(dependencies="after", fates=True), 8)
    assert heeded.job.tolist() == [1, 2, 4, 5]
    assert starts(heeded) == [0, 100, 100, 4]
    assert heeded.wait.tolist() == [0, 0, 0, 0]
    assert (heeded.eligible / 1000).tolist() == [0, 100, 100, 4]
    figures = measure(heeded)
    assert (figures["never_eligible"], figures["waits_for_unknown"]) == (1, 1)
    assert figures["fates"] == {"completed": 3, "failed": 1, "cancelled": 0}
    assert figures["completed_share"] == pytest.approx(30 / 130)
    assert figures["completion_s"]["mean"] == pytest.approx((100 + 10 + 10 + 10) / 4)
    all_complete = replay(trace, ReplayRules(dependencies="after"), 8)
    assert starts(all_complete) == [0, 100, 100, 110, 4]
    assert starts(replay(trace, ReplayRules(), 8)) == [0, 1, 2, 3, 4]


def test_think_times_move_submissions(tmp_path: Path) -> None:
    """1 chip. 2 is submitted 30 s after 1's end; 3 has an unknown think time: at 2's end, for it was submitted
    before; 4 at its own instant, which is later than 1's end."""
    path = swf(
        tmp_path,
        {"job": 1},
        {"job": 2, "submit": 1, "preceding": 1, "think": 30},
        {"job": 3, "submit": 2, "preceding": 2},
        {"job": 4, "submit": 500, "preceding": 1},
    )
    trace = read_jobs(path, terms=True)
    found = replay(trace, ReplayRules(dependencies="think"), 2)
    assert starts(found) == [0, 40, 50, 500]
    assert (found.eligible / 1000).tolist() == [0, 40, 50, 500]
    assert measure(found)["wait_s"]["max"] == 0
    assert starts(replay(trace, ReplayRules(dependencies="after"), 2)) == [0, 10, 20, 500]


def test_a_failed_job_is_run_again(tmp_path: Path) -> None:
    """1 chip. Job 1 fails twice and then for good; job 2 waits for all of it (fcfs: 1 keeps its place)."""
    trace = jobs(tmp_path, "1,0,1,10,failed,1\n2,1,1,10,completed,0\n", "fate,retries")
    found = replay(trace, ReplayRules(fates=True, retry=1), 1, "fcfs")
    assert starts(found) == [0, 30]
    assert (found.end / 1000).tolist() == [30, 40]
    figures = measure(found)
    assert figures["utilisation"] == pytest.approx(1.0)
    assert figures["completed_share"] == figures["goodput"] == pytest.approx(10 / 40)
    assert figures["failed_share"] == pytest.approx(10 / 40)
    assert figures["retried_share"] == pytest.approx(20 / 40)
    assert starts(replay(trace, ReplayRules(fates=True), 1, "fcfs")) == [0, 20]
    assert starts(replay(trace, ReplayRules(), 1, "fcfs")) == [0, 10]


def test_where_the_chip_time_went(tmp_path: Path) -> None:
    """2 chips. Job 1 is stopped by job 2 at 6: it did 4 s, wrote a checkpoint for 1 s and loses 1 s of work. Job 2
    fails at 11 and completes at 16; then 3 and 4 run beside each other; from 26 job 1 does the 16 s that are left,
    with three checkpoints, until 45. It had 50 chip-s, 2 of them for what it did again."""
    rows = "1,0,2,20,x,completed,0\n2,6,2,5,y,completed,1\n3,7,1,10,y,cancelled,0\n4,8,1,10,y,failed,0\n"
    trace = jobs(tmp_path, rows, "class,fate,retries")
    text = "classes: {x: {checkpoint: 4 s, stall: 1 s}, y: {priority: 9}}"
    rules = ruled(tmp_path, text, fates=True, preemption="priority")
    found = replay(trace, rules, 2, "priority+easy")
    assert starts(found) == [0, 6, 16, 16]
    assert (found.end / 1000).tolist() == [45, 16, 26, 26]
    figures = measure(found)
    parts = {"completed": 58, "failed": 10, "cancelled": 10, "retried": 10, "redone": 2}
    assert {name: figures[f"{name}_share"] * 90 for name in parts} == pytest.approx(parts)
    assert figures["goodput"] == pytest.approx(58 / 90)
    text = "\n".join(line.text for line in replay_report({"policies": [figures], "days": None}, [], 200))
    assert "of the chip-time 64.4 % completed jobs, 11.1 % failed, 11.1 % cancelled, 11.1 % attempts" in text


def test_tasks_of_an_array(tmp_path: Path) -> None:
    """8 chips; two tasks of x at a time, any number of y."""
    rows = "1,0,1,10,x,2\n2,0,1,20,x,2\n3,0,1,10,x,2\n4,0,1,10,y,-1\n5,0,1,10,,-1\n6,0,1,10,y,-1\n"
    trace = jobs(tmp_path, rows, "array,array_limit")
    assert starts(replay(trace, ReplayRules(dependencies="after"), 8)) == [0, 0, 10, 0, 0, 0]
    assert starts(replay(trace, ReplayRules(), 8)) == [0] * 6


def test_deadlines_and_priorities_of_jobs(tmp_path: Path) -> None:
    """1 chip, on a clock that begins at 1000. Jobs 2, 3 and 4 wait from 1001 on."""
    rows = "1,1000,1,10,-1,0\n2,1001,1,10,2000,0\n3,1001,1,10,1500,1\n4,1001,1,10,-1,2\n"
    trace = jobs(tmp_path, rows, "deadline,priority")
    # without a deadline: submission + 2 × requested, 1021: before both
    assert starts(replay_trace(trace, policy="edf", chips=1)) == [1000, 1030, 1020, 1010]
    assert starts(replay_trace(trace, policy="priority", chips=1)) == [1000, 1030, 1020, 1010]
    assert starts(replay_trace(trace, policy="fcfs", chips=1)) == [1000, 1010, 1020, 1030]


CLASSES = "classes:\n  prod: {priority: 10, preemptible: false}\n  test: {%s}\n"


@pytest.mark.parametrize(
    ("terms", "starts_at", "end"),
    [
        ("", 50, 110),  # at once; nothing is lost
        ("grace: 5 s", 55, 110),  # five seconds later, in which it goes on working
        ("checkpoint: 20 s", 50, 120.002),  # 40 of 50 s kept; two more checkpoints of 1 ms each
        ("checkpoint: 20 s, grace: 5 s", 55, 110.005),  # all but 3 checkpoints' 3 ms of 55 s kept, two more
        ("restart: 7 s", 50, 117),
        ("preemptible: false", 100, 100),
    ],
)
def test_a_higher_class_stops_a_lower_one(tmp_path: Path, terms: str, starts_at: int, end: float) -> None:
    """1 chip. A test job of 100 s runs from 0; a prod job of 10 s comes at 50."""
    trace = jobs(tmp_path, "1,0,1,100,test\n2,50,1,10,prod\n", "class")
    rules = ruled(tmp_path, CLASSES % terms, preemption="priority")
    found = replay(trace, rules, 1, "priority+easy")
    assert starts(found) == [0, starts_at]
    assert found.end[0] / 1000 == end
    waits = ruled(tmp_path, CLASSES % terms)
    undisturbed = 100.004 if "checkpoint" in terms else 100  # four checkpoints
    assert starts(replay(trace, waits, 1, "priority+easy")) == [0, undisturbed]


def test_classes_go_before_any_order(tmp_path: Path) -> None:
    """1 chip. By run time 4, 3, 2; the prod jobs 2 and 4 first: 4, 2, 3. With preemption prod stops job 1."""
    rows = "1,0,1,100,test\n2,1,1,30,prod\n3,2,1,20,test\n4,3,1,25,prod\n"
    trace = jobs(tmp_path, rows, "class")
    text = CLASSES % ""
    assert starts(replay(trace, ReplayRules(), 1, "sjf")) == [0, 145, 100, 120]
    assert starts(replay(trace, ruled(tmp_path, text, by_class=True), 1, "sjf")) == [0, 125, 155, 100]
    stopping = ruled(tmp_path, text, by_class=True, preemption="priority")
    for policy in ("sjf", "fair-share+easy", "drf+easy"):
        found = replay(trace, stopping, 1, policy)
        assert starts(found)[1] == 1 and starts(found)[3] == 31
        assert found.preemptions.tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("policy", ["fcfs", "sjf+easy", "edf"])
def test_a_grace_goes_by_class_only(tmp_path: Path, policy: str) -> None:
    """The short test job would be first again when its grace is over, restart, and be stopped again, for ever."""
    trace = jobs(tmp_path, "1,0,1,100,test\n2,50,1,300,prod\n", "class")
    rules = ruled(tmp_path, CLASSES % "grace: 2 s, restart: 3 s", preemption="priority")
    with pytest.raises(InputError, match="with a grace, --preemption priority goes only by class"):
        replay(trace, rules, 1, policy)
    by_class = ruled(tmp_path, CLASSES % "grace: 2 s, restart: 3 s", preemption="priority", by_class=True)
    assert starts(replay(trace, by_class, 1, policy)) == [0, 52]
    at_once = ruled(tmp_path, CLASSES % "restart: 3 s", preemption="priority")
    assert starts(replay(trace, at_once, 1, policy)) == [0, 50]


@pytest.mark.parametrize(
    ("limit", "at", "left_out"),
    [
        ("", [0, 1, 2, 3], 0),
        ("max_running: 1", [0, 10, 20, 3], 0),  # priorities of its jobs do not matter
        ("max_chips: 3", [0, 10, 2, 3], 0),
        ("max_chips: 1", [2, 3], 2),
    ],
)
def test_limits_of_a_class(tmp_path: Path, limit: str, at: list[int], left_out: int) -> None:
    """8 chips, all jobs of different tenants: 1 to 3 of the class test, 4 of prod."""
    rows = "1,0,2,10,a,test,1\n2,1,2,10,b,test,2\n3,2,1,10,c,test,1\n4,3,1,10,d,prod,1\n"
    trace = jobs(tmp_path, rows, "tenant,class,priority")
    found = replay(trace, ruled(tmp_path, f"classes: {{test: {{{limit}}}}}"), 8)
    assert starts(found) == at
    assert measure(found)["above_quota"] == left_out


def test_drains(tmp_path: Path) -> None:
    """4 chips, drained from 50 to 150. Job 1 runs on to its end at 100, or is stopped at 60 with its work kept
    and goes on at 150; job 2, submitted at 55, starts at 150."""
    trace = jobs(tmp_path, "1,0,2,100\n2,55,2,10\n")
    for text, end in (("", 100), (", grace: 10 s", 190)):
        rules = ruled(tmp_path, f"drains: [{{at: 50 s, lasts: 100 s{text}}}]")
        found = replay(trace, rules, 4)
        assert starts(found) == [0, 150]
        assert (found.end / 1000).tolist() == [end, 160]


RESERVED = "reservations:\n  - {at: %s, lasts: %s, chips: 2%s}\n"
TWO_DOMAINS = Machine(domain=2)


def reserve(folder: Path, rows: str, at: str, lasts: str, more: str = "", policy: str = "easy") -> Schedule:
    """A schedule on two domains of two chips, one of them reserved."""
    rules = ruled(folder, RESERVED % (at, lasts, more))
    trace = jobs(folder, rows, "tenant")
    return replay_trace(trace, policy=policy, chips=4, machine=TWO_DOMAINS, rules=rules)


def test_a_domain_reserved_for_nobody(tmp_path: Path) -> None:
    """From 100 to 200. Job 1 (150 s) keeps off it, job 2 is gone by then, job 3 (120 s, from 2) would not be at
    51, when 2 ends, and follows job 1."""
    rows = "1,0,2,150,a\n2,1,2,50,a\n3,2,2,120,a\n"
    found = reserve(tmp_path, rows, "100 s", "100 s", policy="fcfs")
    assert starts(found) == [0, 1, 150]
    (kept,) = measure(found)["reservations"]
    assert kept == {"domains": 1, "chip_hours": 200 / 3600, "used_share": 0.0, "idle_share": 1.0}
    assert starts(replay_trace(found.trace, policy="fcfs", chips=4, machine=TWO_DOMAINS)) == [0, 1, 51]


def test_a_domain_reserved_for_a_tenant(tmp_path: Path) -> None:
    """The same; b's job of 60 s, submitted at 90, starts when the reservation begins, or with flex at once."""
    rows = "1,0,2,150,a\n2,1,2,50,a\n3,2,2,120,a\n4,90,2,60,b\n"
    found = reserve(tmp_path, rows, "100 s", "100 s", ", tenants: [b]")
    assert starts(found) == [0, 1, 150, 100]
    (kept,) = measure(found)["reservations"]
    assert (kept["used_share"], kept["idle_share"]) == (pytest.approx(0.6), pytest.approx(0.4))
    assert starts(reserve(tmp_path, rows, "100 s", "100 s", ", tenants: [b], flex: true")) == [0, 1, 150, 90]


@pytest.mark.parametrize(("more", "end"), [("", 150), (", evict: true", 190)])
def test_a_reservation_announced_late(tmp_path: Path, more: str, end: int) -> None:
    """At 50, for 60 to 100. It takes the domain of job 1, which is to end first; evicted, it goes on at 100."""
    found = reserve(tmp_path, "1,0,2,150,a\n2,1,2,200,a\n", "60 s", "40 s", f", announced: 50 s{more}")
    assert (found.end / 1000).tolist() == [end, 201]


def test_gavel_heeds_shares(tmp_path: Path) -> None:
    """One chip, rounds of 6 min: with a share of 3 a's job of 3 rounds ends before b's of 2, alike after it."""
    pytest.importorskip("highspy", reason="highspy is not installed: make install")
    path = tmp_path / "types.yaml"
    path.write_text("types: {v: {chips: 1}}\nclasses: {all: {speeds: {v: 1}}}\n")
    trace = jobs(tmp_path, "1,0,1,1080,a\n2,0,1,720,b\n", "tenant")
    types = types_of(read_chip_types(path), trace, 0)
    rules = ruled(tmp_path, "tenants: {a: {share: 3}}")
    found = replay_trace(trace, policy="gavel-max-min", types=types, rules=rules)
    assert (found.end / 360_000).tolist() == [4, 5]
    shared = replay_trace(
        trace, policy="gavel-agnostic", types=types, options=QueueOptions(shares={"a": 3.0})
    )
    assert (shared.end / 360_000).tolist() == [4, 5]
    assert (replay_trace(trace, policy="gavel-max-min", types=types).end / 360_000).tolist() == [5, 4]


def test_a_chip_type_reserved_for_a_tenant(tmp_path: Path) -> None:
    """2 chips of v, reserved for b from 100 to 200, and 2 of k, of half the speed. a's first job is gone from v by
    then, its second would not be and takes k, for 160 s; b's, submitted at 90, starts on v when it is reserved."""
    path = tmp_path / "types.yaml"
    path.write_text("types: {v: {chips: 2}, k: {chips: 2}}\nclasses: {all: {speeds: {v: 1, k: 0.5}}}\n")
    trace = jobs(tmp_path, "1,0,2,40,a\n2,40,2,80,a\n3,90,2,60,b\n", "tenant")
    types = types_of(read_chip_types(path), trace, 0)
    text = "reservations: [{at: 100 s, lasts: 100 s, %schips: %d, tenants: [b]}]"
    rules = ruled(tmp_path, text % ("type: v, ", 2))
    found = replay_trace(trace, policy="easy", types=types, rules=rules)
    assert starts(found) == [0, 40, 100]
    assert (found.end / 1000).tolist() == [40, 200, 160]
    (kept,) = measure(found)["reservations"]
    assert (kept["chip_hours"], kept["used_share"]) == (pytest.approx(200 / 3600), pytest.approx(0.6))
    for given, said in (
        (("", 2), "1:16: of which chip type is this; add type: v"),
        (("type: w, ", 2), "there is no chip type `w`"),
        (("type: v, ", 3), "3 chips of `v` are reserved when this begins, there are 2; reserve fewer"),
    ):
        with pytest.raises(StudyError, match=said):
            replay_trace(trace, policy="easy", types=types, rules=ruled(tmp_path, text % given))
    both = text.replace("]}]", "]}, {at: 150 s, lasts: 10 s, type: v, chips: 2}]") % ("type: v, ", 2)
    with pytest.raises(StudyError, match="4 chips of `v` are reserved when this begins, there are 2"):
        replay_trace(trace, policy="easy", types=types, rules=ruled(tmp_path, both))
    with pytest.raises(StudyError, match="there is one chip type only; leave it out, or add --types"):
        replay_trace(trace, policy="easy", chips=4, machine=TWO_DOMAINS, rules=rules)


def test_part_of_a_chip_type_reserved(tmp_path: Path) -> None:
    """2 of 4 chips, for b from 100 to 200. Job 1, of 150 s, keeps off them and job 2 is gone by then. Job 3 would be
    there at 140: it waits for the other 2, which are free at 150; b's has its 2 from 100 on."""
    path = tmp_path / "types.yaml"
    path.write_text("types: {v: {chips: 4}, k: {chips: 1}}\nclasses: {all: {speeds: {v: 1, k: 0.5}}}\n")
    trace = jobs(tmp_path, "1,0,2,150,a\n2,0,2,90,a\n3,60,2,50,a\n4,95,2,60,b\n", "tenant")
    types = types_of(read_chip_types(path), trace, 0)
    rules = ruled(tmp_path, "reservations: [{at: 100 s, lasts: 100 s, type: v, chips: 2, tenants: [b]}]")
    found = replay_trace(trace, policy="easy", types=types, rules=rules)
    assert starts(found) == [0, 0, 150, 100]
    (kept,) = measure(found)["reservations"]
    assert (kept["chip_hours"], kept["used_share"]) == (pytest.approx(200 / 3600), pytest.approx(0.6))
    assert starts(replay_trace(trace, policy="easy", types=types)) == [0, 0, 90, 140]


def test_reservations_that_cannot_be_kept(tmp_path: Path) -> None:
    trace = jobs(tmp_path, "1,0,1,100,a\n", "tenant")
    with pytest.raises(InputError, match=r"2:5: reservations take whole scale-up domains.*say --domain D"):
        replay(trace, ruled(tmp_path, RESERVED % ("1 s", "1 s", "")), 4)
    two = RESERVED % ("1 s", "9 s", "") + "  - {at: 5 s, lasts: 9 s, chips: 3}\n"
    with pytest.raises(InputError, match="3:27: 6 chips are reserved when this begins, the machine has 4"):
        replay_trace(trace, policy="easy", chips=4, machine=TWO_DOMAINS, rules=ruled(tmp_path, two))


def test_quotas_on_several_chip_types(tmp_path: Path) -> None:
    """Two types of 2 chips; a may have 2 chips of both together."""
    path = tmp_path / "types.yaml"
    path.write_text("types: {v: {chips: 2}, k: {chips: 2}}\nclasses: {all: {speeds: {v: 1, k: 0.5}}}\n")
    trace = jobs(tmp_path, "1,0,2,100,a\n2,1,2,100,a\n3,2,2,50,b\n", "tenant")
    types = types_of(read_chip_types(path), trace, 0)
    rules = ruled(tmp_path, "tenants: {a: {quota: 2}}")
    assert starts(replay_trace(trace, policy="easy", types=types)) == [0, 1, 100]
    assert starts(replay_trace(trace, policy="easy", types=types, rules=rules)) == [0, 100, 2]


def test_quotas_by_chip_type(tmp_path: Path) -> None:
    """v has 2 chips, k has 4, of half the speed. a may have 2 v and no k: its second job waits for its first
    although k is free; b 2 v and 2 k: its first waits where it was admitted, behind a's, its second goes to k;
    its third asks for more than it may ever have."""
    path = tmp_path / "types.yaml"
    path.write_text("types: {v: {chips: 2}, k: {chips: 4}}\nclasses: {all: {speeds: {v: 1, k: 0.5}}}\n")
    rows = "1,0,2,100,a\n2,1,2,100,a\n3,2,2,50,b\n4,3,2,50,b\n5,4,4,50,b\n"
    trace = jobs(tmp_path, rows, "tenant")
    types = types_of(read_chip_types(path), trace, 0)
    rules = ruled(tmp_path, "tenants: {a: {quota: {v: 2, k: 0}}, b: {quota: {v: 2, k: 2}}}")
    found = replay_trace(trace, policy="easy", types=types, rules=rules)
    assert found.job.tolist() == [1, 2, 3, 4]
    assert starts(found) == [0, 100, 200, 3]
    assert (found.end / 1000).tolist() == [100, 200, 250, 103]
    figures = measure(found)
    assert figures["above_quota"] == 1
    rows_of = figures["by_tenant"]
    hours = {row["tenant"]: {q["type"]: q["chip_hours"] for q in row["quotas"]} for row in rows_of}
    assert hours == {
        "a": {"v": pytest.approx(400 / 3600), "k": 0.0},
        "b": {"v": pytest.approx(100 / 3600), "k": pytest.approx(200 / 3600)},
    }
    assert rows_of[0]["quotas"][0]["mean_chips"] == pytest.approx(400 / 250)
    text = "\n".join(line.text for line in quota_table([figures], 100))
    assert [line.split() for line in text.splitlines()[3:]] == [
        ["a", "v", "2", "0.111", "1.60", "80.0"],
        ["k", "0", "0", "0", "-"],
        ["b", "v", "2", "0.028", "0.400", "20.0"],
        ["k", "2", "0.056", "0.800", "40.0"],
    ]
    with pytest.raises(StudyError, match="there is no chip type `v`; describe them with --types"):
        replay(trace, rules, 6)


@pytest.mark.shared
@pytest.mark.parametrize("policy", ["fcfs", "easy"])
def test_rules_that_bind_nobody_change_no_start(shared: Path, tmp_path: Path, policy: str) -> None:
    """The exact starts of the truth, with fates, classes and a cohort of ample quotas."""
    _, truth = truth_starts(shared / "truth" / "scheduling" / "sdsc_sp2_5k.truth.csv.gz", policy)
    path = shared / "traces" / "SDSC-SP2-first5000.swf"
    trace = read_jobs(path, classes_from="queue", terms=True)
    text = "tenants: {user 150: {quota: 6400, cohort: x}, user 103: {quota: 6400, cohort: x}}\n"
    found = replay(trace, ruled(tmp_path, text, fates=True), 128, policy)
    assert starts(found) == truth
    assert measure(found)["fates"]["cancelled"] > 1000


def test_shares_of_the_file_count(tmp_path: Path) -> None:
    """As in test_queue_options: with a share of 2 for b its usage counts half, and job 4 goes before 3."""
    trace = jobs(tmp_path, "1,0,1,100,a\n2,1,1,100,b\n3,2,1,10,a\n4,3,1,10,b\n", "tenant")
    options = read_queue_options(["fair-share.half_life=0s", "fair-share.recalculate=0s"], [])
    rules = ruled(tmp_path, "tenants: {b: {share: 2}}")
    found = replay_trace(trace, policy="fair-share", chips=1, options=options, rules=rules)
    assert starts(found) == [0, 100, 210, 200]
    rows = {row["tenant"]: row["share"] for row in measure(found)["by_tenant"]}
    assert rows == {"a": pytest.approx(1 / 3), "b": pytest.approx(2 / 3)}


@pytest.mark.parametrize(
    ("options", "policy", "said"),
    [
        ({"dependencies": "some"}, "easy", "write one of ignore, after, think"),
        ({"preemption": "always"}, "easy", "write one of none, priority"),
        ({"retry": 2}, "easy", "add --fates"),
        ({"retry": -1, "fates": True}, "easy", "--retry is -1"),
        ({"dependencies": "think", "fates": True, "retry": 1}, "easy", "do not go together"),
        ({"dependencies": "after"}, "easy", "no job of the trace waits for another"),
        ({"dependencies": "think"}, "easy", "only SWF has think times"),
        ({"fates": True}, "easy", "does not say how jobs end"),
        ({"preemption": "priority"}, "easy", "all jobs have one priority"),
        ({"preemption": "priority"}, "fair-share", "only by class; add --by-class"),
        ({"by_class": True}, "easy", "--by-class: all jobs have one priority"),
        ({"by_class": True}, "conservative", "policy conservative knows no priorities"),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, options: dict[str, Any], policy: str, said: str) -> None:
    trace = jobs(tmp_path, "1,0,1,100\n")
    with pytest.raises(InputError, match=said):
        replay(trace, ReplayRules(**options), 1, policy)
