"""Types of the columns of result tables, and results brought into that canonical form.

Text columns are strings, instants and counts int64, everything else float64. ``month`` is text, `YYYY-MM`.
A count or instant that is missing (a run that never finished) is -1.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from capsim.results.schema import CASH_LINES, LADDER, METRICS, TABLES, RunResult

ColumnType = Literal["text", "whole", "real"]

#: columns that hold text.
TEXT: frozenset[str] = frozenset(
    {"month", "offer", "system", "measure", "line", "name", "site", "workload", "kind", "unit", "size_class"}
    | {"subject", "text", "gang", "provider", "tenant"}
)

#: columns that hold whole numbers, beside all that end in ``_ms``.
WHOLE: frozenset[str] = frozenset(
    {"year", "chips", "blocks", "interruptions", "bursts", "campaigns", "started", "finished"}
    | {"jobs", "quota"}
)


def column_type(name: str) -> ColumnType:
    """Type of the column `name`, the same in every table."""
    if name in TEXT:
        return "text"
    if name in WHOLE or name.endswith("_ms"):
        return "whole"
    return "real"


def canonical_column(name: str, values: Any) -> Any:
    """`values` as a list of str, an int64 array or a float64 array, by the column's type."""
    kind = column_type(name)
    if kind == "text":
        return [str(v) for v in (values.tolist() if isinstance(values, np.ndarray) else values)]
    if kind == "whole":
        array = np.asarray(values)
        if array.dtype.kind in "iub":
            return array.astype(np.int64)
        real = np.array([np.nan if v is None else v for v in array.tolist()], dtype=np.float64)
        return np.where(np.isfinite(real), np.rint(np.nan_to_num(real, posinf=0, neginf=0)), -1).astype(
            np.int64
        )
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return values.astype(np.float64)
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def canonical(result: RunResult) -> RunResult:
    """`result` with exactly the keys of the schema, in its order, and columns of the declared types.

    Raises ValueError that names what is missing, unknown or of unequal length: a defect of the engine.
    """
    where = f"run {result.run} of {result.strategy}/{result.case}"
    for label, found, wanted in (
        ("metrics", set(result.metrics), set(METRICS)),
        ("ladder", set(result.ladder), set(LADDER)),
        ("cash lines", set(result.cash_npv), set(CASH_LINES)),
    ):
        if found != wanted:
            raise ValueError(
                f"{where}: {label} missing {sorted(wanted - found)}, unknown {sorted(found - wanted)}"
            )
    if unknown := set(result.tables) - set(TABLES):
        raise ValueError(f"{where}: unknown tables {sorted(unknown)}")
    tables: dict[str, dict[str, Any]] = {}
    for table, columns in TABLES.items():
        given = result.tables.get(table, {name: [] for name in columns})
        if set(given) != set(columns):
            raise ValueError(
                f"{where}: table {table} has columns {sorted(given)}, expected {sorted(columns)}"
            )
        tables[table] = {name: canonical_column(name, given[name]) for name in columns}
        if len({len(values) for values in tables[table].values()}) != 1:
            raise ValueError(f"{where}: columns of table {table} differ in length")
    return RunResult(
        strategy=result.strategy,
        case=result.case,
        run=int(result.run),
        metrics={name: float(result.metrics[name]) for name in METRICS},
        ladder={name: int(result.ladder[name]) for name in LADDER},
        cash_npv={name: float(result.cash_npv[name]) for name in CASH_LINES},
        tables=tables,
    )
