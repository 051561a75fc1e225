"""Where a report goes: a terminal with emphasis, or plain text for a pipe."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from typing import TextIO

from capsim.report.layout import NARROWEST, WIDEST, Line

#: width of the report where the output is not a terminal.
DEFAULT_WIDTH = 120
_CODES = {"bold": "\x1b[1m", "dim": "\x1b[2m"}
_RESET = "\x1b[0m"


def width_of(stream: TextIO) -> int:
    """Columns to write: the terminal's, those of `COLUMNS`, or 120."""
    if stream.isatty() or os.environ.get("COLUMNS", "").isdigit():
        columns = shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns
        return min(max(columns, NARROWEST), WIDEST)
    return DEFAULT_WIDTH


def emphasised(stream: TextIO) -> bool:
    """Whether to use bold and dim: on a terminal, unless NO_COLOR is set or it is a dumb one."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def write(lines: Iterable[Line], stream: TextIO) -> None:
    """Write a report."""
    emphasis = emphasised(stream)
    for line in lines:
        code = _CODES.get(line.emphasis, "") if emphasis else ""
        stream.write(f"{code}{line.text}{_RESET if code else ''}\n")
    stream.flush()
