"""The studies of the news: sound in every case, and their READMEs say what a simulation says now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import news
import numpy as np
import pytest
from news_figures import Figures, read_figures, write_figures
from news_record import differences

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
def test_the_readme_is_what_a_simulation_says(name: str) -> None:
    """The sentences follow from the record, and the record's first worlds are what is simulated now."""
    short = name.removeprefix("news/")
    found = list(news.sampled(short, workers=1))
    assert not found, "\n".join([f"run `python benchmarks/news.py {short}`", *found])


def test_the_index_follows_from_the_records() -> None:
    text = (news.NEWS / "README.md").read_text()
    assert news.index(text) == text
    assert [name for name in NAMES if f"({name.removeprefix('news/')}/README.md)" not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_ranked_table_has_the_recorded_means(name: str) -> None:
    folder = news.NEWS / name.removeprefix("news/")
    table = (folder / "README.md").read_text().split("```")[1]
    figures = read_figures(folder / "figures.json")
    case = next(iter(figures.values))[0]
    for of, strategy in figures.values:
        if of == case:
            row = next(line.split() for line in table.splitlines() if f" {strategy} " in line)
            total = row[row.index(strategy) + 1]
            digits = len(total.partition(".")[2])
            assert total == f"{figures.billions('total_npv', strategy, case):,.{digits}f}", strategy


def test_drift_is_found() -> None:
    text = "a\n<!-- answer: by a command -->\nold\n<!-- /answer -->\nb\n"
    assert news.put(text, "answer", "new") == text.replace("old", "new")
    with pytest.raises(SystemExit, match="no block 'result'"):
        news.put(text, "result", "new")
    assert list(news.changed("x", text, text)) == []
    assert "+new" in list(news.changed("x", text, text.replace("old", "new")))


def test_a_simulation_that_says_otherwise_is_found() -> None:
    before = Figures({("base", "a"): {"total_npv": np.array([1e9, 2e9]), "ettr": np.array([0.5, np.nan])}})
    assert list(differences(before, before)) == []
    world = {"total_npv": np.array([1e9]), "ettr": np.array([0.5])}
    assert list(differences(before, Figures({("base", "a"): world}))) == []
    other = {"total_npv": np.array([1.001e9]), "ettr": np.array([np.nan])}
    assert list(differences(before, Figures({("base", "a"): other}))) == [
        "a, case base, run 0: total_npv was 1e+09 and is 1.001e+09",
        "a, case base, run 0: ettr was 0.5 and is nan",
    ]
    assert list(differences(before, Figures({("late", "a"): world}))) == ["a in case late is not recorded"]


def test_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    figures = read_figures(news.NEWS / "trainium-for-investment" / "figures.json")
    figures = replace(
        figures, worlds={"late": np.array([0.25, np.nan]), "days": np.array([0, 365])}, shares={"a": 0.1}
    )
    write_figures(tmp_path / "figures.json", figures)
    again = read_figures(tmp_path / "figures.json")
    assert again.flips == figures.flips and again.shares == {"a": 0.1}
    assert list(differences(again, figures)) == [] and again.count == figures.count
    np.testing.assert_array_equal(again.worlds["late"], [0.25, np.nan])
    np.testing.assert_array_equal(again.worlds["days"], [0, 365])


def test_named_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_study("news/aws-38b").name == "study.yaml"
    assert load_study("news/aws-38b").study.name == "aws-38b"


def test_the_readme_lists_every_study(root: Path) -> None:
    text = (root / "README.md").read_text()
    assert [name for name in NAMES if f"(configs/{name}/README.md)" not in text] == []
