"""Holdings become lots: sizes, dates, prices, overlaps, room for rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from capsim.compile.calendar import MS_DAY, Calendar
from capsim.compile.lots import Shell
from capsim.compile.portfolio import Portfolio, build_portfolio
from capsim.spec.loader import load_study
from tests.studies import small_study


def portfolio(tmp_path: Path, text: str, strategy: str = "s") -> Portfolio:
    study = small_study(tmp_path, text)
    calendar = Calendar(study.horizon.start, study.horizon.end, 0.0)
    return build_portfolio(study, study.strategies[strategy], calendar)


TWO = """
offers:
  o: {provider: p, kind: cloud, status: signed, chips: {gb200_nvl72: 60%, gb300_nvl72: 40%},
      quantity: {min: 720, max: 14400, lot: 720}, term: 5y, price: {per_chip_hour: {gb200_nvl72: $2/h, gb300_nvl72: $3/h}},
      tranches: [{at: 2026-01-01, share: 25%, delivery: existing}, {at: 2026-07-01, share: 75%}]}
"""


def test_a_holding_is_split_by_tranche_and_system_in_whole_racks(tmp_path: Path) -> None:
    found = portfolio(tmp_path, TWO + "strategies: {s: {hold: {o: 7200}}}")
    assert [
        (lot.index, lot.system, lot.chips, lot.planned // MS_DAY, lot.new_build) for lot in found.lots
    ] == [
        (0, "gb200_nvl72", 1080, 0, False),
        (0, "gb300_nvl72", 720, 0, False),
        (1, "gb200_nvl72", 3240, 181, True),
        (1, "gb300_nvl72", 2160, 181, True),
    ]
    assert [lot.price_hour for lot in found.lots] == [2.0, 3.0, 2.0, 3.0]


def test_a_holding_is_rounded_up_to_the_lot_and_says_so(tmp_path: Path) -> None:
    found = portfolio(tmp_path, TWO + "strategies: {s: {hold: {o: 7201}}}")
    assert sum(lot.chips for lot in found.lots) == 7920
    assert any("7,201" in note and "7,920" in note for note in found.notes)


def test_min_max_and_a_slice(tmp_path: Path) -> None:
    text = TWO + "strategies: {s: {hold: {o: max}}, t: {hold: {o: max}, share: 50%}}"
    assert sum(lot.chips for lot in portfolio(tmp_path, text).lots) == 14_400
    assert sum(lot.chips for lot in portfolio(tmp_path, text, "t").lots) == 7_200


def test_overlaps_are_counted_once(tmp_path: Path) -> None:
    text = """
offers:
  o: {provider: p, kind: cloud, status: signed, chips: {gb200_nvl72: 100%}, quantity: {min: 72, max: 7200, lot: 72},
      tranches: [{at: 2026-01-01, share: 100%}], term: 5y, price: {per_chip_hour: $2/h}}
  q: {provider: p, kind: cloud, status: signed, chips: {gb200_nvl72: 100%}, quantity: {min: 72, max: 7200, lot: 72},
      tranches: [{at: 2026-01-01, share: 100%}], term: 5y, price: {per_chip_hour: $2/h}, overlaps: [{offer: o, share: 60%}]}
strategies: {s: {hold: {o: max, q: max}}, t: {hold: {q: max}}}
"""
    assert [lot.chips for lot in portfolio(tmp_path, text).lots] == [7200, 2880]
    assert [lot.chips for lot in portfolio(tmp_path, text, "t").lots] == [7200]


def test_the_built_in_contract_of_38_billion_is_2_92_a_chip_hour(root: Path) -> None:
    study = load_study(root / "configs" / "frontier-lab.yaml").study
    calendar = Calendar(study.horizon.start, study.horizon.end, 0.08)
    lots = build_portfolio(study, study.strategies["azure-plus-aws"], calendar).lots
    aws = [lot for lot in lots if lot.offer == "openai-aws-2025" and lot.index < 1000]
    assert sum(lot.chips for lot in aws) == pytest.approx(230_040, abs=288)
    # 38e9 / (230,040 x 6.47 y x 8,766 h)
    assert [lot.price_hour for lot in aws] == pytest.approx([2.916] * len(aws), rel=0.005)


def test_rules_get_room_for_every_purchase_they_could_make(tmp_path: Path) -> None:
    text = (
        TWO.replace(
            "tranches: [{at: 2026-01-01, share: 25%, delivery: existing}, {at: 2026-07-01, share: 75%}]",
            "market: m",
        )
        + """
markets: {m: {start: $2/h, state: a, volatility: 10%, regimes: {a: {drift: 0%/y, leave: 0%/q}}}}
strategies: {s: {rules: [{when: "backlog > 2w", review: 4w, buy: {offer: o, quantity: 720, lead: 1q, limit_per_quarter: 1440}}]}}
"""
    )
    found = portfolio(tmp_path, text)
    # two years are 8 quarters at two purchases each, and one to round up; reviews every four weeks would allow 26
    assert len(found.lots) == 16
    assert all(lot.contingent for lot in found.lots)


@pytest.mark.parametrize(("kw", "size"), [(400.0, "400 kW"), (3_500.0, "3.5 MW"), (207_000.0, "207 MW")])
def test_the_size_of_a_shell_in_words(kw: float, size: str) -> None:
    assert Shell("s/0", "s", 0, kw, 0, None, False, 148.0).size == size


def test_people_count_tranches_from_one(tmp_path: Path) -> None:
    lot = portfolio(tmp_path, TWO + "strategies: {s: {hold: {o: 7200}}}").lots[0]
    named = [
        (replace(lot, index=index, option=option).name, replace(lot, index=index, option=option).words)
        for index, option in (
            (0, ""),
            (11, ""),
            (501, ""),
            (2000, ""),
            (1, "offer.more"),
            (1000, "offer.more"),
        )
    ]
    assert named == [
        ("1", "tranche 1"),
        ("12", "tranche 12"),
        ("substitute 2", "substitute 2"),
        ("bought 1", "bought 1"),
        ("more", "option more"),
        ("more", "option more"),
    ]
