"""Typed columns out of CSV text and Parquet files: fast where all is well, precise where it is not."""

from __future__ import annotations

import csv
import datetime
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet

from capsim.errors import InputError
from capsim.workload.traces.model import LATEST_SECONDS

Columns = dict[str, Any]
PROBLEMS_SHOWN = 5
EPOCH = datetime.datetime(1970, 1, 1)


@dataclass(frozen=True)
class Column:
    """One column of a table: its kind (``whole`` | ``number`` | ``time`` | ``text``), other names under
    which files carry it, whether it may be absent, and the bounds of its values."""

    kind: str
    aliases: tuple[str, ...] = ()
    optional: bool = False
    low: float = -LATEST_SECONDS
    high: float = LATEST_SECONDS


def find_columns(names: Sequence[str], wanted: Mapping[str, Column], where: str) -> dict[str, str]:
    """Map each wanted column to the name the file gives it; InputError if one is missing or doubled."""
    found: dict[str, str] = {}
    for name, column in wanted.items():
        matches = [given for given in names if given in (name, *column.aliases)]
        if len(matches) > 1:
            raise InputError(f"{where}: columns {', '.join(matches)} all mean {name!r}; keep one of them")
        if matches:
            found[name] = matches[0]
        elif not column.optional:
            raise InputError(
                f"{where}: no column {name!r}; the header has {', '.join(names)[:200] or 'nothing'}"
            )
    return found


def csv_columns(data: bytes, wanted: Mapping[str, Column], source: str) -> Columns:
    """The wanted columns of CSV text with a header line, as numpy arrays (text: list of str).

    ``time`` columns come back as int64 nanoseconds since 1970, others as float64.
    Raises InputError with line numbers.
    """
    text = decode(data, source)
    header_line, _, _ = text.partition("\n")
    names = header_names(header_line)
    found = find_columns(names, wanted, f"{source}:1")
    columns = fast_csv(data, names, found, wanted)
    return careful_csv(text, found, names, wanted, source) if columns is None else columns


def header_names(line: str) -> list[str]:
    """The column names of a header line; a line that is not CSV is split at its commas."""
    try:
        return [name.strip() for name in next(csv.reader([line.strip("\r\n")]), [])]
    except csv.Error:
        return [name.strip() for name in line.split(",")]


def decode(data: bytes, source: str) -> str:
    """UTF-8 text of the file, or InputError."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{source}:{line}: not UTF-8 text; save the table as UTF-8 CSV") from None


def arrow_reader(data: bytes | memoryview) -> pa.BufferReader:
    """The bytes in memory of Arrow's own.

    Arrow's threads may let go of them while Python already exits; memory of Python's would need the
    interpreter then, and the process would be aborted ("terminate called without an active exception").
    """
    own = pa.allocate_buffer(len(data))
    np.frombuffer(own, dtype=np.uint8)[:] = np.frombuffer(data, dtype=np.uint8)
    return pa.BufferReader(own)


def fast_csv(
    data: bytes, names: list[str], found: Mapping[str, str], wanted: Mapping[str, Column]
) -> Columns | None:
    """All columns at once, or None if anything is unusual."""
    table = None
    for moment in (pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        types = {"whole": pa.float64(), "number": pa.float64(), "time": moment, "text": pa.string()}
        try:
            table = arrow_csv.read_csv(
                arrow_reader(data),
                read_options=arrow_csv.ReadOptions(column_names=names, skip_rows=1),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=list(found.values()),
                    column_types={given: types[wanted[name].kind] for name, given in found.items()},
                    null_values=[],
                ),
            )
            break
        except pa.ArrowException:
            continue
    if table is None:
        return None
    columns: Columns = {}
    for name, given in found.items():
        values = table.column(given)
        if wanted[name].kind == "text":
            columns[name] = values.to_pylist()
            continue
        array = values.cast(pa.int64()).to_numpy() if wanted[name].kind == "time" else values.to_numpy()
        if wanted[name].kind != "time" and not within(array, wanted[name]):
            return None
        columns[name] = array
    return columns


def within(values: np.ndarray[Any, Any], column: Column) -> bool:
    """Whether all values are finite, inside the column's bounds, and whole where they must be."""
    inside = bool(np.all((values >= column.low) & (values <= column.high)))
    return inside and (column.kind != "whole" or bool(np.all(values == np.floor(values))))


def careful_csv(
    text: str, found: Mapping[str, str], names: list[str], wanted: Mapping[str, Column], source: str
) -> Columns:
    """Read row by row; raise InputError naming the first malformed lines."""
    reader = csv.reader(io.StringIO(text))
    place = {name: names.index(given) for name, given in found.items()}
    rows: dict[str, list[Any]] = {name: [] for name in found}
    problems: list[str] = []
    try:
        for count, row in enumerate(reader):
            if count == 0 or not row:
                continue
            problem = row_problem(row, names, place, wanted, rows)
            if problem:
                problems.append(f"{source}:{reader.line_num}: {problem}")
            if len(problems) == PROBLEMS_SHOWN:
                problems.append("(more problems may follow)")
                break
    except csv.Error as error:
        problems.append(f"{source}:{reader.line_num}: {error}; write plain CSV")
    if problems:
        raise InputError("\n".join(problems))
    return {name: in_array(values, wanted[name]) for name, values in rows.items()}


