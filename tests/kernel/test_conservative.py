"""Conservative backfilling: equal to the truth and to the obvious scheduler, job by job."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.errors import InputError
from capsim.kernel.conservative import conservative, conservative_with_counters
from tests.kernel.queues_of_jobs import Row, columns, crowded
from tests.oracles.conservative import conservative as obvious

MACHINES = {
    "sdsc_sp2_5k": 128,
    "curie_5k": 93_312,
    "nasa_full": 128,
    "lublin_10k": 256,
    "lublin2_10k": 256,
}


def starts(rows: list[Row], chips: int, depth: int = 0) -> list[int]:
    """Start times by the kernel."""
    return conservative(*columns(rows), chips, depth).tolist()


@pytest.mark.shared
@pytest.mark.parametrize("trace", MACHINES)
def test_every_start_of_the_truth(shared: Path, trace: str) -> None:
    with gzip.open(shared / "truth" / "scheduling" / f"{trace}.truth.csv.gz", "rt") as file:
        truth = np.genfromtxt(file, delimiter=",", names=True, dtype=np.int64)
    jobs = [truth[name] for name in ("submit", "procs", "runtime", "requested")]
    np.testing.assert_array_equal(conservative(*jobs, MACHINES[trace]), truth["start_conservative"])
    np.testing.assert_array_equal(conservative(*jobs, MACHINES[trace], depth=1), truth["start_easy"])


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Row], int]:
    """A few jobs with many ties, on a small machine; some run longer than requested."""
    chips = draw(st.integers(1, 8))
    gaps = st.integers(0, 3)
    job = st.tuples(gaps, st.integers(1, chips), st.integers(1, 12), st.integers(1, 12))
    now, rows = draw(st.integers(0, 3)), []
    for gap, size, run, requested in draw(st.lists(job, min_size=1, max_size=14)):
        now += gap
        rows.append((now, size, run, requested))
    return rows, chips


@settings(max_examples=400, deadline=None)
@given(cases(), st.integers(0, 4))
def test_small_cases_equal_the_obvious_scheduler(case: tuple[list[Row], int], depth: int) -> None:
    rows, chips = case
    assert starts(rows, chips, depth) == obvious(rows, chips, depth)


@pytest.mark.parametrize(("seed", "depth"), [(1, 0), (2, 0), (3, 0), (4, 1), (5, 7), (6, 60)])
def test_crowded_cases_equal_the_obvious_scheduler(seed: int, depth: int) -> None:
    rows = crowded(seed, 1000 if depth == 0 else 700, 256, 1.5)
    got, counters = conservative_with_counters(*columns(rows), 256, depth)
    assert got.tolist() == obvious(rows, 256, depth)
    assert counters.moves > 0 and counters.longest_queue > 32


def test_small_blocks_equal_the_obvious_scheduler(root: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.kernel.small_blocks", "25"],
        cwd=root,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.strip() == "25", run.stderr


def test_counters_of_a_case_done_by_hand() -> None:
    # 2 chips. A runs 4 of 10 on one chip; B wants both and is promised 10; C fits beside A until 10.
    # A ends at 4: B may not move (C runs until its estimate, 9), C ends at 6: B moves from 9 to 6.
    rows = [(0, 1, 4, 10), (1, 2, 5, 5), (2, 1, 4, 7)]
    got, counters = conservative_with_counters(*columns(rows), 2)
    assert got.tolist() == [0, 6, 2] == obvious(rows, 2)
    assert counters == (3, 1, 1, 2, 2, 2)
    assert counters.backfilled_share == pytest.approx(1 / 3)


@settings(max_examples=50, deadline=None)
@given(cases(), st.integers(-100, 100), st.integers(2, 1000))
def test_origin_and_unit_of_time_do_not_matter(case: tuple[list[Row], int], origin: int, unit: int) -> None:
    rows, chips = case
    other = [(origin + submit * unit, size, run * unit, ask * unit) for submit, size, run, ask in rows]
    assert starts(other, chips) == [origin + unit * start for start in starts(rows, chips)]


def test_many_jobs_at_one_instant_run_one_after_another() -> None:
    count = 3_000
    got = conservative(np.full(count, 7), np.full(count, 3), np.full(count, 2), np.full(count, 5), 4)
    np.testing.assert_array_equal(got, 7 + 2 * np.arange(count))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, 1, 1, 1), (0, 1, 1, 1)], "job 1 is submitted before job 0: sort the jobs"),
        ([(0, 0, 1, 1)], "job 0 has size 0"),
        ([(0, 1, 0, 1)], "job 0 has run 0"),
        ([(0, 1, 1, -3)], "job 0 has requested -3"),
        ([(0, 9, 1, 1)], "job 0 needs 9 of 8 chips"),
        ([(0, 1, 1, 2**62)], "coarser unit"),
    ],
)
def test_jobs_that_the_rule_is_not_defined_for(rows: list[Row], message: str) -> None:
    with pytest.raises(InputError, match=message):
        starts(rows, 8)


def test_other_bad_input() -> None:
    with pytest.raises(InputError, match="whole numbers"):
        conservative([0.5], [1], [1], [1], 1)
    with pytest.raises(InputError, match="one entry for each job"):
        conservative([0, 1], [1], [1], [1], 1)
    with pytest.raises(InputError, match="depth is -1"):
        conservative([0], [1], [1], [1], 1, -1)
    assert conservative(np.empty(0, np.int64), [], [], [], 1).size == 0
