"""Every figure of the built-in study that claims a seed equals it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from capsim.catalog.library import load_catalog
from capsim.spec.loader import load_study
from capsim.spec.provenance import Sourced, values_of

FIGURES = ("usd", "usd_over", "usd_up_to", "valuation_usd", "chips_over", "mw", "share")
CLAIM = re.compile(r"seed:([a-z0-9-]+)")
Facts = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def seeds(root: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((root / "seeds" / "facts.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def facts(seeds: dict[str, Any]) -> Facts:
    return {row["id"]: row for row in seeds["facts"]}


def claims(values: Iterable[Sourced]) -> Iterator[tuple[str, Sourced]]:
    """Values that name a seed as their source, with its id."""
    for item in values:
        found = CLAIM.match(item.value.source or "")
        if found is not None:
            yield found[1], item


def figures(fact: Mapping[str, Any]) -> set[float]:
    """The numbers that a fact states, in the units of the study's schema (power in kW)."""
    stated = {float(fact[name]) * (1e3 if name == "mw" else 1) for name in FIGURES if name in fact}
    return stated


def mismatches(values: Iterable[Sourced], facts: Facts) -> list[str]:
    """Claims that name no fact, or whose number is not the fact's."""
    wrong = []
    for name, item in claims(values):
        place = f"{'.'.join(map(str, item.path))} = {item.value}"
        if name not in facts:
            wrong.append(f"{place}: there is no seed {name}")
        elif isinstance(item.value, datetime.date):
            if not item.value.isoformat().startswith(str(facts[name].get("date"))):
                wrong.append(f"{place}: seed {name} says {facts[name].get('date')}")
        elif float(item.value) not in figures(facts[name]):
            wrong.append(f"{place}: seed {name} says {figures(facts[name])}")
    return wrong


def _all_values(root: Path) -> list[Sourced]:
    study = load_study(root / "configs" / "frontier-lab.yaml", as_of="2026-11-21").study
    catalog = load_catalog()
    return [*values_of(study), *values_of(dict(catalog.offers)), *values_of(dict(catalog.markets))]


def test_every_claim_equals_its_seed(root: Path, facts: Facts) -> None:
    values = _all_values(root)
    assert mismatches(values, facts) == []
    claimed = {name for name, _ in claims(values)}
    assert claimed >= {
        "aws-contract-value",
        "azure-contract",
        "microsoft-iren",
        "amazon-cipher",
        "amazon-investment-talks",
        "rofr-lost",
    }


def test_a_changed_figure_is_noticed(root: Path, facts: Facts) -> None:
    values = _all_values(root)
    other = {name: dict(fact) for name, fact in facts.items()}
    other["aws-contract-value"]["usd"] = 39e9
    other["rofr-lost"]["date"] = "2025-11"
    del other["azure-contract"]
    noticed = " ".join(mismatches(values, other))
    assert "aws-contract-value" in noticed and "rofr-lost" in noticed and "no seed azure-contract" in noticed


def test_published_figures_in_text_equal_their_seeds(root: Path, facts: Facts) -> None:
    study = load_study(root / "configs" / "frontier-lab.yaml").study
    rows = [(CLAIM.search(row.source), row.published) for row in study.cross_check]
    found = [(match[1], published) for match, published in rows if match is not None]
    assert found == [("commitments-total", "more than $1.4T")]
    assert facts["commitments-total"]["usd_over"] == 1.4e12


def test_rows_are_whole(seeds: dict[str, Any], facts: Facts) -> None:
    assert len(facts) == len(seeds["facts"]) >= 26
    for row in seeds["facts"]:
        assert set(row["documents"]) <= {"A", "B"} and row["documents"]
        assert row["parties"] and row["fact"]
        assert all(float(row[name]) > 0 for name in FIGURES if name in row)


def test_every_way_of_sourcing_is_modelled(root: Path, seeds: dict[str, Any]) -> None:
    strategies = load_study(root / "configs" / "frontier-lab.yaml").study.strategies
    for row in seeds["strategies_described"]:
        assert set(row["strategies"]) <= set(strategies), row["id"]
        assert row["strategies"] or row["id"] == "diversified-lab"


@pytest.mark.shared
def test_rows_are_those_of_the_documents(shared: Path, facts: Facts) -> None:
    theirs = yaml.safe_load((shared / "facts" / "seeds.yaml").read_text(encoding="utf-8"))
    rows = {row["id"]: row for row in theirs["facts"]}
    assert set(rows) == set(facts)
    for name, row in rows.items():
        assert sorted(facts[name]["documents"]) == sorted(row["doc"])
        stated = {float(row[field]) * (1e3 if field == "mw" else 1) for field in FIGURES if field in row}
        assert figures(facts[name]) == stated, name
        assert str(facts[name].get("date")) == str(row.get("date"))
