"""The check `dispatch`: where data is, and what changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsim.compile.checks import run_checks
from capsim.errors import StudyError
from capsim.spec.loader import load_study
from tests.engine.test_dispatch import CHAT, DATA, SPOT, STUDY


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return path


def found(study: Path, *sets: str) -> list[tuple[str, str]]:
    """Level and text of what the check says."""
    return [(f.level, f.text) for f in run_checks(load_study(study, sets=sets), ["dispatch"])]


def test_a_copy_is_priced(study: Path) -> None:
    """20 PB x $0.05/GB = $1,000,000; at 50 GB/s 4.6 d."""
    text = "base: a copy of 20 PB costs $1M ($0.05/GB{}) and takes 4.6 d (50 GB/s, assumed); {}"
    nothing = text.format(", secondary: home states none", "keeping it has no price")
    assert found(study, DATA) == [("info", nothing)]
    # 20,000 TB x 12 months x $20 = $4.8M
    stated = (DATA, "offers.home.egress=$0.05/GB", "offers.away.storage_price=$20/TB-mo")
    assert found(study, *stated) == [("info", text.format("", "to keep it costs $4.8M a year"))]


@pytest.mark.parametrize(
    ("sets", "level", "text"),
    [
        ((DATA.replace("us-east", "us-eats"),), "error", "no offer and no region `us-eats`; did you mean `us-east`?"),
        (("strategies.s.dispatch=data-gravity",), "warning", "data-gravity for base, whose data has no place, is cheapest"),
        (("strategies.s.dispatch=cheapest",), "warning", "s has committed to all that it holds: no place is cheapest"),
        (("strategies.s.dispatch=committed-first",), "warning", "s does not hold spot chips beside others"),
        (("strategies.s.hold.away=null", "strategies.s.dispatch=fastest"), "warning", "s holds one place"),
        ((DATA, "strategies.s.hold.away=null"), "warning", "base: every offer that is held is where"),
        ((DATA.replace("us-east", "[us-east, nowhere]"),), "error", "there is no offer and no region `nowhere`"),
        ((DATA, "offers.away.egress=$0.01/GB"), "info", "`away` has a price of egress, and no workload's data is there"),
    ],
)  # fmt: skip
def test_what_is_wrong_or_in_vain_is_told(study: Path, sets: tuple[str, ...], level: str, text: str) -> None:
    assert any(text in told and level == found_level for found_level, told in found(study, *sets))


def test_data_has_a_home_and_one_size(study: Path) -> None:
    with pytest.raises(StudyError, match="data that is nowhere; name a region or an offer"):
        load_study(study, sets=[DATA.replace("us-east", "[]")])
    named = [DATA.replace("size", "name: corpus, size"), CHAT]
    other = "demand.inference.chat.data={name: corpus, size: 1 PB, at: us-east}"
    text = "chat and base read `corpus`, and say different things of it"
    assert any(text in told for level, told in found(study, *named, other) if level == "error")


def test_rules_that_matter_are_not_warned_of(study: Path) -> None:
    both = (SPOT, "strategies.s.hold={home: 288, cheap: 576}")
    for rule in ("committed-first", "cheapest", "fastest", "advantage", "{training: cheapest}"):
        told = found(study, *both, f"strategies.s.dispatch={rule}")
        assert [level for level, _ in told] == ["info"] * ("cheapest" in rule)
        assert all("prices decide where work runs" in text for _, text in told)
    assert found(study) == []


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("strategies.s.dispatch=nearest", "`nearest` is not known here; did you mean"),
        ("strategies.s.dispatch={chatt: cheapest}", "there is no workload `chatt`"),
        ("demand.training_runs.base.data={size: 20 PX, at: us-east}", "20 PB or 500 TB"),
        ("demand.training_runs.base.data={size: $20, at: us-east}", "is money, not an amount of data"),
        ("demand.training_runs.base.data={size: 1 TB, at: us-east, egress: $1}", "$0.05/GB"),
    ],
)
def test_what_cannot_be_read_is_an_error(study: Path, option: str, text: str) -> None:
    with pytest.raises(StudyError) as error:
        load_study(study, sets=[CHAT, option])
    assert text in str(error.value)
