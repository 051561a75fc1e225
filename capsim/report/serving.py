"""Where a model can be served, as a terminal table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from capsim.workload.serving_catalog import ServedOn

WIDE = 110


def serving_view(found: Sequence[ServedOn], width: int) -> Iterator[RenderableType]:
    """The systems that hold the model in one table, the others with their reasons."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    wide = width >= WIDE
    for name, right in _columns(wide):
        table.add_column(
            name, justify="right" if right else "left", no_wrap=name == "system", overflow="fold"
        )
    for entry in found:
        if entry.refusal is None:
            table.add_row(*_cells(entry, wide))
    yield table
    for entry in found:
        if entry.refusal is not None:
            yield Text(f"{entry.system}: {entry.refusal}")


def _columns(wide: bool) -> list[tuple[str, bool]]:
    columns = [
        ("system", False),
        ("at", False),
        ("layout", False),
        ("tok/s chip", True),
        ("k tok/s MW", True),
    ]
    columns += [("$/Mtok", True), ("±", True)]
    extra = [("chips", True), ("load", True), ("TTFT ms", True), ("TPOT ms", True), ("priced", False)]
    return columns + extra if wide else columns


def _cells(entry: ServedOn, wide: bool) -> list[str]:
    cost = "–" if entry.usd_per_mtok is None else f"{entry.usd_per_mtok:,.2f}"
    layout = entry.layout.replace(" with data-parallel attention", "+DPA")
    cells = [
        entry.system,
        entry.precision,
        layout,
        f"{entry.tokens_per_chip:,.0f}",
        f"{entry.tokens_per_mw / 1e3:,.0f}",
    ]
    cells += [cost, f"{100 * entry.log_error:.0f} %"]
    extra = [
        str(entry.chips),
        f"{100 * entry.utilisation:.0f} %",
        f"{entry.ttft_ms:,.0f}",
        f"{entry.tpot_ms:.1f}",
    ]
    return [*cells, *extra, (entry.price_kind or "none").replace("_", "-")] if wide else cells
