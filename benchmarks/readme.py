"""Rewrite the measured blocks of README.md: ``python benchmarks/readme.py [demo] [speed]`` (default: both).

Runs the demo's comparison at 120 columns and the scheduler's benchmark, and puts what they print between the
markers of the README. Takes a quarter of an hour on a quiet machine.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


def output(*command: str) -> str:
    """What ``capsim`` prints on standard output at 120 columns, without colours."""
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "capsim", *command],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def first_table(report: str) -> str:
    """The head of a report and its ranked table."""
    lines = report.strip("\n").splitlines()
    end = next(i for i, line in enumerate(lines) if "capacity and risk" in line)
    return "\n".join(line.rstrip() for line in lines[:end]).rstrip()


def put(text: str, name: str, block: str) -> str:
    """The README with one block replaced."""
    pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- /{name} -->)", re.S)
    return pattern.sub(lambda m: f"{m[1]}```\n{block}\n```\n{m[2]}", text)


def main() -> None:
    """Measure and rewrite the blocks that are named."""
    wanted = sys.argv[1:] or ["demo", "speed"]
    blocks = {"demo": demo, "speed": lambda: output("bench", "--quiet").strip("\n")}
    for name in wanted:
        measured = blocks[name]()
        README.write_text(put(README.read_text(), name, measured))


def demo() -> str:
    """The head and the ranked table of the main comparison."""
    with tempfile.TemporaryDirectory() as folder:
        report = output("compare", "frontier-lab", "--quiet", "--out", str(Path(folder) / "demo"))
    return first_table(re.sub(r"Kept in .*", "", report))


if __name__ == "__main__":
    main()
