"""The Standard Workload Format 2.2 of the Parallel Workloads Archive.

Header comments start with ``;`` and may name ``MaxProcs``; each record has 18 numbers, −1 where unknown:
job, submit, wait, run, allocated, CPU, memory, requested processors, requested time, requested memory,
status, user, group, executable, queue, partition, preceding job, think time.
Source: https://www.cs.huji.ac.il/labs/parallel/workload/swf.html
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from capsim.errors import InputError
from capsim.workload.traces.columns import arrow_reader
from capsim.workload.traces.model import (
    LARGEST_SIZE,
    LATEST_SECONDS,
    Floats,
    JobTrace,
    RawJobs,
    clean,
    to_milliseconds,
)
from capsim.workload.traces.terms import JobTerms, fates_of_status, waits_of_numbers

FIELDS = 18
JOB, SUBMIT, RUN, ALLOCATED, REQUESTED_SIZE, REQUESTED_TIME = 0, 1, 3, 4, 7, 8
STATUS, USER, GROUP, EXECUTABLE, QUEUE, PARTITION, PRECEDING, THINK = 10, 11, 12, 13, 14, 15, 16, 17
TENANTS = {"user": USER, "group": GROUP, "queue": QUEUE}
"""The fields whose values may be taken for tenants."""

CLASSES = TENANTS | {"executable": EXECUTABLE, "partition": PARTITION}
"""The fields whose values may be taken for classes of jobs."""

USED = (JOB, SUBMIT, RUN, ALLOCATED, REQUESTED_SIZE, REQUESTED_TIME)
NAMES = {
    JOB: "job number",
    SUBMIT: "submit time",
    RUN: "run time",
    ALLOCATED: "allocated processors",
    REQUESTED_SIZE: "requested processors",
    REQUESTED_TIME: "requested time",
    USER: "user",
    GROUP: "group",
    QUEUE: "queue",
    STATUS: "status",
    EXECUTABLE: "executable",
    PARTITION: "partition",
    PRECEDING: "preceding job",
    THINK: "think time",
}
WHOLE = (JOB, ALLOCATED, REQUESTED_SIZE, STATUS, USER, GROUP, EXECUTABLE, QUEUE, PARTITION, PRECEDING)
NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
PROBLEMS_SHOWN = 5


def read_swf(
    data: bytes, source: str, tenants_from: str = "user", classes_from: str = "", terms: bool = False
) -> JobTrace:
    """Read and clean the SWF text ``data``; ``source`` names it in messages.

    ``tenants_from`` is one of TENANTS, ``classes_from`` one of CLASSES or empty: the trace names no classes.
    ``terms``: read how jobs ended and whom they wait for, too. Raises InputError for another name, and with
    the line numbers of the first malformed records.
    """
    if tenants_from not in TENANTS:
        raise InputError(f"tenants are taken from {', '.join(TENANTS)} of an SWF, not from {tenants_from!r}")
    if classes_from and classes_from not in CLASSES:
        raise InputError(f"classes are taken from {', '.join(CLASSES)} of an SWF, not from {classes_from!r}")
    wanted = (*USED, TENANTS[tenants_from], *((STATUS, PRECEDING, THINK) if terms else ()))
    used = tuple(dict.fromkeys((*wanted, *((CLASSES[classes_from],) if classes_from else ()))))
    header, body_start = split_header(data)
    columns = parse_fast(data[body_start:], used)
    if columns is None:
        columns = parse_careful(data, source, used)
    tenant, tenants = named(columns[TENANTS[tenants_from]], tenants_from)
    job_class, job_classes = (
        named(columns[CLASSES[classes_from]], classes_from) if classes_from else (None, ())
    )
    raw = RawJobs(
        job=columns[JOB].astype(np.int64),
        submit=columns[SUBMIT],
        run=columns[RUN],
        size=columns[REQUESTED_SIZE].astype(np.int64),
        allocated=columns[ALLOCATED].astype(np.int64),
        requested=columns[REQUESTED_TIME],
        tenant=tenant,
        tenants=tenants,
        job_class=job_class,
        job_classes=job_classes,
        terms=terms_of(columns) if terms else JobTerms(),
    )
    start = header.get("UnixStartTime", "")
    clock = f"seconds since Unix time {start}" if start not in ("", "0") else "seconds of the log"
    return clean(raw, source=source, format="swf", chips=header_chips(header), clock=clock)


def named(column: Floats, field: str) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Each record's index into the names of a field's values, and the names: ``user 3``, ``unknown``."""
    values, index = np.unique(column.astype(np.int64), return_inverse=True)
    names = ("unknown" if value < 0 else f"{field} {value}" for value in values.tolist())
    return index.astype(np.int32), tuple(names)


