"""What is paid in any case, each with a figure computed by hand: take-or-pay, minimum spend, exits, prepayment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from capsim.compile.calendar import MS_DAY
from capsim.control.context import Context
from capsim.engine.billing import owed_after
from capsim.engine.billing.take_or_pay import settle
from capsim.spec.loader import load_study
from tests.engine.billing.booking import CHIPS, HOURS, RENT, booked, booked_study, offer, only_lot
from tests.studies import FRAME


def test_take_or_pay_by_quarter_settles_at_its_end(tmp_path: Path) -> None:
    extra = ", take_or_pay: {share: 60%, period: quarter}"
    ledger, _ = booked(tmp_path, offer(extra=extra), used=[0.9, 0.3, 0.3] + [0.6] * 21)
    month = [CHIPS * hours * 2.0 for hours in (744, 672, 744)]
    # used: .9 x 744 + .3 x 672 + .3 x 744 = 1,094.4 of 60 % x 2,160 = 1,296 hours a chip: 201.6 are paid in March
    assert ledger.usd["o", "commitment"][:3] == pytest.approx(
        [0.9 * month[0], 0.3 * month[1], 0.3 * month[2] + CHIPS * 201.6 * 2]
    )
    by_month, _ = booked(
        tmp_path, offer(extra=extra.replace("quarter", "month")), used=[0.9, 0.3, 0.3] + [0.6] * 21
    )
    assert by_month.usd["o", "commitment"][:3] == pytest.approx(
        [0.9 * month[0], 0.6 * month[1], 0.6 * month[2]]
    )


def test_the_committed_share_ramps_up(tmp_path: Path) -> None:
    extra = ", take_or_pay: {share: 80%, ramp: [{after: 0mo, share: 20%}, {after: 1y, share: 80%}]}"
    ledger, ctx = booked(tmp_path, offer(extra=extra), used=0.0)
    # 8,766 h at 20 % and 8,754 h at 80 %: 7,200 x $2 x (1,753.2 + 7,003.2)
    assert ledger.nominal("o", "commitment") == pytest.approx(126_092_160.0)
    # the three years that remain are committed at 80 %
    left = 5 * 8_766 - HOURS
    assert owed_after(ctx, ctx.end, ledger)["o"] == pytest.approx(0.8 * CHIPS * 2 * left)


def test_hours_paid_and_not_used_are_made_up_within_their_periods() -> None:
    committed, used = np.full(4, 100.0), np.array([60.0, 120.0, 130.0, 150.0])
    found = settle(committed, used, make_up=2, carry=0)
    # 40 paid in the first; 20 of them used free in the second, 20 in the third; none is left for the fourth
    assert found.shortfall.tolist() == [40, 0, 0, 0]
    assert found.made_up.tolist() == [0, 20, 20, 0]
    # of one period's validity only the second can use them
    assert settle(committed, used, make_up=1, carry=0).made_up.tolist() == [0, 20, 0, 0]


def test_use_above_the_commitment_covers_a_later_shortfall() -> None:
    committed, used = np.full(4, 100.0), np.array([130.0, 90.0, 70.0, 50.0])
    found = settle(committed, used, make_up=0, carry=2)
    # 30 above: 10 cover the second period, 20 of the third's 30; nothing is left for the fourth's 50
    assert found.carried.tolist() == [0, 10, 20, 0]
    assert found.shortfall.tolist() == [0, 0, 10, 50]
    assert settle(committed, used, make_up=0, carry=1).carried.tolist() == [0, 10, 0, 0]


def test_made_up_hours_are_not_paid_again(tmp_path: Path) -> None:
    extra = ", take_or_pay: {share: 50%, make_up: 1}"
    ledger, _ = booked(tmp_path, offer(extra=extra), used=[0.0, 1.0] + [0.5] * 22)
    # January: 372 h paid and not used. February: 672 h used, 336 above the commitment, all of them made up.
    rent = CHIPS * 2.0
    assert ledger.usd["o", "commitment"][:2] == pytest.approx([372 * rent, 336 * rent])
    assert ledger.nominal("o", "commitment") == pytest.approx(0.5 * RENT)


def test_minimum_spend_a_year(tmp_path: Path) -> None:
    extra = ", take_or_pay: {share: 0%}, min_spend: {per_year: $100M}"
    ledger, _ = booked(tmp_path, offer(extra=extra), used=[1.0] * 12 + [0.5] * 12)
    # 2026: 7,200 x 8,760 h x $2 = $126.144M; 2027: half of it, $63.072M, so $36.928M are missing in December
    assert ledger.usd["o", "min_spend"].tolist() == pytest.approx([0.0] * 23 + [36_928_000.0])


def test_minimum_spend_in_total_counts_what_is_committed_after_the_horizon(tmp_path: Path) -> None:
    extra = ", take_or_pay: {share: 50%}, min_spend: {total: $400M}"
    ledger, _ = booked(tmp_path, offer(extra=extra), used=0.0)
    # two years at 50 %: $126.144M; 26,310 h after them at 50 %: $189.432M; $84.424M are missing
    assert ledger.nominal("o", "min_spend") == pytest.approx(400e6 - 126_144_000 - 189_432_000)
    enough, _ = booked(tmp_path, offer(extra=", min_spend: {share: 100%}"))
    assert enough.nominal("o", "min_spend") == 0.0


def test_no_minimum_is_owed_to_a_supplier_that_defaulted(tmp_path: Path) -> None:
    def gone(ctx: Context) -> None:
        only_lot(ctx).status, only_lot(ctx).ended = "defaulted", 100 * MS_DAY

    ledger, _ = booked(tmp_path, offer(extra=", min_spend: {per_year: $100M, total: $400M}"), gone)
    assert ledger.nominal() == pytest.approx(100 * 24 * CHIPS * 2)


def test_a_slice_of_a_holding_owes_that_slice_of_the_minimum(tmp_path: Path) -> None:
    extra = ", take_or_pay: {share: 0%}, min_spend: {per_year: $100M}"
    ledger, _ = booked(tmp_path, offer(extra=extra, strategy=", share: 50%"), used=0.0)
    assert ledger.nominal("o", "min_spend") == pytest.approx(100e6)  # two years of half of $100M


def leaves(day: int) -> Callable[[Context], None]:
    def change(ctx: Context) -> None:
        state = only_lot(ctx)
        state.status, state.ended, state.left = "left", day * MS_DAY, day * MS_DAY

    return change


def test_leaving_for_convenience_costs_a_share_of_what_remains(tmp_path: Path) -> None:
    ledger, ctx = booked(tmp_path, offer(extra=", termination: {fee: 40%}"), leaves(365))
    # a year of rent, then 40 % of 43,830 - 8,760 = 35,070 h x 7,200 x $2 = $505.008M, in January 2027
    assert ledger.nominal("o", "commitment") == pytest.approx(126_144_000.0)
    assert ledger.usd["o", "termination"][12] == pytest.approx(202_003_200.0)
    assert owed_after(ctx, ctx.end, ledger) == {}
    # before the exit it is what is owed if all work stops
    stayed, ctx = booked(tmp_path, offer(extra=", termination: {fee: 40%}"))
    assert owed_after(ctx, 365 * MS_DAY, stayed) == {"o": pytest.approx(202_003_200.0)}


def test_the_fee_by_year_of_the_contract(tmp_path: Path) -> None:
    ledger, _ = booked(tmp_path, offer(extra=", termination: {by_year: [80%, 50%, 25%]}"), leaves(366))
    # day 366 is in the second year: 50 % of (43,830 - 8,784) h x 7,200 x $2
    assert ledger.nominal("o", "termination") == pytest.approx(0.5 * 35_046 * 14_400)


def test_leaving_before_delivery_pays_the_fee_on_the_whole_term(tmp_path: Path) -> None:
    def early(ctx: Context) -> None:
        state = only_lot(ctx)
        state.status, state.delivered, state.delay = "left", -1, 90 * MS_DAY
        state.ended = state.left = 30 * MS_DAY

    ledger, _ = booked(tmp_path, offer(extra=", termination: {fee: 10%}"), early)
    assert ledger.nominal() == pytest.approx(0.1 * 43_830 * 14_400)


def test_leaving_a_shell_costs_a_share_of_its_lease(tmp_path: Path) -> None:
    text = """
