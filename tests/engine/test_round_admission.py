"""Governed rounds of Gavel and Sia: by hand in rounds of 10 s, and who is admitted against the slow scheduler."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.engine.gate import ENDED_AS
from capsim.engine.gavel_rounds import GavelRounds
from capsim.engine.queue_options import QueueOptions
from capsim.engine.replay import Schedule, columns_of, measure, replay_trace
from capsim.engine.replay_cluster import Queue
from capsim.engine.replay_rules import ReplayRules, submitted
from capsim.engine.replay_types import Types, types_of
from capsim.engine.round_admission import Admission
from capsim.engine.rounds import Placement, Progress, run_rounds
from capsim.engine.sia_rounds import SiaRounds
from capsim.errors import InputError
from capsim.spec.chip_types import read_chip_types
from capsim.spec.governance import read_governance
from capsim.workload.traces import JobTrace, read_jobs
from capsim.workload.traces.model import Ints
from tests.engine.test_replay_rules import jobs, ruled, starts
from tests.oracles.case import Case, Job
from tests.oracles.rounds import Admitted, cancelled, idle_machine
from tests.workload.traces.test_terms import swf

pytest.importorskip("highspy", reason="highspy is not installed: make install")

POLICIES = ("gavel-max-min", "gavel-throughput", "gavel-agnostic", "sia")
ONE_TYPE = "types: {v: {chips: 4}}\nclasses: {all: {speeds: {v: 1}}}\nround: 10 s\n"
TWO_TYPES = "types: {v: {chips: 2}, k: {chips: 4}}\nclasses: {all: {speeds: {v: 1, k: 0.5}}}\nround: 10 s\n"
HALVES = "tenants: {a: {quota: 2, cohort: x}, b: {quota: 2, cohort: x}}\n"


def in_rounds(
    folder: Path, trace: JobTrace, rules: ReplayRules, policy: str, text: str = ONE_TYPE
) -> Schedule:
    path = folder / "types.yaml"
    path.write_text(text)
    return replay_trace(trace, policy=policy, types=types_of(read_chip_types(path), trace, 0), rules=rules)


def ends(found: Schedule) -> list[float]:
    return [float(end) / 1000 for end in found.end]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("limits", ["quota: 2", "max_running: 1"])
def test_a_limit_holds_a_tenant_and_lets_others_pass(tmp_path: Path, policy: str, limits: str) -> None:
    """4 chips. a's second job waits until its first has ended, at 95, and so for the round at 100; b starts at once."""
    trace = jobs(tmp_path, "1,0,2,95,a\n2,0,2,100,a\n3,0,2,50,b\n", "tenant")
    found = in_rounds(tmp_path, trace, ruled(tmp_path, f"tenants: {{a: {{{limits}}}}}"), policy)
    assert starts(found) == [0, 100, 0]
    assert ends(found) == [95, 200, 50]
    assert measure(found)["wait_s"]["max"] == 100
    assert starts(in_rounds(tmp_path, trace, ReplayRules(), policy)) != starts(found)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_cohort_lends_and_reclaims(tmp_path: Path, policy: str) -> None:
    """a borrows 2 chips. b wants them at 12, and has them from the round at 20 to 70; a's second job, that had done 20
    s, goes on then, after its restart of 5 s. Without reclaim b waits until job 1 ends."""
    trace = jobs(tmp_path, "1,0,2,100,a,x\n2,0,2,100,a,x\n3,12,2,50,b,x\n", "tenant,class")
    types = ONE_TYPE.replace("all", "x")
    governed = ruled(tmp_path, HALVES + "classes: {x: {restart: 5 s}}")
    found = in_rounds(tmp_path, trace, governed, policy, types)
    assert starts(found) == [0, 0, 20]
    assert ends(found) == [100, 155, 70]
    assert found.preemptions.tolist() == [0, 1, 0]
    assert found.lost.tolist() == [0, 10_000, 0]
    kept = in_rounds(tmp_path, trace, ruled(tmp_path, HALVES + "reclaim: false\n"), policy, types)
    assert starts(kept) == [0, 0, 100]


@pytest.mark.parametrize("policy", POLICIES)
def test_quotas_by_chip_type(tmp_path: Path, policy: str) -> None:
    """a may have 2 v and no k: its second job waits although k is free. b, with 2 v and 2 k, has v as well, which
    nobody looks whether it is free; its second job is confined to k, at half the speed."""
    trace = jobs(tmp_path, "1,0,2,100,a\n2,0,2,100,a\n3,0,2,10,b\n4,0,2,20,b\n", "tenant")
    governed = ruled(tmp_path, "tenants: {a: {quota: {v: 2}}, b: {quota: {v: 2, k: 2}}}")
    found = in_rounds(tmp_path, trace, governed, policy, TWO_TYPES)
    first = sorted([starts(found)[0], starts(found)[2]])
    assert first[0] == 0 and first[1] > 0
    assert (starts(found)[3], ends(found)[3]) == (0, 40)
    assert starts(found)[1] >= 100
    used = {(row["tenant"], row["type"]): row["chip_ms"] for row in found.quotas}
    assert used == {(0, "v"): 400_000, (1, "v"): 20_000, (1, "k"): 80_000}