def terms_of(columns: dict[int, Floats]) -> JobTerms:
    """How each record ended, and the job that it waits for."""
    preceding = columns[PRECEDING].astype(np.int64)
    return JobTerms(
        waits=waits_of_numbers(preceding, to_milliseconds(columns[THINK])),
        fate=fates_of_status(columns[STATUS].astype(np.int64)),
    )


def split_header(data: bytes) -> tuple[dict[str, str], int]:
    """The ``; Key: value`` lines before the first record, and where the records begin."""
    header: dict[str, str] = {}
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        line = data[at:end].strip()
        if line and not line.startswith(b";"):
            break
        key, colon, value = line.lstrip(b"; \t").partition(b":")
        if colon:
            header.setdefault(key.strip().decode("latin-1"), value.strip().decode("latin-1"))
        at = end + 1
    return header, min(at, len(data))


def header_chips(header: dict[str, str]) -> int | None:
    """``MaxProcs`` of the header, else ``MaxNodes``; None where neither is a positive number."""
    for key in ("MaxProcs", "MaxNodes"):
        match = re.match(r"\d{1,12}", header.get(key, ""))
        if match and int(match.group()) > 0:
            return int(match.group())
    return None


def parse_fast(body: bytes, used: tuple[int, ...]) -> dict[int, Floats] | None:
    """All used fields at once, or None if anything at all is unusual (then the careful reader looks)."""
    if not body.strip():
        return {index: np.empty(0) for index in used}
    if b";" in body:
        body = b"\n".join(line.partition(b";")[0] for line in body.split(b"\n"))
    for other, plain in ((b"\r\n", b"\n"), (b"\t", b" ")):
        if other in body:
            body = body.replace(other, plain)
    while b"  " in body:
        body = body.replace(b"  ", b" ")
    body = body.replace(b"\n ", b"\n").replace(b" \n", b"\n").strip(b" \n")
    names = [f"f{index}" for index in range(FIELDS)]
    try:
        table = arrow_csv.read_csv(
            arrow_reader(body),
            read_options=arrow_csv.ReadOptions(column_names=names),
            parse_options=arrow_csv.ParseOptions(delimiter=" ", quote_char=False),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=[f"f{index}" for index in used],
                column_types={f"f{index}": pa.float64() for index in used},
                null_values=[],
            ),
        )
    except pa.ArrowInvalid:
        return None
    columns = {index: table.column(f"f{index}").to_numpy() for index in used}
    return columns if all(plausible(index, values) for index, values in columns.items()) else None


def plausible(index: int, values: Floats) -> bool:
    """Whether every value of a field is finite, within bounds, and whole where it must be."""
    bound = value_bound(index)
    return bool(
        np.all(np.abs(values) <= bound) and (index not in WHOLE or np.all(values == np.floor(values)))
    )


def value_bound(index: int) -> float:
    """The largest magnitude that a field may have (job numbers: what a float64 holds exactly)."""
    if index in (ALLOCATED, REQUESTED_SIZE):
        return float(LARGEST_SIZE)
    return LATEST_SECONDS if index in (SUBMIT, RUN, REQUESTED_TIME, THINK) else 2.0**53


def parse_careful(data: bytes, source: str, used: tuple[int, ...]) -> dict[int, Floats]:
    """Read line by line; raise InputError naming the first malformed lines."""
    rows: list[list[float]] = []
    problems: list[str] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        text = line.partition(b";")[0].split()
        if not text:
            continue
        problem = line_problem(text, used)
        if problem:
            problems.append(f"{source}:{number}: {problem}")
            if len(problems) == PROBLEMS_SHOWN:
                problems.append("(more problems may follow)")
                break
        else:
            rows.append([float(text[index]) for index in used])
    if problems:
        raise InputError("\n".join(problems))
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(used))
    return {index: np.ascontiguousarray(table[:, at]) for at, index in enumerate(used)}


def line_problem(text: list[bytes], used: tuple[int, ...]) -> str | None:
    """What is wrong with one record, or None."""
    if len(text) != FIELDS:
        return f"{len(text)} fields; an SWF record has {FIELDS} numbers, -1 where unknown"
    for index in used:
        shown = text[index][:40].decode("latin-1")
        if not NUMBER.fullmatch(text[index]):
            return f"field {index + 1} ({NAMES[index]}) is {shown!r}; write a number, -1 where unknown"
        value = float(text[index])
        if index in WHOLE and value != np.floor(value):
            return f"field {index + 1} ({NAMES[index]}) is {shown}; write a whole number"
        if not abs(value) <= value_bound(index):
            return f"field {index + 1} ({NAMES[index]}) is {shown}, beyond {value_bound(index):.3g}"
    return None
