"""The first steps of a newcomer: `init` and `schema`; and how commands end when something is wrong."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

import capsim
from capsim.cli import failure
from capsim.errors import CapsimError, InputError, Problem, StudyError
from tests.cli.command import run


def test_init_writes_a_study_that_check_accepts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(capsys, "init", "my-lab")
    assert (result.code, result.err) == (0, "") and "capsim check my-lab.yaml" in result.out
    text = (tmp_path / "my-lab.yaml").read_text()
    assert "name: my-lab\n" in text and text.count("#") > 20
    result = run(capsys, "check", "my-lab.yaml", "--strict")
    assert result.code == 0, result.err


def test_init_overwrites_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.yaml").write_text("mine")
    for name in ("lab", "lab.yaml"):
        result = run(capsys, "init", name)
        assert result.code == 2 and "lab.yaml exists already" in result.err
    assert (tmp_path / "lab.yaml").read_text() == "mine"


@pytest.mark.parametrize("name", ["", "no/such/folder/lab", "a: b", "-", "x\0y", ".."])
def test_init_refuses_names_that_are_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(capsys, "init", "--", name)
    assert result.code == 2 and "Traceback" not in result.err
    assert not list(tmp_path.iterdir())


def test_schema_is_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "schema")
    assert result.code == 0 and not result.err
    assert json.loads(result.out)["$schema"].endswith("2020-12/schema")


def test_errors_of_the_user_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert failure.report(StudyError([Problem("f", 1, 2, "wrong", "write right")])) == 2
    assert failure.report(InputError("no such run")) == 2
    assert failure.report(CapsimError("the disk is full")) == 1
    assert capsys.readouterr().err.splitlines() == [
        "f:1:2: wrong; write right",
        "capsim: 1 problem",
        "capsim: no such run",
        "capsim: the disk is full",
    ]


def test_a_defect_leaves_one_line_and_a_log(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    try:
        raise ZeroDivisionError("division by zero\nsecond line")
    except ZeroDivisionError as error:
        assert failure.report(error) == 1
    line = capsys.readouterr().err
    log = next((tmp_path / "capsim").glob("failure-*.log"))
    assert (
        line == f"capsim: stopped by an unexpected ZeroDivisionError: division by zero (details in {log})\n"
    )
    assert "Traceback" in log.read_text() and "second line" in log.read_text()


def test_a_full_disk_behind_the_output_is_no_defect(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert failure.report(OSError(errno.ENOSPC, "No space left on device")) == 1
    assert failure.report(OSError(errno.ENOSPC, "No space left on device", "study.csv")) == 1
    assert capsys.readouterr().err.splitlines() == [
        "capsim: cannot write the output: No space left on device",
        "capsim: cannot write study.csv: No space left on device",
    ]
    assert not list(tmp_path.iterdir())


def test_a_closed_output_is_said_before_anything_is_simulated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    result = run(capsys, "compare", "no-such-study")
    assert (result.code, result.err) == (
        1,
        "capsim: standard output is closed; send it to a file or to /dev/null\n",
    )


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "--version")
    assert (result.code, result.out) == (0, f"capsim {capsim.__version__}\n")


def test_a_reader_that_goes_away_is_no_defect(root: Path) -> None:
    command = f"{sys.executable} -m capsim schema | head -1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=root, check=False)
    assert result.stdout == "{\n" and "Traceback" not in result.stderr and "unexpected" not in result.stderr


def test_an_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "chek", "x")
    assert result.code == 2 and "chek" in result.err
