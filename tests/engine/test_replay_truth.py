"""``replay_trace`` gives every start of the shared exact schedules, and their averages."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from capsim.engine.replay import POLICIES, measure, replay_trace
from capsim.errors import InputError
from capsim.workload.traces import JobTrace, read_jobs

AVERAGES = {
    "sdsc_sp2_5k": ((15581.478, 139.594804), (3641.380, 18.005964), (3810.178, 17.121420)),
    "curie_5k": ((2450.663, 56.852327), (1037.372, 16.258891), (1020.166, 16.000544)),
    "nasa_full": ((8.081, 1.026233), (4.067, 1.011872), (4.067, 1.011872)),
    "lublin_10k": ((2388443.760, 66502.475529), (97155.995, 590.053777), (131567.509, 489.201322)),
    "lublin2_10k": ((1172120.145, 54575.245532), (9703.562, 256.628737), (9659.308, 239.570503)),
}
"""Average wait in seconds and average bounded slowdown, by policy in the order of POLICIES."""


def truth_starts(path: Path, policy: str) -> tuple[list[int], list[int]]:
    """Job numbers and starts, in seconds, of one exact schedule."""
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    return [int(row["job"]) for row in rows], [int(row[f"start_{policy}"]) for row in rows]


@pytest.mark.shared
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("trace", AVERAGES)
def test_every_start_and_both_averages(shared: Path, trace: str, policy: str) -> None:
    folder = shared / "truth" / "scheduling"
    jobs, starts = truth_starts(folder / f"{trace}.truth.csv.gz", policy)
    schedule = replay_trace(read_jobs(folder / f"{trace}.swf.gz"), policy=policy)
    assert schedule.job.tolist() == jobs
    differ = np.flatnonzero(schedule.start != 1000 * np.array(starts))
    assert len(differ) == 0, f"{len(differ)} starts differ, the first that of job {jobs[differ[0]]}"
    figures = measure(schedule)
    wait, slowdown = AVERAGES[trace][POLICIES.index(policy)]
    assert figures["wait_s"]["mean"] == pytest.approx(wait, abs=5.1e-4)
    assert figures["bounded_slowdown"]["mean"] == pytest.approx(slowdown, abs=5.1e-7)
    assert 0 < figures["utilisation"] <= 1


@pytest.mark.shared
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("raw", "trace"),
    [("SDSC-SP2-first5000.swf", "sdsc_sp2_5k"), ("NASA-iPSC-1993-3.1-cln.swf.gz", "nasa_full")],
)
def test_raw_traces_give_the_same_starts(shared: Path, raw: str, trace: str, policy: str) -> None:
    _, starts = truth_starts(shared / "truth" / "scheduling" / f"{trace}.truth.csv.gz", policy)
    schedule = replay_trace(read_jobs(shared / "traces" / raw), policy=policy, chips=128)
    assert schedule.start.tolist() == [1000 * start for start in starts]


def small(tmp_path: Path, rows: str) -> JobTrace:
    path = tmp_path / "t.csv"
    path.write_text("job,submit,size,run,requested\n" + rows)
    return read_jobs(path)


@pytest.mark.parametrize("policy", POLICIES)
def test_clock_may_be_negative_and_starts_stay_on_it(tmp_path: Path, policy: str) -> None:
    trace = small(tmp_path, "1,-100,2,10,10\n2,-95,1,10,10\n3,-2000000000,1,1,1\n")
    schedule = replay_trace(trace, policy=policy, chips=2)
    assert schedule.job.tolist() == [3, 1, 2]
    assert schedule.start.tolist() == [-2_000_000_000_000, -100_000, -90_000]


@pytest.mark.parametrize("policy", POLICIES)
def test_jobs_larger_than_the_machine_are_counted_not_scheduled(tmp_path: Path, policy: str) -> None:
    trace = small(tmp_path, "1,0,9,10,10\n2,0,8,10,10\n")
    schedule = replay_trace(trace, policy=policy, chips=8)
    assert (schedule.too_large, schedule.job.tolist()) == (1, [2])
    assert replay_trace(trace, policy=policy, chips=1).too_large == 2
    assert "wait_s" not in measure(replay_trace(trace, policy=policy, chips=1))


def test_wrong_policy_and_machine_are_input_errors(tmp_path: Path) -> None:
    trace = small(tmp_path, "1,0,9,10,10\n")
    for options in ({"policy": "lifo", "chips": 4}, {"policy": "easy"}, {"policy": "easy", "chips": -1}):
        with pytest.raises(InputError):
            replay_trace(trace, **options)
