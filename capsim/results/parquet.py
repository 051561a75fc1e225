"""Results as Parquet: parts that hold whole runs, and merged tables for reading.

A *part* is one Parquet file with a row a run: scalars as columns, and each column of each table as a list
(`series/month`, `events/text` ...), so that one atomic rename publishes everything that a run produced.
Merging flattens the lists into one file a table, with the run's keys as first columns. Pages carry checksums.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from capsim.results.atomic import Sink
from capsim.results.columns import column_type
from capsim.results.schema import CASH_LINES, LADDER, METRICS, TABLES, RunResult

KEYS: tuple[str, ...] = ("strategy", "case", "run")
_ARROW = {"text": pa.string(), "whole": pa.int64(), "real": pa.float64()}

MERGED_RUNS = 128
"""Runs that are held in memory at once when parts are merged."""

_OPTIONS: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
_KEY_FIELDS = [pa.field("strategy", pa.string()), pa.field("case", pa.string()), pa.field("run", pa.int64())]


@dataclass(frozen=True)
class RunRow:
    """The scalars of one run: what comparisons are made of. `digest` is that of the whole run."""

    strategy: str
    case: str
    run: int
    digest: str
    metrics: dict[str, float]
    ladder: dict[str, int]
    cash_npv: dict[str, float]

    @property
    def key(self) -> tuple[str, str, int]:
        """Strategy, case, run."""
        return self.strategy, self.case, self.run


def row_of(result: RunResult, digest: str) -> RunRow:
    """The scalars of a canonical `result`."""
    return RunRow(
        result.strategy, result.case, result.run, digest, result.metrics, result.ladder, result.cash_npv
    )


def _scalar_fields() -> list[pa.Field]:
    return [
        *_KEY_FIELDS,
        pa.field("digest", pa.string()),
        *(pa.field(name, pa.float64()) for name in METRICS),
        *(pa.field(f"ladder_{name}_chip_ms", pa.int64()) for name in LADDER),
        *(pa.field(f"cash_{name}_npv", pa.float64()) for name in CASH_LINES),
    ]


def _part_schema() -> pa.Schema:
    lists = [
        pa.field(f"{table}/{name}", pa.list_(_ARROW[column_type(name)]))
        for table, columns in TABLES.items()
        for name in columns
    ]
    return pa.schema(_scalar_fields() + lists)


def _table_schema(table: str) -> pa.Schema:
    return pa.schema(_KEY_FIELDS + [pa.field(name, _ARROW[column_type(name)]) for name in TABLES[table]])


def _scalars(row: RunRow) -> list[Any]:
    return [
        row.strategy,
        row.case,
        row.run,
        row.digest,
        *(row.metrics[name] for name in METRICS),
        *(row.ladder[name] for name in LADDER),
        *(row.cash_npv[name] for name in CASH_LINES),
    ]


def _list_column(table: str, name: str, results: Sequence[RunResult]) -> pa.Array:
    kind = _ARROW[column_type(name)]
    columns = [result.tables[table][name] for result in results]
    offsets = np.cumsum([0, *(len(c) for c in columns)], dtype=np.int32)
    values = pa.concat_arrays([pa.array(c, type=kind, from_pandas=False) for c in columns])
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def encode_part(results: Sequence[RunResult], digests: Sequence[str]) -> bytes:
    """Parquet bytes of a part: canonical `results` with the digest of each."""
    schema = _part_schema()
    rows = [_scalars(row_of(r, d)) for r, d in zip(results, digests, strict=True)]
    count = len(_scalar_fields())
    arrays = [pa.array([row[i] for row in rows], type=schema.field(i).type) for i in range(count)]
    arrays += [_list_column(table, name, results) for table, columns in TABLES.items() for name in columns]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), sink, **_OPTIONS)
    return sink.getvalue()


def _read(raw: bytes, columns: list[str] | None = None) -> pa.Table:
    file = pq.ParquetFile(pa.BufferReader(raw), page_checksum_verification=True)
    return file.read(columns, use_threads=False)  # half the time of read_table for files as small as parts


def read_part_rows(raw: bytes) -> list[RunRow]:
    """Scalars of every run of a part."""
    table = _read(raw, [f.name for f in _scalar_fields()])
    return [_row_from(values) for values in table.to_pylist()]


def _row_from(values: dict[str, Any]) -> RunRow:
    return RunRow(
        strategy=values["strategy"],
        case=values["case"],
        run=values["run"],
        digest=values["digest"],
        metrics={name: values[name] for name in METRICS},
        ladder={name: values[f"ladder_{name}_chip_ms"] for name in LADDER},
        cash_npv={name: values[f"cash_{name}_npv"] for name in CASH_LINES},
    )


def read_part(raw: bytes) -> list[tuple[RunResult, str]]:
    """Every run of a part with its digest, as it was written."""
    table = _read(raw)
    return [_result_from(table, i) for i in range(table.num_rows)]


def _result_from(part: pa.Table, index: int) -> tuple[RunResult, str]:
    row = _row_from({f.name: part.column(f.name)[index].as_py() for f in _scalar_fields()})
    tables: dict[str, dict[str, Any]] = {}
    for table, columns in TABLES.items():
        tables[table] = {}
        for name in columns:
            values = part.column(f"{table}/{name}")[index].values
            text = column_type(name) == "text"
            tables[table][name] = values.to_pylist() if text else values.to_numpy(zero_copy_only=False)
    result = RunResult(row.strategy, row.case, row.run, row.metrics, row.ladder, row.cash_npv, tables)
    return result, row.digest


def write_runs(rows: Iterable[RunRow], sink: Sink) -> None:
    """`runs.parquet`: a row a run, in the order given."""
    schema = pa.schema(_scalar_fields())
    listed = [_scalars(row) for row in rows]
    arrays = [pa.array([row[i] for row in listed], type=schema.field(i).type) for i in range(len(schema))]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), sink, **_OPTIONS)


def write_tables(parts: Iterable[bytes], strategies: Sequence[str], sinks: Mapping[str, Sink]) -> None:
    """Merge every table of `parts` into the sink of its name: part by part, the strategies in this order.

    Each part is read once. A row group holds about MERGED_RUNS runs: one for each run takes ten times as long
    to write, and to read.
    """
    at_once = max(1, MERGED_RUNS // len(strategies))
    remaining = iter(parts)
    with ExitStack() as stack:
        writers = {
            table: stack.enter_context(pq.ParquetWriter(sinks[table], _table_schema(table), **_OPTIONS))
            for table in TABLES
        }
        while some := [_chosen(raw, strategies) for raw in islice(remaining, at_once)]:
            runs = pa.concat_tables(some).combine_chunks()
            for table, writer in writers.items():
                rows = _flatten(runs, table)
                if rows.num_rows:
                    writer.write_table(rows)


def _chosen(raw: bytes, strategies: Sequence[str]) -> pa.Table:
    """The rows of a part that belong to `strategies`, in their order."""
    part = _read(raw)
    found = part.column("strategy").to_pylist()
    return part if found == list(strategies) else part.take([found.index(s) for s in strategies])


def _flatten(runs: pa.Table, table: str) -> pa.Table:
    """Rows of one table from rows of parts, each column in one chunk."""
    lists = [runs.column(f"{table}/{name}") for name in TABLES[table]]
    parents = pc.list_parent_indices(lists[0])
    columns = [runs.column(key).take(parents) for key in KEYS] + [pc.list_flatten(c) for c in lists]
    return pa.Table.from_arrays(columns, schema=_table_schema(table))


def read_runs(path: Path) -> list[RunRow]:
    """Every row of `runs.parquet`."""
    return [_row_from(values) for values in pq.read_table(path, page_checksum_verification=True).to_pylist()]


def read_table(path: Path, runs: int, **equal: Any) -> dict[str, Any]:
    """Columns of a merged table: the first `runs` runs, where every key of `equal` has its value.

    A list stands for any of its values. Text comes as object arrays, numbers as float64 or int64 arrays.
    """
    filters: list[tuple[str, str, Any]] = [("run", "<", runs)]
    filters += [(k, "in", list(v)) if isinstance(v, list) else (k, "==", v) for k, v in equal.items()]
    table = pq.read_table(path, filters=filters, page_checksum_verification=True)
    return {name: table.column(name).to_numpy() for name in table.column_names}