def located(problems: Sequence[tuple[int, str]], data: bytes, source: str, packed: bool) -> list[str]:
    """Problems of rows, counted from 0, with the line of a CSV, or the row of a Parquet file (``packed``)."""
    if packed:
        return [f"{source}: row {row + 1}: {said}" for row, said in problems]
    wanted, lines = {row for row, _ in problems}, dict[int, int]()
    reader = csv.reader(io.StringIO(decode(data, source)))
    records = (reader.line_num for row in reader if row)
    next(records)
    for row, line in enumerate(records):
        if row in wanted:
            lines[row] = line
            if len(lines) == len(wanted):
                break
    return [f"{source}:{lines[row]}: {said}" for row, said in problems]


def in_array(values: list[Any], column: Column) -> Any:
    """A numpy array of the column's type; text stays a list."""
    if column.kind == "text":
        return values
    return np.array(values, dtype=np.int64 if column.kind == "time" else np.float64)


def row_problem(
    row: list[str],
    names: list[str],
    place: Mapping[str, int],
    wanted: Mapping[str, Column],
    rows: dict[str, list[Any]],
) -> str | None:
    """Append a row's values to ``rows``, or say what is wrong with it."""
    if len(row) != len(names):
        return f"{len(row)} values; the header has {len(names)} columns"
    values: dict[str, Any] = {}
    for name, at in place.items():
        try:
            values[name] = READ_ONE[wanted[name].kind](row[at])
            in_bounds(values[name], wanted[name])
        except (ValueError, OverflowError):
            return f"{names[at]} is {row[at][:40]!r}; write {expected(wanted[name])}"
    for name, value in values.items():
        rows[name].append(value)
    return None


def in_bounds(value: Any, column: Column) -> None:
    """Raise ValueError for a number outside the column's bounds or not whole where it must be."""
    if column.kind not in ("whole", "number"):
        return
    if not (column.low <= value <= column.high) or (column.kind == "whole" and value != math.floor(value)):
        raise ValueError


def expected(column: Column) -> str:
    """What a value of the column looks like."""
    if column.kind == "time":
        return "a time as 2023-11-16 18:15:46"
    if column.kind == "text":
        return "text"
    kind = "a whole number" if column.kind == "whole" else "a number"
    return f"{kind} of at least {column.low:g} and at most {column.high:g}"


def read_number(text: str) -> float:
    """A plain decimal number; Python's underscores are not accepted."""
    if "_" in text:
        raise ValueError
    return float(text)


def read_time(text: str) -> int:
    """Nanoseconds since 1970 of an ISO 8601 time; a zone is converted to UTC, none is taken as UTC."""
    moment = datetime.datetime.fromisoformat(text.strip())
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    nanoseconds = (moment - EPOCH) // datetime.timedelta(microseconds=1) * 1000
    if abs(nanoseconds) >= 2**63:
        raise ValueError
    return nanoseconds


READ_ONE: dict[str, Callable[[str], Any]] = {
    "whole": read_number,
    "number": read_number,
    "time": read_time,
    "text": str,
}


def parquet_columns(data: bytes, wanted: Mapping[str, Column], source: str) -> Columns:
    """The wanted columns of a Parquet file, as ``csv_columns``; InputError names the first bad row."""
    try:
        file = arrow_parquet.ParquetFile(arrow_reader(data))
        found = find_columns(file.schema_arrow.names, wanted, source)
        table = file.read(columns=list(found.values()))
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{source}: not a readable Parquet file ({str(error).splitlines()[0][:120]})"
        ) from None
    columns: Columns = {}
    for name, given in found.items():
        columns[name] = parquet_column(table.column(given), given, wanted[name], source)
    return columns


def parquet_column(values: Any, given: str, column: Column, source: str) -> Any:
    """One Parquet column as numpy array or list of str."""
    if values.null_count and column.kind == "text" and column.optional:
        return ["" if value is None else str(value) for value in values.to_pylist()]
    if values.null_count:
        row = values.is_null().to_pylist().index(True) + 1
        raise InputError(f"{source}: row {row}: {given} is empty; write {expected(column)}")
    if column.kind == "text":
        return [str(value) for value in values.to_pylist()]
    try:
        if column.kind == "time":
            return values.cast(pa.timestamp("ns")).cast(pa.int64()).to_numpy()
        array = values.cast(pa.float64(), safe=False).to_numpy()
    except pa.ArrowException:
        raise InputError(
            f"{source}: column {given} has type {values.type}; write {expected(column)}"
        ) from None
    if not within(array, column):
        good = (array >= column.low) & (array <= column.high)
        good &= array == np.floor(array) if column.kind == "whole" else True
        row = int(np.argmin(good))
        raise InputError(f"{source}: row {row + 1}: {given} is {array[row]:g}; write {expected(column)}")
    return array
