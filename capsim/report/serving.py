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
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    wide = width >= WIDE
    for name, right in _columns(wide):
        table.add_column(
            name, justify="right" if right else "left", no_wrap=name != "layout", overflow="fold"
        )
    for entry in found:
        if entry.refusal is None:
            table.add_row(*_cells(entry, wide))
    yield table
    for entry in found:
        if entry.refusal is not None:
            yield Text(f"{entry.system}: {entry.refusal}")


def _columns(wide: bool) -> list[tuple[str, bool]]:
    first = [("system", False), ("at", False), ("layout", False)]
    extra = [("chips", True), ("load", True), ("TTFT\nms", True), ("TPOT\nms", True)] if wide else []
    last = [("tok/s\na chip", True), ("k tok/s\na MW", True), ("±\n%", True), ("$ a\nMtok", True)]
    return [*first, *extra, *last, ("at $ a\nchip-hour", False)]


def _cells(entry: ServedOn, wide: bool) -> list[str]:
    extra = [
        str(entry.chips),
        f"{100 * entry.utilisation:.0f} %",
        f"{entry.ttft_ms:,.0f}",
        f"{entry.tpot_ms:.1f}",
    ]
    return [
        entry.system,
        entry.precision,
        entry.layout.replace(" with data-parallel attention", "+DPA"),
        *(extra if wide else []),
        f"{entry.tokens_per_chip:,.0f}",
        f"{entry.tokens_per_mw / 1e3:,.0f}",
        f"{100 * entry.log_error:.0f}",
        "–" if entry.usd_per_mtok is None else f"{entry.usd_per_mtok:,.2f}",
        _priced(entry),
    ]


def _priced(entry: ServedOn) -> str:
    """The price that a token's cost rests on: a contract's and a list price are far apart."""
    if entry.usd_per_chip_hour is None or entry.price_kind is None:
        return "none public"
    kind = {"on_demand": "list", "capacity_block": "block"}.get(entry.price_kind, entry.price_kind)
    return f"{entry.usd_per_chip_hour:,.2f} {kind.replace('_', ' ')}"
