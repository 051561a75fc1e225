"""`capsim check`: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from capsim.spec.loader import load_study
from tests.cli.command import run

RICH = str(Path(__file__).parents[1] / "spec" / "data" / "rich.yaml")


def test_a_sound_study(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "check", RICH)
    assert (result.code, result.err) == (0, "")
    number = len(load_study(RICH).study.strategies)
    head = f"study rich, {number} strategies, cases base, late, cheap, informed, as of 2026-02-01"
    assert head in result.out
    assert "cloud.v1: $1B / (7,200 chips x 5.00 y x 8,766 h) = $3.17/chip-hour (derived)" in result.out
    assert result.out.endswith("no errors, 0 warnings\n")


def test_problems_go_to_stderr_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "check", RICH, "--set", "demand.scale=lots", "--set", "ofers.x=1")
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines() == [
        "--set:1:14: `lots` is not a number; write a number such as 0.5, 40, 1.2M or 5e26",
        "--set:2:1: unknown key `ofers`; did you mean `offers`?",
        "capsim: 2 problems",
    ]


def test_faults_of_every_case_are_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(
        Path(RICH).read_text().replace("  informed: {as_of", "  odd: {demand: {scal: 2}}\n  informed: {as_of")
    )
    result = run(capsys, "check", str(path))
    assert result.code == 2 and "unknown key `scal` in `demand`; did you mean `scale`?" in result.err
    assert run(capsys, "check", str(path), "--case", "late").code == 0


def test_strict_makes_warnings_errors(capsys: pytest.CaptureFixture[str]) -> None:
    option = ("--set", "uncertainty.conversion={live: 100%}")
    result = run(capsys, "check", RICH, *option)
    assert (
        result.code == 0 and "warning [conversion] " in result.out and "no errors, 1 warning\n" in result.out
    )
    result = run(capsys, "check", RICH, *option, "--strict")
    assert result.code == 2 and "certain for want of a probability" in result.err and not result.out


def test_the_decision_date_moves(capsys: pytest.CaptureFixture[str]) -> None:
    assert "the offer `later` is hidden" in run(capsys, "check", RICH).out
    assert "is hidden" not in run(capsys, "check", RICH, "--as-of", "2027").out
    assert run(capsys, "check", RICH, "--as-of", "2025-01-01").code == 2


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    result = json.loads(run(capsys, "check", RICH, "--json").out)
    assert result["ok"] and not result["errors"] and result["study"] == "rich"
    assert result["hidden_offers"] == {"later": "2026-06-01"}
    assert result["provenance"]["vendor"] == 3 and "money.discount_rate" in result["assumed"]
    assert len(result["digest"]) == 64 and len(result["sources"][0]["sha256"]) == 64
    assert {"check", "level", "case", "file", "line", "column", "what", "hint"} == set(result["findings"][0])
    wrong = run(capsys, "check", RICH, "--json", "--set", "demand.scale=lots")
    assert wrong.code == 2
    assert json.loads(wrong.out)["errors"] == [wrong.err.splitlines()[0]]


@pytest.mark.parametrize("name", ["quickstart", "frontier-lab"])
def test_shipped_studies_are_accepted(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(capsys, "check", name).code == 0


def test_a_study_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "check", "none.yaml")
    assert (result.code, result.err.splitlines()[0]) == (
        2,
        "none.yaml: there is no such file; write the path of a YAML file",
    )
