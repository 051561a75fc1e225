"""The table of jobs of a replay: every figure of the report can be made from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as compute
import pyarrow.csv as arrow_csv
import pytest

from capsim.engine.replay import ReplayRules, measure, replay_trace
from capsim.engine.replay_table import per_job
from capsim.workload.traces import read_jobs, write_table
from tests.traces import busy_trace


def test_figures_from_the_table(tmp_path: Path) -> None:
    schedules = [replay_trace(busy_trace(200), policy=name, chips=12) for name in ("easy", "las")]
    write_table(tmp_path / "jobs.csv", per_job(schedules))
    table = arrow_csv.read_csv(tmp_path / "jobs.csv")
    for schedule in schedules:
        figures = measure(schedule)
        mine = table.filter(compute.equal(table["policy"], schedule.policy))
        end, eligible, run, wait, size = (
            mine[name].to_numpy() for name in ("end", "eligible", "run", "wait", "size")
        )
        work = size * run
        assert len(end) == figures["jobs"]
        assert wait == pytest.approx(end - eligible - run, abs=2e-3)
        assert figures["wait_s"]["mean"] == pytest.approx(wait.mean())
        assert figures["completion_s"]["p95"] == pytest.approx(np.percentile(end - eligible, 95))
        for name in ("bounded_slowdown", "finish_time_fairness"):
            assert figures[name]["mean"] == pytest.approx(mine[name].to_numpy().mean())
        assert figures["utilisation"] == pytest.approx(work.sum() / (12 * (end.max() - eligible.min())))
        assert figures["preemptions"] == mine["preemptions"].to_numpy().sum()


def test_names_and_fates(tmp_path: Path) -> None:
    """Job 3 needs job 1, which fails: it never starts and has no row. Job 2 is eligible at the end of 1."""
    (tmp_path / "jobs.csv").write_text(
        "job,submit,size,run,tenant,class,after,fate\n"
        '7,100,1,10,"Zoë, 用户",a,,failed\n8,101,1,5,x,b,7,cancelled\n9,102,1,5,x,a,afterok:7,completed\n'
    )
    trace = read_jobs(tmp_path / "jobs.csv", terms=True)
    rules = ReplayRules(dependencies="after", fates=True)
    columns = per_job([replay_trace(trace, policy=name, chips=4, rules=rules) for name in ("fcfs", "sjf")])
    assert columns["policy"].to_pylist() == ["fcfs", "fcfs", "sjf", "sjf"]
    assert columns["job"].tolist() == [7, 8, 7, 8]
    assert columns["tenant"].to_pylist()[:2] == ["Zoë, 用户", "x"]
    assert columns["class"].to_pylist()[:2] == ["a", "b"]
    assert columns["fate"].to_pylist()[:2] == ["failed", "cancelled"]
    assert columns["submit"].tolist()[:2] == [100, 101]
    assert columns["eligible"].tolist()[:2] == [100, 110]
    assert columns["end"].tolist()[:2] == [110, 115]
    assert set(map(len, columns.values())) == {4}
