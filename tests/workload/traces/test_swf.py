"""The SWF reader: quirks, cleaning, and the raw traces behind the exact schedules."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from capsim.errors import InputError
from capsim.workload.traces import read_jobs, read_trace
from capsim.workload.traces.swf import USED, parse_careful, parse_fast


def record(job: int, submit: float, run: float, *, used: int = -1, size: int = -1, time: float = -1) -> str:
    """One SWF record; unknown fields are −1."""
    return f"{job} {submit} -1 {run} {used} -1 -1 {size} {time} -1 1 7 -1 -1 -1 -1 -1 -1"


def write(tmp_path: Path, *lines: str, name: str = "t.swf") -> Path:
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n")
    return path


def test_cleaning_rules_one_by_one(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "; MaxProcs: 64",
        record(1, 10, 100, size=4, time=200),
        record(2, 11, 300, size=4, time=200),
        record(3, 12, 100, used=8),
        record(4, 13, 0, size=4),
        record(5, 14, 100),
        record(6, 15, -1, size=4),
        record(7, 16, 100, used=8, size=16, time=0),
    )
    trace = read_jobs(path)
    assert trace.chips == 64
    assert trace.job.tolist() == [1, 2, 3, 7]
    assert trace.size.tolist() == [4, 4, 8, 16]
    assert trace.run.tolist() == [100_000, 200_000, 100_000, 100_000]
    assert trace.requested.tolist() == [200_000, 200_000, 100_000, 100_000]
    counts = trace.cleaning
    assert (counts.records, counts.kept) == (7, 4)
    assert (counts.dropped_no_run_time, counts.dropped_no_size) == (2, 1)
    assert (counts.cut_at_requested, counts.filled_requested, counts.filled_size) == (1, 2, 1)


def test_unsorted_negative_and_doubled_records_are_kept_in_submission_order(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        record(5, 30, 10, size=1),
        record(5, -20, 10, size=2),
        record(9, 30, 10, size=3),
        record(2, -20, 10, size=4),
    )
    trace = read_jobs(path)
    assert trace.size.tolist() == [2, 4, 1, 3]
    assert trace.submit.tolist() == [-20_000, -20_000, 30_000, 30_000]
    assert trace.cleaning.before_zero == 2
    assert trace.cleaning.duplicate_numbers == 1
    assert trace.cleaning.out_of_order == 2


@pytest.mark.parametrize("separator", ["  ", "\t", " \t "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spacing_and_line_ends_do_not_matter(tmp_path: Path, separator: str, end: str) -> None:
    lines = [record(1, 0, 10, size=1), record(2, 5.5, 10.25, size=2)]
    path = tmp_path / "t.swf"
    path.write_bytes(end.join(separator + line.replace(" ", separator) for line in lines).encode())
    trace = read_jobs(path)
    assert trace.job.tolist() == [1, 2]
    assert trace.submit.tolist() == [0, 5500]
    assert trace.run.tolist() == [10_000, 10_250]


def test_comments_anywhere_and_gzip_without_suffix(tmp_path: Path) -> None:
    text = f"; MaxNodes: 12\n\n{record(1, 0, 10, size=1)} ; note\n; middle\n{record(2, 1, 10, size=1)}\n"
    path = tmp_path / "packed"
    path.write_bytes(gzip.compress(text.encode()))
    trace = read_jobs(path, "swf")
    assert trace.chips == 12
    assert trace.job.tolist() == [1, 2]


def test_empty_trace_has_no_jobs(tmp_path: Path) -> None:
    assert len(read_jobs(write(tmp_path, "; MaxProcs: 4"))) == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1 2 3", ":2: 3 fields"),
        (record(1, 0, 10, size=1).replace(" 10 ", " ten "), ":2: field 4 (run time) is 'ten'"),
        (record(1, 0, 10, size=1).replace(" 10 ", " nan "), ":2: field 4 (run time) is 'nan'"),
        (record(1, 0, 10, size=1).replace(" 10 ", " 1_0 "), ":2: field 4 (run time) is '1_0'"),
        (record(1, 0, 1e300, size=1), ":2: field 4 (run time) is 1e+300, beyond"),
        (record(1, 0, 10).replace("10 -1 -1 -1 -1", "10 -1 -1 -1 2.5"), "processors) is 2.5; write a whole"),
        (record(1, 0, 10) + " 7", ":2: 19 fields"),
    ],
)
def test_malformed_records_are_named_by_line(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path, record(9, 0, 10, size=1), line)
    with pytest.raises(InputError) as caught:
        read_jobs(path, "swf")
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_all_problems_up_to_five_are_shown(tmp_path: Path) -> None:
    path = write(tmp_path, record(9, 0, 10, size=1), *["1 2 3"] * 9)
    with pytest.raises(InputError) as caught:
        read_jobs(path)
    assert str(caught.value).count("3 fields") == 5


def test_overflowing_clock_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, *[record(i, 0, 9e11, size=2**30, time=9e11) for i in range(12)])
    with pytest.raises(InputError, match="chip-milliseconds"):
        read_jobs(path)


def test_fast_and_careful_readers_agree() -> None:
    rng = np.random.default_rng(5)
    rows = [record(i, int(rng.integers(0, 99)), int(rng.integers(-1, 9)), size=i % 7) for i in range(200)]
    body = ("\n".join(rows) + "\n").encode()
    fast, careful = parse_fast(body, USED), parse_careful(body, "x", USED)
    assert fast is not None
    for field, values in careful.items():
        assert np.array_equal(fast[field], values)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [("SDSC-SP2-first5000.swf", "sdsc_sp2_5k"), ("NASA-iPSC-1993-3.1-cln.swf.gz", "nasa_full")],
)
def test_raw_traces_cleaned_are_the_truths_inputs(shared: Path, raw: str, cleaned: str) -> None:
    ours = read_jobs(shared / "traces" / raw)
    theirs = read_jobs(shared / "truth" / "scheduling" / f"{cleaned}.swf.gz")
    assert ours.chips == theirs.chips == 128
    for column in ("submit", "size", "run", "requested"):
        assert np.array_equal(getattr(ours, column), getattr(theirs, column)), column
    assert theirs.cleaning.sentences() == []


@pytest.mark.shared
def test_philly_and_azure_are_read_whole(shared: Path) -> None:
    philly = read_jobs(shared / "traces" / "philly_sia.csv.gz")
    assert len(philly) == 82_247
    assert len(philly.tenants) == 15
    with gzip.open(shared / "traces" / "philly_sia.csv.gz", "rt") as file:
        stated = sum(float(row["gpu_time"]) for row in csv.DictReader(file))
    assert int(np.dot(philly.size, philly.run)) == round(stated * 1000)
    azure = read_trace(shared / "traces" / "azure_llm_2023_conv.csv.gz")
    assert len(azure) == 19_366
