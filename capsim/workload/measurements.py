"""Tables of measurements (CSV with the columns of published tables) as typed rows.

A table needs `model`, `chip` and `precision` and something measured; every other column may be missing or
empty. A row that cannot be read or expressed is kept with the reason.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, replace
from pathlib import Path

from capsim.errors import InputError
from capsim.workload.known import Known, fold
from capsim.workload.shape import Shape, shape_from_counts, shape_of

PRECISIONS = {
    "": "bf16", "16": "bf16", "bf16": "bf16", "fp16": "bf16", "half": "bf16", "float16": "bf16",
    "bfloat16": "bf16", "fp8": "fp8", "mxfp8": "fp8", "e4m3": "fp8", "fp8_e4m3": "fp8", "fp8-e4m3": "fp8",
    "fp8-cs": "fp8", "fp8-mx": "fp8", "int8": "int8", "w8a8": "int8", "int8w": "int8w", "w8a16": "int8w",
    "fp4": "fp4", "nvfp4": "fp4", "mxfp4": "fp4",
}  # fmt: skip
KINDS = {"dense": "dense", "moe": "moe", "hybrid-moe": "hybrid-moe", "hybrid_moe": "hybrid-moe", "": ""}


class NotExpressed(Exception):
    """Why a row cannot be predicted."""


@dataclass(frozen=True)
class Row:
    """One row of a table by column; ``number`` is its line in the file (the header is line 1)."""

    number: int
    cells: dict[str, str]

    def text(self, column: str) -> str:
        """The cell without surrounding space, empty where the column is missing."""
        return (self.cells.get(column) or "").strip()

    def value(self, column: str, *, required: bool = False) -> float | None:
        """A positive number, or None where the cell is empty.

        Raises:
            NotExpressed: the cell is not a positive finite number, or is empty and ``required``.
        """
        text = self.text(column)
        share = text.endswith("%")
        if not text:
            if required:
                raise NotExpressed(f"no {column}")
            return None
        try:
            number = float(text.rstrip("%")) / (100.0 if share else 1.0)
        except ValueError:
            raise NotExpressed(f"{column} is not a number: {text[:40]!r}") from None
        if not math.isfinite(number) or number <= 0:
            raise NotExpressed(f"{column} is not a positive number: {text[:40]}")
        return number


def read_table(path: Path) -> list[Row]:
    """The rows of a CSV file (UTF-8, comma separated, with a header).

    Raises:
        InputError: no such file, not text, or no header with `model` and `chip`.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a CSV file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; save the table as CSV in UTF-8") from None
    if "\0" in text:
        raise InputError(f"{path}: not text; save the table as CSV in UTF-8")
    csv.field_size_limit(1 << 24)
    try:
        reader = csv.DictReader(io.StringIO(text), restkey="", restval="")
        header = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        missing = [name for name in ("model", "chip", "precision") if name not in header]
        if missing:
            raise InputError(
                f"{path}:1: no column {', '.join(missing)}; the first line names the columns, "
                "at least model,chip,precision and what was measured"
            )
        return [
            Row(reader.line_num, {k: v for k, v in cells.items() if k and isinstance(v, str)})
            for cells in reader
        ]
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV table ({error})") from None


def precision_of(row: Row) -> str:
    """The precision of a row in capsim's words."""
    text = row.text("precision").lower()
    if text not in PRECISIONS:
        raise NotExpressed(f"precision {text!r} is not one of {', '.join(sorted(set(PRECISIONS.values())))}")
    return PRECISIONS[text]


def chip_of(row: Row, catalog: Known) -> str:
    """The catalog's chip of a row."""
    name = catalog.chip(row.text("chip"))
    if name is None:
        raise NotExpressed(f"chip {row.text('chip')!r} is not in the catalog")
    return name


def model_of(row: Row, catalog: Known) -> tuple[str, Shape]:
    """Name and shape of a row's model: parameter counts of the row over a card, a card, or counts alone.

    The name is the card's where there is one, so that releases of one shape count as one model.
    """
    name = catalog.model(row.text("model"))
    active, total = row.value("params_b_active"), row.value("params_b_total")
    kind = KINDS.get(row.text("kind").lower(), "")
    if name is not None:
        shape = shape_of(catalog.models[name])
        return name, _with_counts(shape, active, total)
    if active is None and total is None:
        raise NotExpressed(
            f"model {row.text('model')!r} has no card; give params_b_active (and params_b_total)"
        )
    active = active or total
    assert active is not None
    if total is not None and total < active:
        raise NotExpressed(f"params_b_total {total:g} is less than params_b_active {active:g}")
    total = max(active, total or active)
    kind = kind or ("moe" if total > 1.3 * active else "dense")
    shape = shape_from_counts(
        kind, active, total, layers=row.value("layers"), hidden=row.value("hidden"),
        kv_bytes=row.value("kv_bytes_per_token"),
    )  # fmt: skip
    return fold(row.text("model")) or "unnamed", shape


def _with_counts(shape: Shape, active: float | None, total: float | None) -> Shape:
    """The shape with a table's own parameter counts (variants of one name differ by embeddings)."""
    if active is None:
        return shape
    counted = max(active, total or active) * 1e9 if shape.moe else active * 1e9
    return replace(shape, active=active * 1e9, total=counted, expert_params=min(shape.expert_params, counted))
