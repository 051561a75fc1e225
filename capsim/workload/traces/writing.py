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
from capsim.workload.traces.model import Floats, Ints, JobTrace, RequestTrace


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
    write_table(path, columns)


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
