"""Open a trace file, see what it is, and read it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

from capsim.errors import InputError
from capsim.workload.traces.columns import Columns, csv_columns, header_names, located, parquet_columns
from capsim.workload.traces.model import JobTrace, RequestTrace
from capsim.workload.traces.swf import read_swf
from capsim.workload.traces.tables import (
    AZURE,
    JOBS,
    PHILLY,
    REQUESTS,
    jobs_of_philly,
    jobs_of_table,
    requests_of_azure,
    requests_of_table,
)
from capsim.workload.traces.terms import RowProblems

FORMATS = {
    "swf": "Standard Workload Format 2.2",
    "philly": "Microsoft Philly jobs (timestamp, duration, num_gpus, cluster)",
    "jobs": "capsim job table, CSV or Parquet (job, submit, size, run[, requested, tenant])",
    "azure": "Azure LLM requests (TIMESTAMP, ContextTokens, GeneratedTokens)",
    "requests": "capsim request table, CSV or Parquet (arrival, input_tokens, output_tokens)",
}

LARGEST_BYTES = 4 * 2**30
"""Unpacked files beyond this are refused: some 40 million SWF records; a packed bomb stops here."""

TABLES = {"philly": PHILLY, "jobs": JOBS, "azure": AZURE, "requests": REQUESTS}
BUILD: dict[str, Callable[[Columns, str], JobTrace | RequestTrace]] = {
    "philly": jobs_of_philly,
    "jobs": jobs_of_table,
    "azure": requests_of_azure,
    "requests": requests_of_table,
}


def read_trace(
    path: Path,
    format: str | None = None,
    tenants_from: str = "user",
    classes_from: str = "",
    terms: bool = False,
) -> JobTrace | RequestTrace:
    """Read any known trace; ``format`` is one of FORMATS, None looks at the content.

    ``tenants_from`` and ``classes_from`` are the SWF fields whose values are the tenants and the classes of
    jobs; the other formats have one column for them and know only the defaults. ``terms``: of an SWF how
    jobs ended and whom they wait for as well; a table of jobs says it in columns. Gzip is unpacked
    transparently. Raises InputError, with line numbers, for what cannot be read.
    """
    if format is not None and format not in FORMATS:
        raise InputError(f"unknown trace format {format!r}; write one of {', '.join(FORMATS)}")
    data = read_bytes(path)
    source = str(path)
    packed = data.startswith(b"PAR1")
    chosen = format or detect(data, source)
    if chosen == "swf":
        if packed:
            raise InputError(f"{source}: a Parquet file, not SWF text; leave the format out")
        return read_swf(data, source, tenants_from, classes_from, terms)
    if tenants_from != "user":
        raise InputError(f"--tenants-from {tenants_from} is for SWF; a table of jobs has a tenant column")
    if classes_from:
        raise InputError(f"--classes-from {classes_from} is for SWF; a table of jobs has a class column")
    read = parquet_columns if packed else csv_columns
    try:
        return BUILD[chosen](read(data, TABLES[chosen], source), source)
    except RowProblems as problems:
        raise InputError("\n".join(located(problems.rows, data, source, packed))) from None


def read_jobs(
    path: Path,
    format: str | None = None,
    tenants_from: str = "user",
    classes_from: str = "",
    terms: bool = False,
) -> JobTrace:
    """Read and clean a job trace (see ``read_trace``); InputError also for a request trace."""
    trace = read_trace(path, format, tenants_from, classes_from, terms)
    if isinstance(trace, RequestTrace):
        raise InputError(f"{path}: holds requests to an LLM service, not jobs; give a job trace")
    return trace


def read_requests(path: Path, format: str | None = None) -> RequestTrace:
    """Read a request trace; InputError also for a job trace."""
    trace = read_trace(path, format)
    if isinstance(trace, JobTrace):
        raise InputError(f"{path}: holds jobs, not requests to an LLM service; give a request trace")
    return trace


def read_bytes(path: Path) -> bytes:
    """The unpacked bytes of a file, or InputError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.open(path, "rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip file ({error}); fetch it again") from None
    if len(data) > LARGEST_BYTES:
        raise InputError(f"{path}: unpacks to more than {LARGEST_BYTES // 2**30} GiB; split the trace")
    return data


def detect(data: bytes, source: str) -> str:
    """The format of a file's content, or InputError naming the formats that can be read."""
    if data.startswith(b"PAR1"):
        return detect_parquet(data, source)
    line = next((text for text in data[:65536].splitlines() if text.strip()), b"")
    if line.lstrip().startswith(b";"):
        return "swf"
    names = set(header_names(line.decode("utf-8-sig", "replace")))
    found = detect_names(names)
    if found:
        return found
    if line and all(is_number(text) for text in line.split()):
        return "swf"
    if not line:
        raise InputError(f"{source}: the file is empty; give a trace with at least a header")
    known = "\n".join(f"  {name}: {text}" for name, text in FORMATS.items())
    raise InputError(f"{source}: not a trace that capsim knows; it reads\n{known}")


def detect_parquet(data: bytes, source: str) -> str:
    """Which of the tables a Parquet file holds, by its columns."""
    import pyarrow as pa
    import pyarrow.parquet as arrow_parquet

    try:
        names = set(arrow_parquet.ParquetFile(pa.BufferReader(data)).schema_arrow.names)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{source}: not a readable Parquet file ({str(error).splitlines()[0][:120]})"
        ) from None
    found = detect_names(names)
    if not found:
        raise InputError(
            f"{source}: unknown columns {', '.join(sorted(names))[:200]}; write {FORMATS['jobs']}"
        )
    return found


def detect_names(names: set[str]) -> str | None:
    """The table format whose telling columns are among ``names``."""
    telling = {
        "azure": {"ContextTokens"},
        "philly": {"duration", "num_gpus"},
        "requests": {"arrival"},
        "jobs": {"submit"},
    }
    return next((format for format, columns in telling.items() if columns <= names), None)


def is_number(text: bytes) -> bool:
    """Whether a word reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