@pytest.mark.parametrize("policy", POLICIES)
def test_evicted_from_one_type_and_admitted_on_another(tmp_path: Path, policy: str) -> None:
    """b lends its 2 v to a's job until it wants them at 5: from 10 on a's job, with 90 left, goes on on k, at half the
    speed, where a has 2 of its own."""
    trace = jobs(tmp_path, "1,0,2,100,a\n2,5,2,30,b\n", "tenant")
    cohort = "tenants: {a: {quota: {v: 0, k: 2}, cohort: x}, b: {quota: {v: 2, k: 0}, borrow: 0, cohort: x}}"
    found = in_rounds(tmp_path, trace, ruled(tmp_path, cohort), policy, TWO_TYPES)
    assert starts(found) == [0, 10]
    assert ends(found) == [190, 40]
    assert found.preemptions.tolist() == [1, 0]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_class_at_a_time(tmp_path: Path, policy: str) -> None:
    trace = jobs(tmp_path, "1,0,1,100,a,big\n2,0,1,100,a,big\n3,0,1,50,b,small\n", "tenant,class")
    types = ONE_TYPE.replace("all: {speeds: {v: 1}}", "big: {speeds: {v: 1}}, small: {speeds: {v: 1}}")
    for limit in ("max_running: 1", "max_chips: 1"):
        governed = ruled(tmp_path, f"classes: {{big: {{{limit}, priority: 7}}}}")
        assert starts(in_rounds(tmp_path, trace, governed, policy, types)) == [0, 100, 0]


@pytest.mark.parametrize("policy", ["gavel-max-min", "sia"])
def test_jobs_wait_for_others_and_fail(tmp_path: Path, policy: str) -> None:
    """2 waits for 1, which fails once after 25 s, is run again from 30 to 55 and fails for good; 3 needs that 1
    completes and never starts; of the tasks 4 to 6 one runs at a time."""
    rows = "1,0,1,25,,failed,1,,0\n2,0,1,10,1,,0,,0\n3,0,1,10,afterok:1,,0,,0\n"
    rows += "".join(f"{job},0,1,10,,,0,t,1\n" for job in (4, 5, 6))
    trace = jobs(tmp_path, rows.replace(",,0,", ",completed,0,"), "after,fate,retries,array,array_limit")
    found = in_rounds(tmp_path, trace, ReplayRules(dependencies="after", fates=True), policy)
    assert found.job.tolist() == [1, 2, 4, 5, 6]
    assert starts(found) == [0, 60, 0, 10, 20]
    assert ends(found) == [55, 70, 10, 20, 30]
    assert (found.eligible / 1000).tolist() == [0, 55, 0, 0, 0]
    assert (found.wait / 1000).tolist() == [5, 5, 0, 10, 20]
    assert found.left_out["never_eligible"] == 1
    assert found.fate_time == {
        "completed": 40_000, "failed": 25_000, "cancelled": 0, "retried": 25_000, "redone": 0,
    }  # fmt: skip
    assert found.preemptions.tolist() == [0] * 5


@pytest.mark.parametrize("policy", ["gavel-agnostic", "sia"])
def test_think_times(tmp_path: Path, policy: str) -> None:
    """2 is submitted at 10 + 33 s and starts with the round at 50; 3 at its end."""
    trace = read_jobs(
        swf(
            tmp_path,
            {"job": 1},
            {"job": 2, "submit": 1, "preceding": 1, "think": 33},
            {"job": 3, "submit": 2, "preceding": 2},
        ),
        terms=True,
    )
    found = in_rounds(tmp_path, trace, ReplayRules(dependencies="think"), policy)
    assert starts(found) == [0, 50, 60]
    assert (found.eligible / 1000).tolist() == [0, 43, 60]
    assert (found.wait / 1000).tolist() == [0, 7, 0]


