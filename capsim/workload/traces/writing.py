"""Write tables of jobs, requests and starts: CSV (packed if named .gz) or Parquet, whole or not at all."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet

from capsim.errors import InputError
from capsim.workload.traces.model import MILLISECONDS, Floats, Ints, JobTrace, RequestTrace
from capsim.workload.traces.terms import FATES


def seconds(milliseconds: Ints) -> Ints | Floats:
    """Seconds as whole numbers where every entry is whole, else as floats."""
    if np.any(milliseconds % 1000):
        return milliseconds / 1000.0
    return milliseconds // 1000


def write_jobs(trace: JobTrace, path: Path) -> None:
    """Write a cleaned trace as capsim's own job table."""
    names = np.array(trace.tenants or ("all",), dtype=object)
    columns = {
        "job": trace.job,
        "submit": seconds(trace.submit),
        "size": trace.size,
        "run": seconds(trace.run),
        "requested": seconds(trace.requested),
        "tenant": pa.array(names[trace.tenant], type=pa.string()),
    }
    if trace.job_class is not None:
        classes = np.array(trace.job_classes, dtype=object)
        columns["class"] = pa.array(classes[trace.job_class], type=pa.string())
    write_table(path, columns | term_columns(trace))


def term_columns(trace: JobTrace) -> dict[str, Any]:
    """The columns of a job table that say what the trace says beyond size and time."""
    terms = trace.terms
    columns: dict[str, Any] = {}
    if terms.priority is not None:
        columns["priority"] = terms.priority
    if terms.deadline is not None:
        columns["deadline"] = np.where(terms.deadline >= 0, terms.deadline / MILLISECONDS, -1.0)
    if terms.waits is not None:
        after = [""] * len(trace)
        for job, on, ok, _ in zip(*(column.tolist() for column in terms.waits), strict=True):
            word = f"{'afterok:' if ok else ''}{trace.job[on]}"
            after[job] = f"{after[job]} {word}".strip()
        columns["after"] = pa.array(after, type=pa.string())
    if terms.fate is not None:
        columns["fate"] = pa.array([FATES[code] for code in terms.fate.tolist()], type=pa.string())
    if terms.retries is not None:
        columns["retries"] = terms.retries
    if terms.array is not None:
        names = np.array((*terms.arrays, ""), dtype=object)
        limits = np.array((*terms.array_limits, 0), dtype=np.int64)
        columns["array"] = pa.array(names[terms.array], type=pa.string())
        columns["array_limit"] = limits[terms.array]
    return columns


def write_requests(trace: RequestTrace, path: Path) -> None:
    """Write requests as capsim's own request table."""
    write_table(
        path,
        {
            "arrival": seconds(trace.arrival),
            "input_tokens": trace.input_tokens,
            "output_tokens": trace.output_tokens,
        },
    )


def write_table(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns to ``path`` as its name says (.csv, .csv.gz, .parquet), by rename when complete.

    Raises InputError for another name or a place that cannot be written.
    """
    check_name(path)
    name = path.name.lower()
    table = pa.table(dict(columns))
    buffer = io.BytesIO()
    if name.endswith(".parquet"):
        arrow_parquet.write_table(table, buffer, write_page_checksum=True)
    else:
        buffer.write((",".join(columns) + "\n").encode())
        options = arrow_csv.WriteOptions(include_header=False, quoting_style="needed")
        arrow_csv.write_csv(table, buffer, options)
    data = buffer.getvalue()
    if name.endswith(".gz"):
        data = gzip.compress(data, compresslevel=6, mtime=0)
    replace_file(path, data)


def check_name(path: Path) -> None:
    """Raise InputError unless the name ends in a format that can be written."""
    if not path.name.lower().endswith((".csv", ".csv.gz", ".parquet")):
        raise InputError(f"{path}: the name says no format; end it in .csv, .csv.gz or .parquet")


def replace_file(path: Path, data: bytes) -> None:
    """Write to a temporary name beside ``path`` and rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
