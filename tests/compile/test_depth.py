"""Chips that can be had on demand, by system and date."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from capsim.compile.calendar import Calendar
from capsim.compile.depth import on_demand_depth, rented_systems
from tests.studies import small_study

OFFERS = """
offers:
  rental: {provider: p, kind: on_demand, status: live, chips: {gb200_nvl72: 50%, h100_hgx: 50%}, price: {per_chip_hour: $6/h}, DEPTH}
strategies: {s: {hold: {}}}
"""


def test_depth_by_system_and_quarter(tmp_path: Path) -> None:
    depth = "depth: {h100_hgx: {2026-Q1: 500, 2026-Q2: 2k}, gb200_nvl72: {2026-02: 72}}"
    offer = small_study(tmp_path, OFFERS.replace("DEPTH", depth)).offers["rental"]
    calendar = Calendar(date(2026, 1, 1), date(2027, 1, 1), 0.0)
    assert rented_systems(offer) == ["h100_hgx", "gb200_nvl72"]
    chips = on_demand_depth(offer, "h100_hgx", calendar, 365 * 24)
    # the second quarter starts on day 90
    assert (chips[0], chips[90 * 24 - 1], chips[90 * 24], chips[-1]) == (500, 500, 2000, 2000)
    racks = on_demand_depth(offer, "gb200_nvl72", calendar, 365 * 24)
    assert (racks[31 * 24 - 1], racks[31 * 24]) == (0, 72)


def test_one_depth_belongs_to_the_first_system(tmp_path: Path) -> None:
    offer = small_study(tmp_path, OFFERS.replace("DEPTH", "depth_per_quarter: 30k")).offers["rental"]
    calendar = Calendar(date(2026, 1, 1), date(2027, 1, 1), 0.0)
    assert rented_systems(offer) == ["gb200_nvl72"]
    assert set(on_demand_depth(offer, "gb200_nvl72", calendar, 24)) == {30_000.0}
