"""Job and request tables: CSV and Parquet, converting, damage."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as arrow_parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capsim.errors import InputError
from capsim.workload.traces import (
    RequestTrace,
    read_jobs,
    read_requests,
    read_trace,
    summarise_jobs,
    summarise_requests,
    write_jobs,
    write_requests,
)

JOBS_CSV = "job,submit,size,run,requested,tenant\n7,0,4,10.5,20,alignment\n8,3,2,5,-1,pretraining\n"
PHILLY_CSV = (
    "timestamp,duration,num_gpus,gpu_time,cluster\n"
    "2017-10-09 07:01:55,66.0,1,66.0,11cb48\n"
    "2017-10-09 07:00:55,10.5,8,84.0,6214e9\n"
)
AZURE_CSV = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n"


def write(tmp_path: Path, text: str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, newline="")
    return path


def test_own_job_table(tmp_path: Path) -> None:
    trace = read_jobs(write(tmp_path, JOBS_CSV))
    assert trace.run.tolist() == [10_500, 5_000]
    assert trace.requested.tolist() == [20_000, 5_000]
    assert [trace.tenants[i] for i in trace.tenant] == ["alignment", "pretraining"]
    assert trace.cleaning.filled_requested == 1


def test_columns_may_come_under_their_other_names_and_in_any_order(tmp_path: Path) -> None:
    trace = read_jobs(write(tmp_path, "runtime,procs,extra,job,submit\n10,4,x,1,0\n"))
    assert (trace.size.tolist(), trace.run.tolist()) == ([4], [10_000])
    with pytest.raises(InputError, match="run, runtime all mean 'run'"):
        read_jobs(write(tmp_path, "run,runtime,procs,job,submit\n10,10,4,1,0\n"))


def test_philly_rows_are_numbered_and_clocked_from_the_first(tmp_path: Path) -> None:
    trace = read_jobs(write(tmp_path, PHILLY_CSV))
    assert trace.job.tolist() == [2, 1]
    assert trace.submit.tolist() == [0, 60_000]
    assert trace.clock == "seconds since 2017-10-09 07:00:55"


def test_azure_requests_with_and_without_a_zone(tmp_path: Path) -> None:
    trace = read_requests(write(tmp_path, AZURE_CSV))
    assert (trace.input_tokens.tolist(), trace.output_tokens.tolist()) == ([374], [44])
    text = AZURE_CSV + "2023-11-16 18:15:47.1805900,1,2\r\n"
    zoned = text.replace("0,374", "0+00:00,374").replace("0,1,2", "0+00:00,1,2")
    for version in (text, zoned):
        assert read_requests(write(tmp_path, version)).arrival.tolist() == [0, 500]


@pytest.mark.parametrize("name", ["o.csv", "o.csv.gz", "o.parquet"])
def test_jobs_written_and_read_again_are_the_same(tmp_path: Path, name: str) -> None:
    trace = read_jobs(write(tmp_path, JOBS_CSV))
    write_jobs(trace, tmp_path / name)
    again = read_jobs(tmp_path / name)
    for column in ("job", "submit", "size", "run", "requested"):
        assert np.array_equal(getattr(again, column), getattr(trace, column)), column
    assert again.tenants == trace.tenants
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".part")] == []


def test_classes_of_jobs_are_written_and_read_again(tmp_path: Path) -> None:
    rows = "job,submit,size,run,class\n1,5,1,10,speech\n2,0,1,10,vision\n3,6,1,10,speech\n"
    trace = read_jobs(write(tmp_path, rows))
    assert trace.job_classes == ("speech", "vision")
    assert trace.job_class is not None and trace.job_class.tolist() == [1, 0, 0]
    write_jobs(trace, tmp_path / "o.csv")
    again = read_jobs(tmp_path / "o.csv")
    assert again.job_class is not None and again.job_class.tolist() == [1, 0, 0]


def test_requests_written_and_read_again_are_the_same(tmp_path: Path) -> None:
    trace = read_requests(write(tmp_path, AZURE_CSV))
    write_requests(trace, tmp_path / "o.parquet")
    again = read_trace(tmp_path / "o.parquet")
    assert isinstance(again, RequestTrace)
    assert again.input_tokens.tolist() == trace.input_tokens.tolist()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("job,submit,size,run\n1,0,4\n", ":2: 3 values; the header has 4 columns"),
        ("job,submit,size,run\n1,0,4,5\n1,0,x,5\n", ":3: size is 'x'; write a whole number"),
        ("job,submit,size,run\n1,0,1.5,5\n", ":2: size is '1.5'"),
        ("job,submit,size,run\n1,inf,1,5\n", ":2: submit is 'inf'"),
        ("job,submit,size\n1,0,4\n", "no column 'run'"),
        ("timestamp,duration,num_gpus,cluster\nyesterday,1,1,a\n", ":2: timestamp is 'yesterday'"),
        ("timestamp,duration,num_gpus,cluster\n9999-01-01,1,1,a\n", ":2: timestamp is '9999-01-01'"),
        ("", "the file is empty"),
        ("hello\n", "not a trace that capsim knows"),
    ],
)
def test_damage_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_trace(write(tmp_path, text))
    assert said in str(caught.value)


def test_parquet_damage_is_named_by_row(tmp_path: Path) -> None:
    columns = {"job": [1, 2], "submit": [0.0, 1.0], "size": [1, None], "run": [5.0, 5.0]}
    path = tmp_path / "t.parquet"
    arrow_parquet.write_table(pa.table(columns), path)
    with pytest.raises(InputError, match="row 2: size is empty"):
        read_trace(path)
    arrow_parquet.write_table(pa.table(columns | {"size": ["a", "b"]}), path)
    with pytest.raises(InputError, match="column size has type string"):
        read_trace(path)
    arrow_parquet.write_table(pa.table(columns | {"size": [1.0, 1.5]}), path)
    with pytest.raises(InputError, match=r"row 2: size is 1\.5"):
        read_trace(path)
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read_trace(path)


def test_wrong_places_and_kinds_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_trace(tmp_path / "none.swf")
    with pytest.raises(InputError, match="cannot be read"):
        read_trace(tmp_path)
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(JOBS_CSV.encode() * 50)[:-20])
    with pytest.raises(InputError, match="damaged gzip"):
        read_trace(broken)
    with pytest.raises(InputError, match="holds requests"):
        read_jobs(write(tmp_path, AZURE_CSV))
    with pytest.raises(InputError, match="holds jobs"):
        read_requests(write(tmp_path, JOBS_CSV))
    with pytest.raises(InputError, match="unknown trace format"):
        read_trace(write(tmp_path, JOBS_CSV), "xls")
    with pytest.raises(InputError, match="cannot be written"):
        write_jobs(read_jobs(write(tmp_path, JOBS_CSV)), tmp_path / "no" / "folder.csv")


def test_summaries_agree_with_hand_counts(tmp_path: Path) -> None:
    figures = summarise_jobs(read_jobs(write(tmp_path, JOBS_CSV)), chips=4)
    assert figures["work_chip_hours"] == pytest.approx((4 * 10.5 + 2 * 5) / 3600)
    assert figures["load"] == pytest.approx((4 * 10.5 + 2 * 5) / (4 * 3))
    assert [row["count"] for row in figures["size_histogram"]] == [0, 1, 1]
    assert sum(row["count"] for row in figures["run_histogram"]) == 2
    assert figures["largest_tenants"][0] == {"tenant": "alignment", "share": pytest.approx(42 / 52)}
    requests = summarise_requests(read_requests(write(tmp_path, AZURE_CSV)))
    assert requests["requests_per_s"] is None
    assert requests["input_tokens"]["max"] == 374


SWF = (
    "; MaxProcs: 16\n; UnixStartTime: 9\n"
    + "".join(
        f" {i}  {i * 3} -1 {i % 5} 2 -1 -1 {i % 4} {i % 7} -1 1 3 1 -1 1 -1 -1 -1\n" for i in range(1, 9)
    )
).encode()
SEEDS = (SWF, JOBS_CSV.encode(), PHILLY_CSV.encode(), AZURE_CSV.encode(), gzip.compress(SWF, mtime=0))
PIECES = (
    b"\x00",
    b"\xff\xfe",
    b'"',
    b",",
    b";",
    b"\n",
    b"nan",
    b"-",
    b"1e400",
    b"9" * 30,
    b" ",
    b"\t",
    b"\xc3",
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.sampled_from(SEEDS),
    edits=st.lists(
        st.tuples(st.integers(0, 600), st.integers(0, 12), st.sampled_from(PIECES) | st.binary(max_size=4)),
        min_size=1,
        max_size=4,
    ),
    format=st.sampled_from([None, None, "swf", "jobs", "philly", "azure", "requests"]),
)
def test_mutated_traces_are_read_or_refused_never_worse(
    tmp_path: Path, seed: bytes, edits: list[tuple[int, int, bytes]], format: str | None
) -> None:
    data = bytearray(seed)
    for at, cut, piece in edits:
        at %= len(data) + 1
        data[at : at + cut] = piece
    path = tmp_path / "mutated"
    path.write_bytes(bytes(data))
    try:
        trace = read_trace(path, format)
    except InputError as error:
        assert str(error)
    else:
        order = trace.arrival if isinstance(trace, RequestTrace) else trace.submit
        assert np.all(np.diff(order) >= 0)
