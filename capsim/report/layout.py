"""Lines of a terminal report: columns that give way when it is narrow, paragraphs with hanging indents."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

RowType = TypeVar("RowType")
Emphasis = Literal["", "bold", "dim"]
LABEL = 15
NARROWEST, WIDEST = 64, 200


class Line(NamedTuple):
    """A line of text, without colour codes, and how it is emphasised where there is a terminal."""

    text: str
    emphasis: Emphasis = ""


@dataclass(frozen=True)
class Column(Generic[RowType]):
    """A column of a table: two lines of heading and a cell for each row.

    The column with the highest `yields` leaves first when the table is too wide; 0 never leaves.
    """

    top: str
    bottom: str
    cell: Callable[[RowType], str]
    yields: int = 0
    left: bool = False
    name: str = ""

    def width(self, rows: Sequence[RowType]) -> int:
        """Characters that the column needs."""
        return max([len(self.top), len(self.bottom), *(len(self.cell(row)) for row in rows)])


def fitting(
    columns: Sequence[Column[RowType]], rows: Sequence[RowType], width: int
) -> tuple[list[Column[RowType]], list[str]]:
    """Columns that fit into `width`, and the names of those that do not."""
    kept, dropped = list(columns), []
    widths = {id(c): c.width(rows) for c in columns}
    while sum(widths[id(c)] + 1 for c in kept) > width and any(c.yields for c in kept):
        leaver = max(kept, key=lambda c: c.yields)
        kept.remove(leaver)
        dropped.append(leaver.name or f"{leaver.top} {leaver.bottom}".strip())
    return kept, dropped


def tabulate(columns: Sequence[Column[RowType]], rows: Sequence[RowType], width: int) -> list[Line]:
    """The table with as many columns as fit, spread over `width`, and a line that names what is left out."""
    kept, dropped = fitting(columns, rows, width)
    widths = [c.width(rows) for c in kept]
    spare = width - sum(widths) - len(kept)
    gaps = [1 + (1 if 0 < i <= spare else 0) for i in range(len(kept))]

    def line(cells: Sequence[str]) -> str:
        parts = [
            " " * gap + (cell.ljust(w) if column.left else cell.rjust(w))
            for cell, column, w, gap in zip(cells, kept, widths, gaps, strict=True)
        ]
        return "".join(parts).rstrip()

    lines = [Line(line([getattr(c, part) for c in kept]), "bold") for part in ("top", "bottom")]
    lines = [heading for heading in lines if heading.text]
    lines += [Line(line([c.cell(row) for c in kept])) for row in rows]
    if dropped:
        lines += paragraph("", " too narrow here for: " + ", ".join(reversed(dropped)), width, "dim")
    return lines


def paragraph(label: str, text: str, width: int, emphasis: Emphasis = "") -> list[Line]:
    """`text` after a `label` of a fixed width, wrapped with a hanging indent (none without a label)."""
    indent = " " * LABEL if label else " "
    first = label.ljust(LABEL) if label else ""
    wrapped = textwrap.wrap(
        text.strip(),
        width,
        initial_indent=first or " ",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [Line(part, emphasis) for part in wrapped]


def listed(label: str, items: Sequence[str], width: int) -> list[Line]:
    """Items after a label, ` | ` between them, broken only between items where that is possible."""
    lines: list[str] = []
    current = label.ljust(LABEL)
    for position, item in enumerate(items):
        piece = item + (" |" if position < len(items) - 1 else "")
        joined = f"{current} {piece}" if current.strip() and len(current) > LABEL else current + piece
        if len(joined) <= width:
            current = joined
            continue
        if len(current.rstrip()) > LABEL:
            lines.append(current)
        indent = label.ljust(LABEL) if not lines and not current[LABEL:].strip() else " " * LABEL
        wrapped = textwrap.wrap(
            piece, width, initial_indent=indent, subsequent_indent=" " * LABEL, break_on_hyphens=False
        )
        lines += wrapped[:-1]
        current = wrapped[-1]
    if current.strip():
        lines.append(current)
    return [Line(text.rstrip()) for text in lines]


def blocks(*parts: Sequence[Line]) -> list[Line]:
    """Blocks of lines with an empty line between those that are not empty."""
    lines: list[Line] = []
    for part in parts:
        if part and lines:
            lines.append(Line(""))
        lines += part
    return lines
