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
heavy = sorted({{"pydantic", "numpy", "numba", "pyarrow", "highspy", "simpy", "yaml"}} & set(sys.modules))
print("IMPORTED", code, *heavy)
"""


@pytest.mark.parametrize(
    "arguments", ['"--help"', '"compare", "--help"', '"run", "--help"', '"check", "--help"']
)
def test_help_imports_nothing_heavy(arguments: str) -> None:
    program = PROGRAM.format(arguments=arguments)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Usage: capsim" in done.stdout
    assert done.stdout.splitlines()[-1] == "IMPORTED 0"
