"""Conservative backfilling with tenants' limits: by hand in seconds, and against the slow rule and the slow admission."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from capsim.engine.gate import ENDED_AS
from capsim.engine.replay import columns_of, measure, replay_trace
from capsim.engine.replay_rules import ReplayRules, submitted
from capsim.errors import InputError
from capsim.spec.governance import read_governance
from capsim.workload.traces import JobTrace, read_jobs
from tests.engine.test_replay_rules import jobs, replay, ruled, starts
from tests.engine.test_round_admission import cases_jobs, governed_traces
from tests.oracles.case import Case
from tests.oracles.conservative import conservative
from tests.oracles.rounds import Admitted, cancelled, idle_machine
from tests.workload.traces.test_terms import swf

CHIPS = 6


def test_a_job_is_promised_its_chips_when_it_is_admitted(tmp_path: Path) -> None:
    """4 chips; a's second job waits for its first, which ends at 60 in place of 100. By then 3 was promised 100 and 4
    the time from 140, before 2 asks: 3 moves to 60, and 2, of 2 chips for 50 s, is behind 4, which moves to 100."""
    rows = "1,0,3,60,100,a\n2,1,2,50,50,a\n3,2,4,40,40,b\n4,3,4,10,10,b\n"
    trace = jobs(tmp_path, rows, "requested,tenant")
    governed = ruled(tmp_path, "tenants: {a: {max_running: 1}}")
    assert starts(replay(trace, governed, 4, "conservative")) == [0, 110, 60, 100]
    assert starts(replay(trace, ReplayRules(), 4, "conservative")) == [0, 60, 110, 150]


def test_dependencies_fates_and_think_times(tmp_path: Path) -> None:
    rows = "1,0,1,10,,failed\n2,0,1,10,1,completed\n3,0,1,10,afterok:1,completed\n"
    trace = jobs(tmp_path, rows, "after,fate")
    found = replay(trace, ReplayRules(dependencies="after", fates=True), 2, "conservative")
    assert starts(found) == [0, 10] and found.left_out["never_eligible"] == 1
    assert measure(found)["failed_share"] == pytest.approx(0.5)
    path = swf(tmp_path, {"job": 1}, {"job": 2, "submit": 1, "preceding": 1, "think": 30})
    thought = replay(read_jobs(path, terms=True), ReplayRules(dependencies="think"), 2, "conservative")
    assert starts(thought) == [0, 40]
    assert thought.wait.tolist() == [0, 0]


def test_what_conservative_cannot_do(tmp_path: Path) -> None:
    trace = jobs(tmp_path, "1,0,1,10,a,1\n2,0,1,10,b,0\n", "tenant,retries")
    lent = "tenants: {a: {quota: 1, cohort: x}, b: {quota: 1, cohort: x}}\n"
    with pytest.raises(InputError) as said:
        replay(trace, ruled(tmp_path, lent, fates=True), 2, "conservative")
    assert str(said.value).splitlines() == [
        "policy conservative takes no promise back; write reclaim: false",
        "policy conservative runs no job again; leave --retry and a column retries out",
    ]
    assert starts(replay(trace, ruled(tmp_path, lent + "reclaim: false"), 2, "conservative")) == [0, 0]


@pytest.mark.parametrize("policy", ["conservative", "conservative:2"])
def test_as_the_slow_rule_on_what_the_slow_admission_lets_in(
    policy: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("conservative")

    @settings(max_examples=60, deadline=None)
    @given(governed_traces())
    def compare(given: tuple[str, dict[str, Any]]) -> None:
        rows, file = given
        if isinstance(file["tenants"]["a"]["quota"], dict):
            return
        lines = [line.split(",") for line in rows.splitlines()]
        rows = "".join(",".join([*line[:8], "0", *line[9:]]) + "\n" for line in lines)
        trace = jobs(folder, rows, "tenant,class,after,fate,retries,array,array_limit")
        path = folder / "tenants.yaml"
        tenants = {name: row for name, row in file["tenants"].items() if name in trace.tenants}
        path.write_text(json.dumps(file | {"tenants": tenants, "reclaim": False}))
        check(trace, ReplayRules(read_governance(path), dependencies="after", fates=True), policy)

    compare()


def check(trace: JobTrace, rules: ReplayRules, policy: str) -> None:
    """The instants at which the slow admission lets jobs in are the submissions of the slow rule."""
    done = replay_trace(trace, policy=policy, chips=CHIPS, rules=rules)
    index = np.flatnonzero((trace.size <= CHIPS) & rules.admissible(trace))
    if not len(index):
        return
    columns, terms = columns_of(trace, index), submitted(trace, index, rules)
    place = {job: at for at, job in enumerate(index.tolist())}
    zero = int(trace.submit[index[0]])
    ends = {
        place[job]: (end - zero, ENDED_AS[int(terms.fate[place[job]])])
        for job, end in zip(done.index.tolist(), done.end.tolist(), strict=True)
    }
    governance = rules.governance(trace, {}, terms.kinds, ())
    tenant = trace.tenant[index].astype(np.int64)
    slow = Admitted(
        idle_machine(
            [CHIPS], [(1.0,)] * len(terms.kinds),
            Case(
                None, (), tuple(cases_jobs(trace, index, columns, terms, tenant)),  # type: ignore[arg-type]
                max((end for end, _ in ends.values()), default=0) + 1, interval=1,
                tenants=tuple(governance.tenants), reclaim=False, array_limits=terms.array_limits,
                class_limits=governance.classes,
            ),
        ),
        ends,
    )  # fmt: skip
    slow.run()
    let_in: dict[int, int] = {}
    for now in sorted(slow.found):
        for j in slow.found[now]:
            let_in.setdefault(j, now)
    assert sorted([*let_in, *cancelled(slow)]) == list(range(len(index)))
    order = sorted(let_in, key=lambda j: (let_in[j], j))
    rows = [(let_in[j], int(columns.size[j]), int(columns.run[j]), int(columns.requested[j])) for j in order]
    seconds = [(at // 1000, size, run // 1000, asked // 1000) for at, size, run, asked in rows]
    depth = 2 if policy.endswith("2") else 0
    wanted = dict(zip(order, conservative(seconds, CHIPS, depth), strict=True))
    found = {
        place[job]: (start - zero) // 1000
        for job, start in zip(done.index.tolist(), done.start.tolist(), strict=True)
    }
    assert found == wanted