def test_an_elastic_job_has_no_more_than_it_is_charged_for(tmp_path: Path) -> None:
    """On 4 chips of Sia a job of 2 takes all 4 from its third round on; under a quota it stays at 2."""
    types = ONE_TYPE.replace("{v: 1}}", "{v: 1}, elastic: {most: 4, serial: 0%}}")
    trace = jobs(tmp_path, "1,0,2,100,a\n", "tenant")
    assert ends(in_rounds(tmp_path, trace, ReplayRules(), "sia", types)) == [20 + 85 / 2]
    governed = ruled(tmp_path, "tenants: {a: {quota: 2}}")
    assert ends(in_rounds(tmp_path, trace, governed, "sia", types)) == [10 + 95]


def test_what_rounds_cannot_do(tmp_path: Path) -> None:
    trace = jobs(tmp_path, "1,0,1,100,x\n2,0,1,100,y\n", "class")
    types = ONE_TYPE.replace("all: {speeds: {v: 1}}", "x: {speeds: {v: 1}}, y: {speeds: {v: 1}}")
    given = "classes: {x: {priority: 1, preemptible: false}}\ndrains: [{at: 1 h, lasts: 1 h}]\n"
    with pytest.raises(InputError) as said:
        in_rounds(tmp_path, trace, ruled(tmp_path, given, preemption="priority"), "sia", types)
    assert str(said.value).splitlines() == [
        "policy sia knows no priorities; leave --preemption and --by-class out",
        "policy sia knows no drains and no reservations; leave it out",
        "policy sia stops jobs of every class, of x too; leave preemptible: false out",
    ]


# -- against the slow scheduler ----------------------------------------------------------------------

ROUND = 4_000
CHIPS = [2, 4]
SPEED = [(1.0, 0.5), (0.0, 1.0)]


