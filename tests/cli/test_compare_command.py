"""`capsim compare` and `capsim run`: options, streams, exit codes; results are made up, not simulated."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "study"))
import synthetic
from typer.testing import CliRunner, Result

from capsim.cli.main import build
from capsim.errors import InputError
from capsim.results.reading import Plan
from capsim.study.setup import Request, Setup


def made_up(request: Request) -> Setup:
    """A set-up of the made-up menu, with the names that the request gives."""
    menu = tuple(s.strategy for s in synthetic.MENU)
    strategies = request.strategies or menu
    if unknown := set(strategies) - set(menu):
        raise InputError(f"there is no strategy {unknown.pop()!r}")
    cases = request.cases or ("base",)
    prepared: dict[tuple[str, str], Any] = {}
    for case in cases:
        prepared |= synthetic.prepared(case, seed=request.seed or 7)
    context = synthetic.context(asked=request.study, seed=request.seed or 7)
    plan = Plan(strategies, cases, request.runs or 5, request.against or strategies[0])
    return Setup(
        plan, prepared, context, dict.fromkeys(cases, "name: synthetic\n"), ("chips were rounded up",)
    )


@pytest.fixture(autouse=True)
def replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import capsim.engine.simulate
    import capsim.study.setup

    monkeypatch.setattr(capsim.study.setup, "set_up", made_up)
    monkeypatch.setattr(capsim.engine.simulate, "simulate", synthetic.simulate)
    monkeypatch.chdir(tmp_path)


def capsim(*arguments: str) -> Result:
    return CliRunner().invoke(build(), list(arguments))


def test_compare_prints_a_report_and_keeps_a_folder(tmp_path: Path) -> None:
    done = capsim("compare", "synthetic", "--workers", "1")
    assert done.exit_code == 0, done.output
    assert "RANKED BY TOTAL" in done.stdout
    assert done.stderr == "note: chips were rounded up\n"
    folder = tmp_path / "runs" / "3f9a1c-7"
    assert json.loads((folder / "manifest.json").read_text())["status"] == "complete"
    assert (folder / "spec.yaml").read_text() == "name: synthetic\n"


def test_quiet_is_quiet() -> None:
    assert capsim("compare", "synthetic", "--workers", "1", "--quiet").stderr == ""


def test_json_is_all_of_stdout() -> None:
    done = capsim(
        "compare", "synthetic", "--workers", "1", "--json", "--runs", "3", "--strategies", "multi,azure"
    )
    found = json.loads(done.stdout)
    assert found["plan"] == {
        "strategies": ["multi", "azure"],
        "cases": ["base"],
        "runs": 3,
        "against": "multi",
    }


def test_workers_and_seed(tmp_path: Path) -> None:
    one = json.loads(capsim("compare", "synthetic", "--workers", "1", "--json").stdout)
    two = json.loads(capsim("compare", "synthetic", "--workers", "2", "--json", "--out", "other").stdout)
    other = json.loads(capsim("compare", "synthetic", "--workers", "1", "--json", "--seed", "8").stdout)
    assert one["result_digest"] == two["result_digest"] != other["result_digest"]
    assert other["folder"] == "runs/3f9a1c-8"
    assert (tmp_path / "other" / "runs.parquet").is_file()


def test_several_cases() -> None:
    done = capsim("compare", "synthetic", "--workers", "1", "--cases", "base,late")
    assert "4 strategies x 2 cases x 5 runs" in done.stdout
    assert "by case" in done.stdout


def test_wide_shows_more() -> None:
    short = capsim("compare", "synthetic", "--workers", "1")
    wide = capsim("compare", "synthetic", "--workers", "1", "--wide")
    assert "more figures" in wide.stdout
    assert "more figures" not in short.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--strategies", "nobody"), "there is no strategy 'nobody'"),
        (("--workers", "0"), "--workers 0: write a whole number"),
    ],
)
def test_wrong_input(arguments: tuple[str, ...], message: str) -> None:
    done = capsim("compare", "synthetic", *arguments)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_run_reads_a_finished_comparison(tmp_path: Path) -> None:
    capsim("compare", "synthetic", "--workers", "1")
    done = capsim("run", "synthetic", "-s", "multi", "--workers", "1")
    assert done.exit_code == 0, done.output
    assert "who ran where" in done.stdout
    assert "Kept in        runs/3f9a1c-7 " in done.stdout
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["3f9a1c-7"]


def test_run_simulates_where_nothing_is_there(tmp_path: Path) -> None:
    done = capsim("run", "synthetic", "-s", "multi", "--workers", "1", "--json")
    found = json.loads(done.stdout)
    assert found["schema"] == "capsim.run/1"
    assert found["strategy"] == "multi"
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["3f9a1c-7-multi"]


def test_run_and_compare_agree() -> None:
    ranked = json.loads(capsim("compare", "synthetic", "--workers", "1", "--json").stdout)["cases"]["base"][
        "ranked"
    ]
    alone = json.loads(capsim("run", "synthetic", "-s", "wait", "--json", "--out", "alone").stdout)
    mine = next(row for row in ranked if row["strategy"] == "wait")
    assert alone["cases"]["base"]["figures"]["total"] == mine["total"]


def test_unfinished_folder_asks_for_resume(tmp_path: Path) -> None:
    capsim("compare", "synthetic", "--workers", "1")
    folder = tmp_path / "runs" / "3f9a1c-7"
    manifest = json.loads((folder / "manifest.json").read_text()) | {"status": "interrupted"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    next(folder.glob("parts/*.parquet")).unlink()
    refused = capsim("compare", "synthetic", "--workers", "1")
    assert isinstance(refused.exception, InputError)
    assert "4 of 5 worlds done); add --resume" in str(refused.exception)
    assert capsim("compare", "synthetic", "--workers", "1", "--resume").exit_code == 0


def test_damaged_part_is_named(tmp_path: Path) -> None:
    capsim("compare", "synthetic", "--workers", "1")
    victim = sorted((tmp_path / "runs" / "3f9a1c-7" / "parts").glob("*.parquet"))[0]
    victim.write_bytes(victim.read_bytes()[:-1])
    done = capsim("compare", "synthetic", "--workers", "1", "--resume")
    assert f"parts/{victim.name} was damaged" in done.stderr


def test_bridge_between_any_two_reads_what_is_there(tmp_path: Path) -> None:
    capsim("compare", "synthetic", "--workers", "1")
    done = capsim("compare", "synthetic", "--bridge", "wait,multi", "--workers", "1")
    assert done.exit_code == 0, done.output
    assert "--bridge wait,multi" in done.stdout
    assert "productive k chip-hours" in done.stdout
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["3f9a1c-7"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bridge", "multi"), "write two strategies, A,B"),
        (("--bridge", "multi,nobody"), "there is no 'nobody'"),
        (("--low", "$1/h"), "belong to --flip"),
    ],
)
def test_wrong_questions(arguments: tuple[str, ...], message: str) -> None:
    done = capsim("compare", "synthetic", *arguments)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)
