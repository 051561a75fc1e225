"""The studies of the news: sound in every case, and their READMEs say what a simulation says now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from capsim.compile.checks import run_checks
from capsim.spec.includes import find_study, shipped_studies
from capsim.spec.loader import load_study, read_study

NAMES = [name for name in shipped_studies() if name.startswith("news/")]


@pytest.mark.parametrize("name", NAMES)
def test_sound_in_every_case(name: str) -> None:
    draft = read_study(name)
    for case in draft.cases:
        assert not [str(found) for found in run_checks(draft.resolve(case)) if found.level == "error"]


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_is_what_a_simulation_says(name: str, root: Path) -> None:
    short = name.removeprefix("news/")
    command = [sys.executable, str(root / "benchmarks" / "news.py"), "--check", "--workers", "1", short]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run `python benchmarks/news.py {short}`\n{done.stdout}{done.stderr}"


def test_drift_is_found(root: Path) -> None:
    sys.path.insert(0, str(root / "benchmarks"))
    try:
        from news import put
    finally:
        sys.path.pop(0)
    text = "a\n<!-- answer: by a command -->\nold\n<!-- /answer -->\nb\n"
    assert put(text, "answer", "new") == text.replace("old", "new")
    with pytest.raises(SystemExit, match="no block 'result'"):
        put(text, "result", "new")


def test_named_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_study("news/aws-38b").name == "study.yaml"
    assert load_study("news/aws-38b").study.name == "aws-38b"


def test_the_readme_lists_every_study(root: Path) -> None:
    text = (root / "README.md").read_text()
    assert [name for name in NAMES if f"(configs/{name}/README.md)" not in text] == []