@st.composite
def governed_traces(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Rows of a trace, and a file of governance with quotas by type or without."""
    count = draw(st.integers(2, 9))
    limits = draw(st.lists(st.sampled_from([1, 2]), min_size=2, max_size=2))
    rows, submit = "", 0
    for job in range(1, count + 1):
        submit += draw(st.integers(0, 6))
        after = [
            f"{draw(st.sampled_from(['', 'afterok:']))}{on}"
            for on in draw(st.lists(st.integers(1, max(job - 1, 1)), max_size=2, unique=True))
            if on < job and draw(st.integers(0, 3)) == 0
        ]
        array = draw(st.sampled_from(["", "", "", "s", "t"]))
        limit = {"s": limits[0], "t": limits[1]}.get(array, 0)
        tenant, of_class = draw(st.sampled_from("abc")), draw(st.sampled_from("xy"))
        if job < 3:  # there are jobs of a and b, of x and y
            tenant, of_class = "ab"[job - 1], "xy"[job - 1]
        rows += (
            f"{job},{submit},{draw(st.sampled_from([1, 2, 4]))},{draw(st.integers(1, 13))},"
            f"{tenant},{of_class},{' '.join(after)},"
            f"{draw(st.sampled_from(['completed', 'completed', 'failed', 'cancelled']))},"
            f"{draw(st.sampled_from([0, 0, 1]))},{array},{limit}\n"
        )
    by_type = draw(st.booleans())

    def chips(most: int) -> Any:
        some = st.integers(0, most)
        return {"v": draw(some), "k": draw(some)} if by_type else draw(some)

    tenants: dict[str, Any] = {name: {"quota": chips(4), "cohort": "one"} for name in "ab"}
    if draw(st.booleans()):
        tenants["a"]["borrow"] = chips(2)
    if draw(st.booleans()):
        tenants["b"]["max_running"] = draw(st.integers(1, 2))
    if draw(st.booleans()):
        tenants["c"] = {"quota": chips(4)}
    if not any(figure in "1234" for name in "ab" for figure in repr(tenants[name]["quota"])):
        tenants["a"]["quota"] = {"v": 2, "k": 4} if by_type else 4
    file: dict[str, Any] = {"tenants": tenants, "reclaim": draw(st.booleans())}
    if draw(st.booleans()):
        file["classes"] = {"x": {"max_running": 2}, "y": {"max_chips": draw(st.integers(2, 4))}}
    return rows, file


class Seen:
    """A policy that notes who was admitted in each round."""

    def __init__(self, policy: Any, most: Ints) -> None:
        self.policy, self.most = policy, most
        self.rounds: dict[int, dict[int, int | None]] = {}

    def place(self, now: int, active: Ints, changed: bool, state: Progress) -> Placement:
        flavors = state.flavor[active].tolist()
        found = dict(zip(active.tolist(), (f if f >= 0 else None for f in flavors), strict=True))
        last = self.rounds[max(self.rounds)] if self.rounds else None
        assert changed or found == last
        self.rounds[now] = found
        placed: Placement = self.policy.place(now, active, changed, state)
        assert set(placed.jobs.tolist()) <= set(found)
        confined, types = state.flavor[placed.jobs], placed.held
        if isinstance(self.policy, SiaRounds):
            types = self.policy.option_type[self.policy.kind_in[placed.jobs, confined + 1], placed.held]
        assert np.all((confined < 0) | (confined == types))
        assert np.all(placed.chips <= self.most[placed.jobs])
        assert np.all(np.bincount(types, weights=placed.chips, minlength=2) <= CHIPS)
        return placed


@pytest.mark.parametrize("sia", [False, True])
def test_admission_as_the_slow_scheduler(sia: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("rounds")

    @settings(max_examples=100, deadline=None)
    @given(governed_traces())
    def compare(given: tuple[str, dict[str, Any]]) -> None:
        rows, file = given
        trace = jobs(folder, rows, "tenant,class,after,fate,retries,array,array_limit")
        path = folder / "tenants.yaml"
        tenants = {name: row for name, row in file["tenants"].items() if name in trace.tenants}
        path.write_text(json.dumps(file | {"tenants": tenants}))
        rules = ReplayRules(read_governance(path), dependencies="after", fates=True)
        job_class = np.array([{"x": 0, "y": 1}[name] for name in trace.job_classes])[trace.job_class]
        types = Types(
            ("v", "k"), np.array(CHIPS), ("x", "y"), np.array(SPEED), job_class, ROUND, 0,
            np.array([2, 2]), (None, (1, 8, 0.1)),
        )  # fmt: skip
        index = np.flatnonzero(types.fits(trace.size) & rules.admissible(trace, types))
        if not len(index):
            return
        check(trace, index, rules, types, sia)

    compare()


def check(trace: JobTrace, index: Ints, rules: ReplayRules, types: Types, sia: bool) -> None:
    """Governed rounds, and the slow scheduler told when their jobs ended: the same admissions at each round."""
    terms = submitted(trace, index, rules, types.job_class[index])
    columns = columns_of(trace, index)
    tenant = trace.tenant[index].astype(np.int64)
    admission = Admission(columns, Queue(trace, tenant, QueueOptions(), rules, terms), types)
    state = Progress(columns, ROUND, 0, terms.attempts)
    policy: Any
    if sia:
        policy = SiaRounds(types, columns.size, types.job_class[index], admission.capped, admission.split)
    else:
        policy = GavelRounds("max-min", columns.size, types.job_speed(columns.size, index), types.chips)
    seen = Seen(policy, columns.size if not sia else np.where(admission.capped, columns.size, 8))
    done = admission.finish(run_rounds(seen, state, types.chips, admission), state)
    governance = rules.governance(trace, {}, terms.kinds, types.names)
    of_class = [kind.job_class for kind in terms.kinds]
    slow = Admitted(
        idle_machine(
            CHIPS, [SPEED[group] for group in of_class],
            Case(
                None, (), tuple(cases_jobs(trace, index, columns, terms, tenant)), int(done.end.max()) + ROUND,  # type: ignore[arg-type]
                interval=ROUND, tenants=tuple(governance.tenants), reclaim=governance.reclaim,
                array_limits=terms.array_limits, class_limits=governance.classes,
                flavors=tuple(tuple(pools) for pools in governance.flavors),
            ),
        ),
        {j: (int(done.end[j]), ENDED_AS[int(terms.fate[j])]) for j in np.flatnonzero(done.start >= 0).tolist()},
    )  # fmt: skip
    slow.run()
    for now, found in seen.rounds.items():
        assert found == slow.at(now), f"at {now}"
    assert cancelled(slow) == np.flatnonzero(done.start < 0).tolist()
    assert done.spent is not None and done.failed is not None
    ran = (done.start >= 0).astype(np.int64)
    if not sia:
        assert np.all(state.left[ran > 0] <= 1e-6)
    assert np.all(done.wait[ran > 0] >= 0)


def cases_jobs(trace: JobTrace, index: Ints, columns: Any, terms: Any, tenant: Ints) -> list[Job]:
    """The scheduled jobs as the slow scheduler takes them; nothing fails there, as nothing runs."""
    after: dict[int, list[tuple[int, str]]] = {}
    if terms.waits is not None:
        for job, on, ok in zip(*(column.tolist() for column in terms.waits[:3]), strict=True):
            after.setdefault(job, []).append((on, ("afterany", "afterok")[ok]))
    arrays = np.full(len(index), -1) if terms.array is None else terms.array
    return [
        Job(submit, run, asked, size, size, size, int(terms.kind[j]), int(tenant[j]), tuple(after.get(j, ())), int(arrays[j]))
        for j, (submit, size, run, asked) in enumerate(zip(*(column.tolist() for column in columns), strict=True))
    ]  # fmt: skip
