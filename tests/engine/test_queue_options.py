"""Options of orders and shares of tenants as written on the command line, and orders that need them."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsim.engine.queue_options import read_queue_options
from capsim.engine.replay import replay_trace
from capsim.errors import InputError
from capsim.workload.traces import JobTrace, read_jobs


def trace_of(folder: Path, rows: str) -> JobTrace:
    path = folder / "jobs.csv"
    path.write_text("job,submit,size,run,tenant\n" + rows)
    return read_jobs(path)


def test_values_are_read_with_their_units() -> None:
    found = read_queue_options(
        ["las.thresholds=1h, 10h", "las.promote=0", "fair-share.half_life=2 d", "edf.slack=1.5"], ["user 3=2"]
    )
    assert found.options == {
        "las": {"thresholds": (3_600_000, 36_000_000), "promote": 0.0},
        "fair-share": {"half_life": 172_800_000},
        "edf": {"slack": 1.5},
    }
    assert found.shares == {"user 3": 2.0}


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        read_queue_options(
            ["las.threshold=1h", "las.thresholds=10h,1h", "edf.slack=2 h", "themis.recalculate=1h,2h"],
            ["a", "=3", "b=-1", "c=x"],
        )
    lines = str(caught.value).splitlines()
    assert len(lines) == 8
    assert "one of edf.slack" in lines[0] and "must increase" in lines[1]


def test_least_attained_service_stops_a_long_job(tmp_path: Path) -> None:
    """One chip, threshold 60 chip-seconds, keys at every pass: A runs from 0, and B (30 s), submitted at 100 s,
    stops it, for A has attained 100; A goes on at 130 and ends at 330. Under fcfs B starts at 300."""
    trace = trace_of(tmp_path, "1,0,1,300,a\n2,100,1,30,a\n")
    options = read_queue_options(
        ["las.thresholds=60s", "las.promote=0", "las.recalculate=0s", "las.exempt=0s"], []
    )
    done = replay_trace(trace, policy="las", chips=1, options=options)
    assert (done.start // 1000).tolist() == [0, 100]
    assert (done.end // 1000).tolist() == [330, 130]
    assert (done.wait // 1000).tolist() == [30, 0]
    assert done.preemptions.tolist() == [1, 0]
    assert (replay_trace(trace, policy="fcfs", chips=1).start // 1000).tolist() == [0, 300]


def test_shares_decide_between_tenants(tmp_path: Path) -> None:
    """One chip, no decay. Both tenants have used 100 s when jobs 3 (a) and 4 (b) wait: equal shares go by
    submission; with a share of 2 for b its usage counts half, and 4 goes first."""
    trace = trace_of(tmp_path, "1,0,1,100,a\n2,1,1,100,b\n3,2,1,10,a\n4,3,1,10,b\n")
    plain = ["fair-share.half_life=0s", "fair-share.recalculate=0s"]
    equal = replay_trace(trace, policy="fair-share", chips=1, options=read_queue_options(plain, []))
    favoured = replay_trace(trace, policy="fair-share", chips=1, options=read_queue_options(plain, ["b=2"]))
    assert (equal.start // 1000).tolist() == [0, 100, 200, 210]
    assert (favoured.start // 1000).tolist() == [0, 100, 210, 200]


def test_a_tenant_that_the_trace_does_not_have(tmp_path: Path) -> None:
    trace = trace_of(tmp_path, "1,0,1,100,alpha\n")
    with pytest.raises(InputError, match="no tenant 'alpah'; did you mean `alpha`"):
        replay_trace(trace, policy="fair-share", chips=1, options=read_queue_options([], ["alpah=2"]))
