"""What traces say beyond size and time: dependencies, fates, arrays, deadlines, priorities."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as arrow_parquet
import pytest

from capsim.errors import InputError
from capsim.workload.traces import JobTrace, read_jobs, write_jobs
from capsim.workload.traces.terms import CANCELLED, COMPLETED, FAILED

RECORD = "{job} {submit} -1 10 2 -1 -1 2 10 -1 {status} 7 3 {executable} 5 1 {preceding} {think}"
TABLE = """job,submit,size,run,priority,deadline,after,fate,retries,array,array_limit
1,0,1,10,5,60,,completed,0,,-1
2,1,1,10,0,-1,1,failed,2,sweep,3
3,2,1,10,0,-1,afterok:1 afterany:2,,0,sweep,3
3,3,1,10,0,-1,3,cancelled,0,,-1
4,4,1,10,0,-1,3 9,completed,0,,-1
"""


def swf(folder: Path, *rows: dict[str, int]) -> Path:
    path = folder / "t.swf"
    plain = {"submit": 0, "status": 1, "executable": 1, "preceding": -1, "think": -1}
    path.write_text("".join(RECORD.format(**(plain | row)) + "\n" for row in rows))
    return path


def table(folder: Path, text: str, name: str = "jobs.csv") -> JobTrace:
    path = folder / name
    path.write_text(text)
    return read_jobs(path)


def test_fields_11_17_and_18_of_an_swf(tmp_path: Path) -> None:
    path = swf(
        tmp_path,
        {"job": 1, "submit": 0},
        {"job": 2, "submit": 9, "preceding": 3, "think": 60, "status": 0},
        {"job": 3, "submit": 5, "preceding": 1, "status": 5},
        {"job": 4, "submit": 9, "preceding": 8, "think": 1, "status": 4},
        {"job": 5, "submit": 10, "preceding": 5, "status": -1},
    )
    terms = read_jobs(path, terms=True).terms
    waits = terms.waits
    assert waits is not None and terms.fate is not None
    # by submission: 1, 3, 2, 4, 5; nobody is submitted before 4 as number 8, and 5 does not precede itself
    assert (waits.job.tolist(), waits.on.tolist()) == ([2, 1], [1, 0])
    assert (waits.think.tolist(), waits.ok.tolist()) == ([60_000, -1], [0, 0])
    assert terms.unknown_waits == 2
    assert terms.fate.tolist() == [COMPLETED, CANCELLED, FAILED, FAILED, COMPLETED]
    plain = read_jobs(path)
    assert plain.terms.waits is None and plain.terms.fate is None and not plain.job_classes


def test_classes_of_an_swf_from_its_fields(tmp_path: Path) -> None:
    path = swf(tmp_path, {"job": 1, "executable": 4}, {"job": 2, "executable": -1})
    trace = read_jobs(path, classes_from="executable")
    assert trace.job_class is not None
    assert [trace.job_classes[k] for k in trace.job_class.tolist()] == ["executable 4", "unknown"]
    with pytest.raises(InputError, match="not from 'site'"):
        read_jobs(path, classes_from="site")


def test_columns_of_an_own_table_and_back(tmp_path: Path) -> None:
    trace = table(tmp_path, TABLE)
    for name in ("again.csv", "again.parquet"):
        write_jobs(trace, tmp_path / name)
        for found in (trace, read_jobs(tmp_path / name)):
            terms = found.terms
            assert terms.waits is not None and terms.array is not None
            assert terms.fate is not None and terms.retries is not None
            assert terms.priority is not None and terms.deadline is not None
            assert terms.priority.tolist() == [5, 0, 0, 0, 0]
            assert (
                terms.deadline.tolist() == [60_000, -1000, -1000, -1000, -1000]
                or (terms.deadline[1:] < 0).all()
            )
            assert terms.fate.tolist() == [COMPLETED, FAILED, COMPLETED, CANCELLED, COMPLETED]
            assert terms.retries.tolist() == [0, 2, 0, 0, 0]
            assert (terms.arrays, terms.array_limits) == (("sweep",), (3,))
            assert terms.array.tolist() == [-1, 0, 0, -1, -1]
            pairs = set(zip(terms.waits.job.tolist(), terms.waits.on.tolist(), strict=True))
            assert pairs == {(1, 0), (2, 0), (2, 1), (3, 2), (4, 3)}  # the last job 3 before each
            assert sorted(terms.waits.ok.tolist()) == [0, 0, 0, 0, 1]
    assert trace.terms.unknown_waits == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",1,failed", ",1+2,failed", "jobs.csv:3: after is '1+2'; write job numbers"),
        (",1,failed", ",:2,failed", "jobs.csv:3: after is ':2'"),
        (",1,failed", ",before:1,failed", "jobs.csv:3: after is 'before:1'"),
        ("cancelled", "killed", "jobs.csv:5: fate is 'killed'; write completed, failed, cancelled"),
        ("2,sweep,3", "2,sweep,4", "array 'sweep' has the limit "),
        ("2,sweep,3", "-2,sweep,3", "retries is '-2'; write a whole number of at least 0"),
        ("10,5,60", "10,x,60", "priority is 'x'"),
    ],
)
def test_wrong_columns_say_where(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        table(tmp_path, TABLE.replace(old, new))
    assert said in str(caught.value)


def test_rows_of_a_file_with_empty_lines_and_of_parquet(tmp_path: Path) -> None:
    rows = 'job,submit,size,run,tenant,after\n1,0,1,5,"two\nlines",\n\n2,0,1,5,b,x\n'
    with pytest.raises(InputError, match=r"jobs\.csv:5: after is 'x'"):
        table(tmp_path, rows)
    good = table(tmp_path, rows.replace(",x\n", ",1\n"))
    write_jobs(good, tmp_path / "good.parquet")
    columns = arrow_parquet.read_table(tmp_path / "good.parquet")
    wrong = columns.set_column(columns.schema.get_field_index("after"), "after", [["", "y"]])
    arrow_parquet.write_table(wrong, tmp_path / "wrong.parquet")
    with pytest.raises(InputError, match=r"wrong\.parquet: row 2: after is 'y'"):
        read_jobs(tmp_path / "wrong.parquet")
