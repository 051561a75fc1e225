"""Errors of the workload models as terminal tables and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

VIEWS = {
    "anchored": "anchored by the row with the fewest chips of its series",
    "uncalibrated": "roofline alone, no table",
    "series": "calibrated on all other rows, its own series among them",
}
SHOWN_ROWS = 12


def percent(value: float | None) -> str:
    """A share as percent with one decimal, a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"


def tables(found: dict[str, Any]) -> Iterator[Table]:
    """One table a label of `by`: rows, median, p90 and signed error."""
    for label, parts in found["by"].items():
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.add_column(f"by {label}", overflow="fold")
        for name in ("rows", "median", "p90", "signed"):
            table.add_column(name, justify="right")
        for value, part in parts.items():
            figures = (percent(part[key]) for key in ("median", "p90", "signed"))
            table.add_row(value, str(part["rows"]), *figures)
        yield table


def lines(found: dict[str, Any]) -> Iterator[str]:
    """What is left out and why, the other views, and the totals."""
    for title, items in (
        ("not expressed", found["unexpressed"]),
        ("excluded by the table", found["excluded"]),
    ):
        for item in items[:SHOWN_ROWS]:
            yield f"line {item['line']}: {item['model']} on {item['chip']} {title}: {item['reason']}"
        if len(items) > SHOWN_ROWS:
            yield f"... and {len(items) - SHOWN_ROWS} more rows {title} (--json lists them)"
    for name, part in found["views"].items():
        yield (
            f"{VIEWS[name]}: median {percent(part['median'])}, p90 {percent(part['p90'])} "
            f"({part['rows']} comparisons)"
        )
    yield (
        f"{found['rows']} rows, {found['expressed']} expressed, {found['comparisons']} comparisons, each "
        f"{found['left_out']} left out of the calibration: median {percent(found['median'])}, "
        f"p90 {percent(found['p90'])}, signed {percent(found['signed'])}"
    )


def markdown(found: dict[str, Any], labels: tuple[str, ...]) -> Iterator[str]:
    """The errors by some labels as Markdown tables."""
    for label in labels:
        yield f"| {label} | rows | median | p90 | signed |"
        yield "|---|--:|--:|--:|--:|"
        for value, part in found["by"].get(label, {}).items():
            figures = " | ".join(percent(part[key]) for key in ("median", "p90", "signed"))
            yield f"| {value} | {part['rows']} | {figures} |"
        yield ""
