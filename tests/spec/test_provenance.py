"""Where values come from, which are ranges, and studies with other values; writing a study out in full."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from capsim.spec.canonical import resolved_yaml
from capsim.spec.conditions import Condition, parse_condition
from capsim.spec.loader import load_study
from capsim.spec.provenance import STATED, provenance, ranged, used_values, values_of, with_values
from capsim.spec.study import Study

RICH = Path(__file__).parent / "data" / "rich.yaml"


@pytest.fixture(scope="module")
def study() -> Study:
    return load_study(RICH).study


def test_ranges_are_found_with_their_paths(study: Study) -> None:
    found = dict(ranged(study))
    assert set(found) == {"money.discount_rate", "demand.training_runs.first.slip_cost"}
    assert (found["money.discount_rate"].low, found["money.discount_rate"].high) == (0.06, 0.10)


def test_values_change_and_everything_else_is_shared(study: Study) -> None:
    path = 'offers."cloud.v1".tranches.1.share'
    other = with_values(study, {path: 0.25, "demand.training_runs.first.slip_cost": 7.0, "demand.scale": 2})
    assert other.offers["cloud.v1"].tranches[1].share == 0.25
    assert other.demand.training_runs[0].slip_cost == 7.0
    assert other.demand.scale == 2.0
    assert study.demand.scale == 1.0
    assert other.chips is study.chips and other.offers["spot"] is study.offers["spot"]


def test_a_changed_value_keeps_its_source_and_loses_its_range(study: Study) -> None:
    changed = with_values(study, {"money.discount_rate": 0.07}).money.discount_rate
    assert (changed, changed.source, changed.confidence, changed.ranged) == (
        0.07,
        "made up",
        "assumed",
        False,
    )


def test_dates_and_sizes_are_names_in_paths(study: Study) -> None:
    other = with_values(
        study, {"demand.inference.chat.tokens.2026-01-01": 5.0, "demand.research.chips.8": 0.1}
    )
    assert next(iter(other.demand.inference[0].tokens.values())) == 5.0
    assert other.demand.research is not None and other.demand.research.chips[8] == 0.1


@pytest.mark.parametrize(
    "path", ["demand.scales", "offers.cloud", "demand", "name", "offers.spot.chips.rack.x"]
)
def test_paths_that_lead_to_no_number(study: Study, path: str) -> None:
    with pytest.raises(KeyError):
        with_values(study, {path: 1.0})


def test_every_path_leads_back_to_its_value(study: Study) -> None:
    from capsim.spec.paths import join_path

    numbers = [
        (join_path(path), value) for path, value in used_values(study) if isinstance(value, int | float)
    ]
    assert len(numbers) > 150
    other = with_values(study, {path: float(value) + 1 for path, value in numbers})
    again = [value for _, value in used_values(other) if isinstance(value, int | float)]
    assert again == [value + 1 for _, value in numbers]


def test_provenance_counts_what_is_used(study: Study) -> None:
    found = provenance(study)
    assert sum(found.counts.values()) == len(list(used_values(study)))
    assert found.counts["derived"] == 6 and found.counts[STATED] > 100
    assert "money.discount_rate" in dict(found.assumed)
    assert len(list(values_of(study.offers["secret"]))) == 0


@pytest.mark.parametrize("name", [str(RICH), "quickstart", "frontier-lab"])
def test_a_study_written_out_loads_as_the_same_study(name: str, tmp_path: Path) -> None:
    loaded = load_study(name)
    path = tmp_path / "resolved.yaml"
    path.write_text(resolved_yaml(loaded.study), encoding="utf-8")
    again = load_study(path)
    assert again.study == loaded.study and again.digest == loaded.digest


def test_studies_travel_between_processes(study: Study) -> None:
    twin = pickle.loads(pickle.dumps(study))
    assert twin == study and type(twin.cases["late"]) is dict
    assert ranged(twin) == ranged(study)


def test_conditions_of_rules() -> None:
    week, day = 7 * 86_400_000, 86_400_000
    assert parse_condition("backlog > 2w or utilisation < 85% for 30d") == (
        (Condition("backlog", True, 2 * week),),
        (Condition("utilisation", False, 0.85, 30 * day),),
    )
    text = "price of h100 <= $2/h and date >= 2027-01 or delay of deal > 7d or spent > $2M"
    assert parse_condition(text) == (
        (
            Condition("price", False, 2.0, of="h100", equal=True),
            Condition("date", True, 739982.0, equal=True),  # date(2027, 1, 1).toordinal()
        ),
        (Condition("delay", True, week, of="deal"),),
        (Condition("spent", True, 2e6),),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "backlog",
        "backlog > 5",
        "speed > 2w",
        "utilisation > 85% for long",
        "a > 1 and b > 2",
        "backlog of x > 2w",
        "price > $2/h",
    ],
)
def test_wrong_conditions(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_condition(text)
