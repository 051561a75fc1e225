"""Every start of the shared truth, by the scalar kernel and by the cluster."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, Layout, LayoutError, make_jobs
from capsim.kernel.replay import run

TRACES = {"nasa_full": 128, "sdsc_sp2_5k": 128, "lublin_10k": 256, "lublin2_10k": 256, "curie_5k": 93_312}
COLUMNS = {"fcfs": "start_fcfs", "easy": "start_easy"}


def truth(shared: Path, name: str) -> np.ndarray:
    path = shared / "truth" / "scheduling" / f"{name}.truth.csv.gz"
    return np.genfromtxt(gzip.open(path), delimiter=",", names=True, dtype=np.int64)


def by_cluster(jobs: np.ndarray, chips: int, policy: str) -> np.ndarray:
    """Starts on a pool of one domain."""
    layout = Layout()
    layout.site(layout.pool(chips))
    layout.tranche(0, 1)
    classes = Classes(1)
    classes.add()
    rules = Policy(backfill="none" if policy == "fcfs" else policy)
    cluster = Cluster(layout, jobs, classes, policy=rules, max_extra_jobs=0)
    cluster.activate(0)
    cluster.advance(2**55)
    assert cluster.check() == []
    return cluster.runs["start"].copy()


@pytest.mark.shared
@pytest.mark.parametrize("policy", COLUMNS)
@pytest.mark.parametrize("name", TRACES)
def test_every_start_of_the_truth(shared: Path, name: str, policy: str) -> None:
    rows = truth(shared, name)
    given_ = (rows["submit"], rows["procs"], rows["runtime"], rows["requested"])
    assert np.array_equal(run(*given_, TRACES[name], policy).start, rows[COLUMNS[policy]])
    jobs = make_jobs(rows["submit"], rows["runtime"], rows["procs"], rows["requested"])
    assert np.array_equal(by_cluster(jobs, TRACES[name], policy), rows[COLUMNS[policy]])


JOB = st.tuples(st.integers(0, 30), st.integers(1, 8), st.integers(1, 20), st.integers(1, 30))


@settings(max_examples=60, deadline=None)
@given(st.lists(JOB, min_size=1, max_size=25), st.sampled_from(sorted(COLUMNS)))
def test_scalar_and_cluster_agree(rows: list[tuple[int, int, int, int]], policy: str) -> None:
    """Estimates below the run time included: both end such jobs at the estimate."""
    rows = sorted(rows, key=lambda r: r[0])
    submit, size, length, requested = (np.array(c, dtype=np.int64) for c in zip(*rows, strict=True))
    jobs = make_jobs(submit, length, size, requested)
    assert np.array_equal(run(submit, size, length, requested, 8, policy).start, by_cluster(jobs, 8, policy))


def test_replay_refuses_what_it_cannot_schedule() -> None:
    one = np.ones(1, dtype=np.int64)
    with pytest.raises(LayoutError, match="between 1 and 4 chips"):
        run(one, one * 5, one, one, 4)
    with pytest.raises(LayoutError, match="use one of fcfs, easy"):
        run(one, one, one, one, 4, "eazy")
