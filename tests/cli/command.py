"""Running a command in this process, as the console script would."""

from __future__ import annotations

import sys
from typing import NamedTuple

import pytest

from capsim.cli.main import main


class Result(NamedTuple):
    """How a command ended: exit code, stdout and stderr."""

    code: int
    out: str
    err: str


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Result:
    """Run ``capsim`` with arguments."""
    before = sys.argv
    sys.argv = ["capsim", *arguments]
    try:
        with pytest.raises(SystemExit) as end:
            main()
    finally:
        sys.argv = before
    captured = capsys.readouterr()
    code = end.value.code
    return Result(code if isinstance(code, int) else 0 if code is None else 1, captured.out, captured.err)
