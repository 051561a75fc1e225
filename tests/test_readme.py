"""The README's commands work and its measured blocks are there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

SHOWN = (
    "compare quickstart",
    "run quickstart -s new-cloud",
    "run quickstart -s new-cloud --statement new-cloud",
    "compare quickstart --bridge new-cloud,wait",
    "compare quickstart --flip offers.new-cloud.price",
    "check quickstart",
    "catalog chips",
)


def capsim(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, from another folder than the checkout."""
    return subprocess.run(
        [sys.executable, "-m", "capsim", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text()


def test_the_measured_blocks_are_filled(readme: str) -> None:
    for name in ("demo", "speed"):
        block = re.search(rf"<!-- {name}: .*?-->\n(.*?)<!-- /{name} -->", readme, re.S)
        assert block is not None and len(block[1].splitlines()) > 5
    strategies = re.findall(r"^ \d=? +([\w-]+) ", readme, re.M)
    assert len(strategies) == 9


@pytest.mark.parametrize("command", SHOWN)
def test_commands_of_the_table(readme: str, command: str, tmp_path: Path) -> None:
    assert f"`capsim {command}`" in readme
    simulates = command.split()[0] in ("compare", "run")
    extra = ["--runs", "2"] if simulates else []
    if simulates and "--flip" not in command and "--statement" not in command:
        extra += ["--out", str(tmp_path / "run")]
    done = capsim(*shlex.split(command), *extra, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_a_study_of_ones_own(readme: str, tmp_path: Path) -> None:
    for line in ("capsim init my-study", "capsim check my-study.yaml", "capsim compare my-study.yaml"):
        assert line in readme
        extra = ["--runs", "2", "--out", str(tmp_path / "run")] if "compare" in line else []
        done = capsim(*shlex.split(line)[1:], *extra, cwd=tmp_path)
        assert done.returncode == 0, done.stderr


def test_replay_of_a_trace(shared: Path, tmp_path: Path) -> None:
    trace = shared / "truth" / "scheduling" / "sdsc_sp2_5k.swf.gz"
    done = capsim(
        "trace", "replay", str(trace), "--chips", "128", "--policy", "easy,sjf+easy,las", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_fidelity_on_the_shared_table(shared: Path, tmp_path: Path) -> None:
    done = capsim("fidelity", "training", str(shared / "truth" / "training.csv"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_make_targets_exist(root: Path, readme: str) -> None:
    makefile = (root / "Makefile").read_text()
    for target in re.findall(r"`?make (\w+)", readme):
        if target in ("demo", "test", "bench"):
            assert f"\n{target}: " in makefile
