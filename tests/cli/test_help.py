"""`capsim --help` stays light: no heavy package is imported for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
sys.argv = ["capsim", {arguments}]
from capsim.cli.main import main
try:
    main()
except SystemExit as end:
    code = end.code
print("IMPORTED", code, *sorted({heavy} & set(sys.modules)))
"""
HEAVY = {"numpy", "numba", "pyarrow", "highspy", "simpy", "yaml"}


def last_line(arguments: str, heavy: set[str]) -> str:
    """Run the command in a fresh process; its last line: exit code, what of `heavy` was imported."""
    program = PROGRAM.format(arguments=arguments, heavy=heavy)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Usage: capsim" in done.stdout
    return done.stdout.splitlines()[-1]


def test_help_imports_nothing_heavy() -> None:
    assert last_line('"--help"', HEAVY | {"pydantic"}) == "IMPORTED 0"


@pytest.mark.parametrize("command", ["compare", "run", "check"])
def test_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    """typer itself imports pydantic for the options of a command."""
    assert last_line(f'"{command}", "--help"', HEAVY) == "IMPORTED 0"