offers:
  shell: {provider: p, kind: powered_shell, status: signed, hosts: [gb300_nvl72], term: 4y, termination: {by_year: [60%, 30%]},
      tranches: [{at: 2026-01-01, share: 100%}], price: {per_kw_month: $100/kW-mo}, power: {site: x, it: 10 MW}}
strategies: {s: {hold: {shell: 1}}}
"""

    def left(ctx: Context) -> None:
        state = next(iter(ctx.shells.values()))
        state.status, state.ended = "left", 487 * MS_DAY

    ledger, ctx = booked(tmp_path, text, left)
    # 487 of 1,461 days are paid at 10,000 kW x $100 / 30.4375 d; 30 % of the other 974, in the second year
    assert ledger.nominal("shell", "shell") == pytest.approx(487 * 1e6 / 30.4375)
    assert ledger.nominal("shell", "termination") == pytest.approx(0.30 * 974 * 1e6 / 30.4375)
    assert owed_after(ctx, ctx.end, ledger) == {}


PREPAY = ", prepay: {share: 20%, before: 3mo, credited_after: 6mo, credited: evenly}"


def test_a_prepayment_credited_evenly_over_the_rest(tmp_path: Path) -> None:
    ledger, _ = booked(tmp_path, offer(extra=PREPAY, term="2y"))
    # 20 % of 7,200 x 17,532 h x $2 = $50.49216M, drawn down evenly over the last 18 of 24 months, in which the
    # horizon ends half a day before the contract does: 547.375 of 547.875 days
    paid = 50_492_160.0
    assert ledger.nominal("o", "prepayment") == pytest.approx(paid)
    drawn = -ledger.usd["o", "drawdown"]
    assert drawn[:6].sum() == 0.0
    assert drawn[7] == pytest.approx(paid * 31 / 547.875)  # August: delivery + 182.625 d is in July
    assert drawn.sum() == pytest.approx(paid * 547.375 / 547.875)
    assert ledger.nominal("o", "undrawn") == pytest.approx(-paid * 0.5 / 547.875)


def test_what_is_not_drawn_down_comes_back_on_leaving_if_it_is_refundable(tmp_path: Path) -> None:
    right = ", termination: {fee: 10%}"
    ledger, _ = booked(tmp_path, offer(extra=PREPAY + right, term="2y"), leaves(90))
    assert ledger.nominal("o", "drawdown") == pytest.approx(-50_492_160.0)
    kept, _ = booked(
        tmp_path,
        offer(extra=PREPAY.replace("evenly", "evenly, refundable: false") + right, term="2y"),
        leaves(90),
    )
    assert kept.nominal("o", "drawdown") == 0.0
    assert kept.nominal("o", "undrawn") == 0.0


def test_a_tranche_may_prepay_a_share_of_its_own(tmp_path: Path) -> None:
    extra = ", prepay: {share: 20%, before: 0d, credited_after: 24mo}"
    text = offer(extra=extra).replace(
        "{at: 2026-01-01, share: 100%, delivery: existing}",
        "{at: 2026-01-01, share: 50%, delivery: existing}, {at: 2026-07-01, share: 50%, delivery: existing, prepay: 35%}",
    )
    ledger, _ = booked(tmp_path, text)
    # 3,600 chips x 43,830 h x $2 = $315.576M a tranche: 20 % in January, 35 % in July
    assert ledger.usd["o", "prepayment"][[0, 6]] == pytest.approx([0.20 * 315_576_000, 0.35 * 315_576_000])


def test_prepayments_reduce_what_is_owed_until_they_are_drawn_down(tmp_path: Path) -> None:
    extra = ", prepay: {share: 20%, before: 0d, credited_after: 24mo}"
    ledger, ctx = booked(tmp_path, offer(extra=extra))
    # at the end of 2026 $505.008M of rent remain and 20 % of $631.152M were prepaid
    assert owed_after(ctx, 365 * MS_DAY, ledger) == {"o": pytest.approx(505_008_000 - 126_230_400)}


def test_iren(tmp_path: Path) -> None:
    """20 % of each tranche a quarter before delivery, credited against the rent after month 24."""
    frame = FRAME.replace("2026-01-01, end: 2028-01-01", "2025-11-01, end: 2031-01-01")
    path = tmp_path / "study.yaml"
    path.write_text(
        frame.replace('"builtin:catalog"', '"builtin:catalog", "builtin:offers"')
        + "uncertainty: {factors: {texas-grid: {correlation: 50%}, us-grid: {correlation: 50%}, chip-supply: {correlation: 50%}}}\n"
        + "strategies: {s: {hold: {iren-like: max}}}\n"
    )
    ledger, _ = booked_study(load_study(path).study)
    # four tranches of 19,008 GB300: 19,008 x 43,830 h x $2.91 = $2,424.39M, of which 20 % = $484.88M
    tranche = 19_008 * 43_830 * 2.91
    paid = ledger.usd["iren-like", "prepayment"]
    # April, July, October and 1 December 2026, each less 91.3125 days
    assert np.flatnonzero(paid).tolist() == [1, 4, 8, 9]
    assert paid[paid > 0] == pytest.approx([0.2 * tranche] * 4)
    # the first was delivered on 2026-04-01; month 24 ends 730.5 days later, at noon of 2028-03-31
    drawn = -ledger.usd["iren-like", "drawdown"]
    assert np.flatnonzero(drawn)[0] == 28
    assert drawn[28] == pytest.approx(12 * 19_008 * 2.91)
    assert drawn[29] == pytest.approx(30 * 24 * 19_008 * 2.91)
    # a tranche pays 19,008 x 2.91 x 24 = $1.3275M a day: its prepayment lasts 365.25 days
    assert drawn.sum() == pytest.approx(0.8 * tranche)
    assert ledger.nominal("iren-like", "undrawn") == 0.0
