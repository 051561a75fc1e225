"""Rules, ramps and what they do, with dates and figures computed by hand.

The horizon is 2026-01-01 to 2028-01-01; the market starts at $2/h and moves by a certain drift.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsim.compile.calendar import MS_DAY
from capsim.control.decisions import target_chips
from capsim.control.measures import Watch
from capsim.engine.billing import owed_after
from capsim.errors import StudyError
from capsim.spec.loader import load_study
from tests.studies import booked, contract_context, contract_only, lived, small_study, write_study

OFFERS = """
markets:
  m: {start: $2/h, state: a, volatility: 0%, regimes: {a: {drift: -50%/y, leave: 0%/q}}}
offers:
  held: {provider: p, kind: cloud, status: signed, chips: {gb200_nvl72: 100%},
      quantity: {min: 7200, max: 7200, lot: 72}, ends: 2027-01-01, price: {per_chip_hour: $2/h},
      tranches: [{at: 2026-01-01, share: 100%}], renewal: {term: 1y, notice: 30d},
      termination: {fee: 10%, notice: 60d}, delivery: {delay: [{by: 90d, p: 100%}]},
      options: [{name: more, chip: gb200_nvl72, quantity: 720, decide: 2026-09-01, deliver: 2026-12-01,
                 price: {per_chip_hour: $2/h}, premium: $1M}]}
  block: {provider: q, kind: cloud, status: live, chips: {gb200_nvl72: 100%}, market: m,
      quantity: {min: 72, max: 72000, lot: 72}, term: 1y, price: {per_chip_hour: $2/h}}
