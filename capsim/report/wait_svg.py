"""An SVG chart of the mean wait by job size, as plain text: no drawing library is needed for a few bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#000000")
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""

FADED = 0.45
"""Opacity of every second round through the palette."""

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 840, 84, 10, 38, 48
"""Pixels: of the whole, and outside the plot; the legend is between ``TOP`` and the plot."""

PLOT, LEGEND_LINE, LETTER = 316, 18, 7.2
"""Height of the plot and of a line of the legend, mean width of a letter."""


def wait_svg(rows: Sequence[dict[str, Any]]) -> str:
    """Bars of ``wait_by_size`` of each policy on a logarithmic axis that begins at 1 s."""
    classes = [item["size"] for item in rows[0]["wait_by_size"]]
    most = max(item["mean"] for row in rows for item in row["wait_by_size"])
    decades = max(1, math.ceil(math.log10(max(most, 10.0))))
    legend, lines = _legend(rows)
    floor = TOP + lines * LEGEND_LINE + PLOT
    total = floor + BOTTOM

    def height(seconds: float) -> float:
        return PLOT * math.log10(max(seconds, 1.0)) / decades

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total}" width="{WIDTH}" '
        f'height="{total}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{total}" fill="white"/>',
        f'<text x="{LEFT}" y="18" font-size="14">{escape(_title(rows))}</text>',
    ]
    for decade in range(decades + 1):
        y = floor - height(10.0**decade)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10**decade:,} s</text>')
    slot = (WIDTH - RIGHT - LEFT) / len(classes)
    bar = 0.8 * slot / len(rows)
    for k, name in enumerate(classes):
        left = LEFT + k * slot + 0.1 * slot
        for p, row in enumerate(rows):
            mean = row["wait_by_size"][k]["mean"]
            tall = height(mean)
            parts.append(
                f'<rect x="{left + p * bar:.1f}" y="{floor - tall:.1f}" width="{bar * 0.92:.1f}" '
                f'height="{tall:.1f}" {_colour(p)}>'
                f"<title>{escape(row['policy'])}, {escape(name)} chips: {mean:,.1f} s</title></rect>"
            )
        middle = left + 0.4 * slot
        parts.append(f'<text x="{middle:.1f}" y="{floor + 16}" text-anchor="middle">{escape(name)}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{total - 10}" text-anchor="middle">job size, chips</text>'
    )
    return "\n".join([*parts, *legend, "</svg>"]) + "\n"


def _colour(policy: int) -> str:
    """The fill of a policy's bars."""
    faded = f' fill-opacity="{FADED}"' if policy // len(COLOURS) % 2 else ""
    return f'fill="{COLOURS[policy % len(COLOURS)]}"{faded}'


def _title(rows: Sequence[dict[str, Any]]) -> str:
    return f"Mean wait by job size: {rows[0]['file'].rsplit('/', 1)[-1]}, {rows[0]['chips']:,} chips"


def _legend(rows: Sequence[dict[str, Any]]) -> tuple[list[str], int]:
    """A coloured square and the name of each policy under the title, and how many lines they take."""
    parts, x, line = list[str](), float(LEFT), 0
    for p, row in enumerate(rows):
        wide = 32 + LETTER * len(row["policy"])
        if x > LEFT and x + wide > WIDTH - RIGHT:
            x, line = float(LEFT), line + 1
        y = TOP + line * LEGEND_LINE
        parts.append(f'<rect x="{x:.0f}" y="{y - 10}" width="11" height="11" {_colour(p)}/>')
        parts.append(f'<text x="{x + 16:.0f}" y="{y}">{escape(row["policy"])}</text>')
        x += wide
    return parts, line + 1
