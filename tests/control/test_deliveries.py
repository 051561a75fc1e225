"""Deliveries without a cluster: rights of first refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capsim.compile.calendar import MS_DAY
from capsim.control.context import Context
from capsim.control.deliveries import Deliveries
from tests.studies import contract_context, contract_only, small_study

RIGHT = """
offers:
  holder: {provider: big, kind: cloud, status: signed, chips: {gb200_nvl72: 100%}, quantity: {min: 72, max: 720, lot: 72}, term: 5y,
     tranches: [{at: 2026-02-01, share: 100%}], price: {per_chip_hour: $2/h}, delivery: {delay: [{by: 2q, p: 100%}]},
     right_of_first_refusal: {over: [small], until: UNTIL, window: 30d, match_probability: CHANCE}}
  other: {provider: small, kind: cloud, status: signed, chips: {gb200_nvl72: 100%}, quantity: {min: 72, max: 720, lot: 72}, term: 5y,
     tranches: [{at: 2026-02-01, share: 100%}], price: {per_chip_hour: $2/h}}
strategies: {s: {hold: {holder: min, other: max}}}
"""


class Silent:
    """A cluster that takes what it is told."""

    def activate(self, *_: Any) -> None:
        """Nothing to do."""


def delivered(tmp_path: Path, until: str, chance: str, held: str = RIGHT) -> tuple[Context, int]:
    """The context after all deliveries, and the day on which the other contract's chips came."""
    text = held.replace("UNTIL", until).replace("CHANCE", chance)
    ctx = contract_context(contract_only(small_study(tmp_path, text)), cluster=Silent())
    Deliveries(ctx).start()
    ctx.env.run(until=ctx.end - 1)
    return ctx, ctx.lots["other/0/gb200_nvl72"].delivered // MS_DAY


@pytest.mark.parametrize(
    ("until", "chance", "day", "provider"),
    [
        ("2025-12-01", "100%", 31, None),  # lapsed before the decision: 2026-02-01 is day 31
        ("2030-01-01", "0%", 61, None),  # the window of 30 days only
        ("2030-01-01", "100%", 61 + 182, "big"),  # the window and the holder's own two quarters
    ],
)
def test_a_right_of_first_refusal(
    tmp_path: Path, until: str, chance: str, day: int, provider: str | None
) -> None:
    ctx, came = delivered(tmp_path, until, chance)
    assert came == pytest.approx(day, abs=1)
    assert ctx.matched.get("other") == provider


def test_a_contract_of_the_base_fleet_may_bring_the_right(tmp_path: Path) -> None:
    held = RIGHT.replace("{holder: min, other: max}", "{other: max}") + "base_fleet: {holder: min}\n"
    ctx, came = delivered(tmp_path, "2030-01-01", "0%", held)
    assert came == 61, "the window of 30 days after day 31"
    # what is in the base fleet itself is signed already
    ctx, came = delivered(
        tmp_path,
        "2030-01-01",
        "100%",
        held.replace("{other: max}", "{holder: min}").replace(
            "base_fleet: {holder: min}", "base_fleet: {other: max}"
        ),
    )
    assert came == 31 and not ctx.matched