"""


def acted(tmp_path: Path, plan: str, **gauges: float) -> Any:
    return lived(contract_only(small_study(tmp_path, f"{OFFERS}\nstrategies: {{s: {plan}}}")), **gauges)


def bought(ctx: Any) -> list[int]:
    """Days of the planned deliveries of everything that was ordered while the run lasted."""
    return sorted(
        state.planned // MS_DAY
        for lot in ctx.prepared.portfolio.lots
        if (state := ctx.lots[lot.key]).status != "unused" and lot.offer == "block"
    )


BUY = "buy: {offer: block, quantity: 720, lead: 50d%s}"


def test_a_price_triggers_and_a_purchase_is_signed_at_it(tmp_path: Path) -> None:
    # $2 x 0.5^(m/12): 1.94 at the second review (month 1), below $1.50 from month 5 (1.498) = 2026-06-01, day 151
    ctx = acted(tmp_path, f'{{rules: [{{when: "price of m < $1.5/h", review: 30d, times: 1, {BUY % ""}}}]}}')
    # the first review from then on is day 180, the chips come 50 days later
    assert bought(ctx) == [230]
    state = next(s for k, s in ctx.lots.items() if k.startswith("block") and s.status != "unused")
    assert state.price_factor == pytest.approx(0.5 ** (5 / 12))


def test_and_or_and_dates(tmp_path: Path) -> None:
    rule = '{{rules: [{{when: "{}", review: 100d, {}}}]}}'
    both = acted(tmp_path, rule.format("utilisation > 80% and date >= 2027-01-01", BUY % ""), utilisation=0.9)
    assert bought(both) == [450, 550, 650, 750]  # reviews from day 365 on: 400, 500, 600, 700
    idle = acted(tmp_path, rule.format("utilisation > 80% and date >= 2027-01-01", BUY % ""), utilisation=0.7)
    assert bought(idle) == []
    either = rule.format("utilisation > 80% or date >= 2027-07-01", BUY % "")
    assert bought(acted(tmp_path, either, utilisation=0.7)) == [650, 750]  # from day 546 on


def test_pauses_times_and_limits(tmp_path: Path) -> None:
    rule = '{{rules: [{{when: "utilisation > 50%", review: 30d, {}{}}}]}}'
    busy = {"utilisation": 0.9}
    paused = acted(tmp_path, rule.format("cool_down: 200d, ", BUY % ""), **busy)
    assert bought(paused) == [80, 290, 500, 710]  # days 30, 240 (the first after 230), 450, 660
    assert len(bought(acted(tmp_path, rule.format("times: 3, ", BUY % ""), **busy))) == 3
    assert len(bought(acted(tmp_path, rule.format("", BUY % ", limit: 1500"), **busy))) == 2
    # an order of 720 chips at $2 x 0.5^(1/12) for a year (8,766 h) is $11.9M, the second $11.2M, the third beyond
    assert len(bought(acted(tmp_path, rule.format("", BUY % ", budget: $24M"), **busy))) == 2


def test_a_condition_that_must_last(tmp_path: Path) -> None:
    prepared = contract_only(small_study(tmp_path, f"{OFFERS}\nstrategies: {{s: {{hold: {{held: 7200}}}}}}"))
    ctx = contract_context(prepared)
    level = [0.9]
    ctx.gauges = {"utilisation": lambda: level[0]}
    watch, seen = Watch(ctx, "utilisation > 80% for 60d"), []
    for day in range(0, 210, 30):
        ctx.env.run(until=day * MS_DAY + 1)
        level[0] = 0.5 if day == 90 else 0.9
        seen.append(watch.holds())
    # held since day 0: true from day 60; broken on day 90; held since day 120: true on day 180
    assert seen == [False, False, True, False, False, False, True]


def test_late_chips_are_left_with_notice(tmp_path: Path) -> None:
    plan = '{hold: {held: 7200}, rules: [{when: "delay of held > 30d", review: 20d, terminate: held}]}'
    ctx = acted(tmp_path, plan)
    state = ctx.lots["held/0/gb200_nvl72"]
    # the tranche of day 0 is 40 days late on day 40; notice of 60 days: left on day 100, 10 days after it came
    assert (state.delivered // MS_DAY, state.left // MS_DAY) == (90, 100)
    # 10 % of the rent from day 100 to day 365: 7,200 x $2 x 24 x 265
    assert booked(ctx).nominal("held", "termination") == pytest.approx(0.1 * 7200 * 48 * 265)


def test_options_renewals_and_resale_by_rule(tmp_path: Path) -> None:
    rules = """[{when: "utilisation > 80%", review: 30d, exercise: held.more},
        {when: "date > 2026-06-01", review: 30d, renew: held},
        {when: "date > 2027-02-01", review: 100d, times: 1, resell: {offer: held, share: 50%, discount: 20%}}]"""
    ctx = acted(tmp_path, f"{{hold: {{held: 7200}}, rules: {rules}}}", utilisation=0.9)
    assert ctx.exercised == {"held.more": 30 * MS_DAY}
    state = ctx.lots["held/0/gb200_nvl72"]
    # a year of 365.25 days from the end on
    assert state.renewals == [(365 * MS_DAY, int(730.25 * MS_DAY), 2.0)]
    # the first review after 2027-02-01 (day 396) is day 400; half the chips at 80 % of $2
    assert state.let == [(400 * MS_DAY, 3600, pytest.approx(1.6))]
    never = acted(tmp_path, f"{{hold: {{held: 7200}}, rules: {rules}}}", utilisation=0.1)
    assert never.exercised == {}
    assert owed_after(never, 0, booked(never)).keys() == {"held"}


def test_what_a_review_sees(tmp_path: Path) -> None:
    plan = '{hold: {held: 7200}, rules: [{when: "spent > $20M", review: 10d, times: 1, %s}]}' % (BUY % "")
    # from day 90 on 7,200 chips cost $345,600 a day: $20.7M after 60 days, on day 150
    assert bought(acted(tmp_path, plan)) == [200]
    chips = '{hold: {held: 7200}, rules: [{when: "chips of held > 7k", review: 10d, times: 1, %s}]}' % (
        BUY % ""
    )
    assert bought(acted(tmp_path, chips)) == [140]


def test_a_ramp_orders_ahead(tmp_path: Path) -> None:
    ramp = "{offer: block, quantity: 720, lead: 100d, review: 50d, target: {2026-07-20: 0, 2027-05-16: 3600}}"
    ctx = acted(tmp_path, f"{{ramp: [{ramp}]}}")
    # 200 to 500 days: 12 chips a day. Wanted on day 250: 600 (1 order), 300: 1,200 (2), 350: 1,800 (3), 400: 2,400 (4),
    # 450: 3,000 (5), 500: 3,600 (5). Terms of 365.25 days: the order of day 250 ends on day 615.25 and is replaced
    # on day 650, that of 300 on 700
    assert bought(ctx) == [250, 300, 350, 400, 450]
    more = acted(tmp_path, f"{{ramp: [{ramp[:-1]}, limit: 7200}}]}}")
    assert bought(more) == [250, 300, 350, 400, 450, 650, 700]


def test_a_target_between_its_dates(tmp_path: Path) -> None:
    ramp = "{offer: block, quantity: 720, lead: 0d, target: {2026-01-11: 100, 2026-01-21: 300}}"
    prepared = contract_only(small_study(tmp_path, f"{OFFERS}\nstrategies: {{s: {{ramp: [{ramp}]}}}}"))
    spec = prepared.study.strategies["s"].ramp[0]
    wanted = [target_chips(spec, prepared.calendar, day * MS_DAY) for day in (9, 10, 15, 20, 99)]
    assert wanted == [0, 100, 200, 300, 300]


def test_a_ramp_follows_demand(tmp_path: Path) -> None:
    ramp = """{offer: block, quantity: 720, lead: 0d, review: 100d, with_demand: true, limit: 7200,
        target: {2026-01-01: 1440}}"""
    prepared = contract_only(small_study(tmp_path, f"{OFFERS}\nstrategies: {{s: {{ramp: [{ramp}]}}}}"))
    # tokens double on day 150: from then on twice the chips are wanted
    tokens = np.ones((1, 730 * 24))
    tokens[:, 150 * 24 :] = 2.0
    ctx = lived(prepared, tokens=tokens)
    # 2 orders on day 0, 2 more on day 200; the first end after 365.25 days and are replaced on day 400, the
    # others (day 565.25) on day 600
    assert bought(ctx) == [0, 0, 200, 200, 400, 400, 600, 600]


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ('rules: [{when: "backlgo > 2w", review: 4w, terminate: held}]', "did you mean `backlog`"),
        ('rules: [{when: "price of n < $2/h", review: 4w, terminate: held}]', "there is no market `n`"),
        ('rules: [{when: "price < $2/h", review: 4w, terminate: held}]', "which market"),
        ('rules: [{when: "backlog > 2w", review: 4w}]', "write exactly one of buy, terminate"),
        ('rules: [{when: "backlog > 2w", review: 4w, exercise: held.mor}]', "did you mean `more`"),
        ("ramp: [{offer: block, quantity: 72, lead: 1q, target: {}}]", "a ramp without a target"),
        (
            "ramp: [{offer: block, chip: h100_hgx, quantity: 72, lead: 1q, target: {2026: 1}}]",
            "offers no `h100_hgx`",
        ),
        ('renew: {held: "utilisation > 50% for 30d"}', "asked once cannot last"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, plan: str, told: str) -> None:
    text = f"{OFFERS}\nstrategies: {{s: {{hold: {{held: 7200}}, {plan}}}}}"
    with pytest.raises(StudyError) as error:
        load_study(write_study(tmp_path, text))
    assert told in str(error.value)
