"""What becomes of money when a contract goes on, ends or is left; dates and figures computed by hand.

As in `test_contract_life`: 7,200 chips at $2 an hour from 2026-01-01, a horizon of 730 days, no discount.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from capsim.compile.calendar import MS_DAY
from capsim.engine.billing import owed_after
from tests.control.test_contract_life import (
    CHIPS,
    DAILY,
    LATE,
    MARKET,
    OPTION,
    SUPPLIERS,
    YEAR,
    state,
    study,
)
from tests.engine.billing.booking import used_ledger, used_places
from tests.studies import booked, contract_only, lived, small_study

FURTHER = "renewal: {term: 181d, price: same, notice: 30d}"
RENEW = ", renew: {o: always}"


def test_what_is_left_of_a_prepayment_is_drawn_down_in_the_further_term(tmp_path: Path) -> None:
    terms = f"{FURTHER}, prepay: {{share: 50%, before: 0d, credited_after: 300d}}"
    ledger = booked(lived(study(tmp_path, terms, RENEW, lasts=YEAR)))
    # 182.5 days are prepaid; 65 of them are drawn in the first term from day 300 on, 117.5 of the 181 after it
    assert ledger.nominal("o", "prepayment") == pytest.approx(182.5 * DAILY)
    drawn = -ledger.usd["o", "drawdown"]
    assert drawn[:12].sum() == pytest.approx(65 * DAILY)
    assert drawn[12:].sum() == pytest.approx(117.5 * DAILY)
    assert ledger.nominal() == pytest.approx((365 + 181) * DAILY)


def test_a_prepayment_is_an_asset_while_its_tranche_is_awaited_at_the_horizons_end(tmp_path: Path) -> None:
    terms = f"prepay: {{share: 10%, before: 0d, credited_after: 0d}}, delivery: {{{LATE}}}"
    ledger = booked(lived(study(tmp_path, terms, at="2027-11-01")))
    # planned for November 2027, 100 days late: 10 % of 1,826.25 days were paid, nothing came before 2028
    assert ledger.nominal("o", "prepayment") == pytest.approx(182.625 * DAILY)
    assert ledger.nominal("o", "undrawn") == pytest.approx(-182.625 * DAILY)
    # the contract is renewed after the horizon, and what is left counts all the same
    terms = f"{FURTHER}, prepay: {{share: 10%, before: 0d, credited_after: 700d}}"
    renewed = booked(lived(study(tmp_path, terms, RENEW, lasts="ends: 2028-01-15")))
    assert renewed.nominal("o", "undrawn") == pytest.approx(-(74.4 - 30) * DAILY)


def test_a_leased_chip_is_paid_once_when_its_lease_was_renewed_before_it_is_bought(tmp_path: Path) -> None:
    terms = f"{FURTHER}, lease_end: {{action: purchase, residual: $8k}}"
    prepared = study(tmp_path, terms, RENEW, kind="lease", lasts=YEAR, price="per_chip_hour: $2/h")
    ledger = booked(lived(prepared))
    assert ledger.nominal("o", "commitment") == pytest.approx((365 + 181) * DAILY)
    assert ledger.nominal("o", "purchase") == pytest.approx(57.6e6)


def test_chips_bought_at_the_end_of_a_lease_are_the_buyers(tmp_path: Path) -> None:
    terms = "residual_per_year: 50%, lease_end: {action: purchase, residual: $8k}"
    kind = {"kind": "lease", "price": "per_chip_month: $1k"}
    prepared = study(tmp_path, terms, ", terminate: {o: 2027-06-01}", **kind, lasts="ends: 2026-04-01")
    assert state(lived(prepared)).status == "delivered"  # they do not leave on the day of the notice
    prepared = study(
        tmp_path, terms, more=SUPPLIERS.replace("HAZARD", "60%/y"), **kind, lasts="ends: 2026-04-01"
    )
    ctx = next(
        ctx for ctx in (lived(prepared, run) for run in range(40)) if ctx.defaulted.get("p", 0) > 90 * MS_DAY
    )
    assert state(ctx).status == "delivered"
    # half of them sold a year after the lease: $8,000 x .5^(365/365.25) each
    plan = ", resell: [{offer: o, from: 2027-04-01, share: 50%}]"
    sold = booked(lived(study(tmp_path, terms, plan, **kind, lasts="ends: 2026-04-01")))
    assert sold.nominal("o", "resale") == pytest.approx(-3600 * 8000 * 0.5 ** (365 / 365.25))
    assert sold.nominal("o", "salvage") == pytest.approx(-3600 * 8000 * 0.5 ** (640 / 365.25))


def test_leaving_before_an_option_is_decided_costs_nothing_for_it(tmp_path: Path) -> None:
    terms = OPTION.replace("KIND", "quantity: 3600") + ", termination: {fee: 10%}"
    ctx = lived(study(tmp_path, terms, ", options: [o.x], terminate: {o: 2026-05-01}"))
    # 10 % of the 1,826.25 - 120 days that remain of the tranche; the option was to be decided in June
    assert booked(ctx).nominal("o", "termination") == pytest.approx(0.1 * 1706.25 * DAILY)
    after = lived(study(tmp_path, terms, ", options: [o.x], terminate: {o: 2026-07-01}"))
    # in July its 1,826.25 days of 3,600 chips at $3 are under contract as well
    option = 0.1 * 1826.25 * 24 * 3600 * 3
    assert booked(after).nominal("o", "termination") == pytest.approx(0.1 * 1645.25 * DAILY + option)


def test_a_slice_pays_that_slice_of_a_premium(tmp_path: Path) -> None:
    terms = OPTION.replace("KIND", "quantity: 3600")
    ledger = booked(lived(study(tmp_path, terms, ", options: [o.x], share: 50%")))
    assert ledger.nominal("o", "premium") == pytest.approx(0.5e6)


def test_an_order_is_owed_from_the_day_on_which_it_is_placed(tmp_path: Path) -> None:
    plan = ", rules: [{when: 'utilisation > 50%', review: 4w, times: 1, buy: {offer: o, quantity: 7200, lead: 1q}}]"
    ctx = lived(study(tmp_path, "", plan), utilisation=0.8)
    # ordered on day 28 for five years: at the end of January 1,826.25 days, and those that remain of the tranche
    owed = owed_after(ctx, 31 * MS_DAY, booked(ctx))["o"]
    assert owed == pytest.approx((1826.25 + 1826.25 - 31) * DAILY)
    assert owed_after(ctx, 27 * MS_DAY, booked(ctx))["o"] == pytest.approx((1826.25 - 27) * DAILY)


def test_take_or_pay_goes_on_by_quarter_in_a_further_term(tmp_path: Path) -> None:
    terms = f"{FURTHER}, take_or_pay: {{share: 50%, period: quarter, make_up: 1}}"
    ctx = lived(study(tmp_path, terms, RENEW, lasts="ends: 2026-07-01"))
    use = [0.5] * 6 + [0.0, 1.0, 0.5] + [0.5] * 15

    # July unused, August full, September half: (0 + 31 + 15) of 46 committed days; paid as used, no shortfall
    rent = used_ledger(ctx, use).usd["o", "commitment"]
    assert rent[6:9] == pytest.approx([0.0, 31 * DAILY, 15 * DAILY])


def test_a_minimum_in_total_falls_due_when_the_last_term_ends(tmp_path: Path) -> None:
    terms = f"{FURTHER}, min_spend: {{total: $200M}}"
    ledger = booked(lived(study(tmp_path, terms, RENEW, lasts=YEAR)))
    # 546 days are $188.6976M; the rest is due on day 546, in June 2027
    missing = 200e6 - 546 * DAILY
    assert ledger.usd["o", "min_spend"][17] == pytest.approx(missing)
    assert ledger.nominal("o", "min_spend") == pytest.approx(missing)


def test_a_commitment_from_the_date_is_paid_though_nothing_came_before_the_horizons_end(
    tmp_path: Path,
) -> None:
    terms = f"take_or_pay: {{share: 60%, starts: on_date}}, delivery: {{{LATE}}}"
    ledger = booked(lived(study(tmp_path, terms, at="2027-12-01")))
    assert ledger.nominal() == pytest.approx(0.6 * 31 * DAILY)


def test_a_block_that_is_accepted_late_gives_the_test_days_back(tmp_path: Path) -> None:
    terms = "prepay: {share: 100%, before: 0d, credited_after: 0d}, delivery: {acceptance: {duration: 14d}}"
    ledger = booked(lived(study(tmp_path, terms, kind="capacity_block", lasts="ends: 2026-04-01")))
    assert ledger.nominal() == pytest.approx((90 - 14) * DAILY)


def test_a_resale_may_be_asked_for_again_until_a_day(tmp_path: Path) -> None:
    sale = "offer: o, from: 2026-07-01, share: 50%, when: 'price of m > $2.15/h'"
    once = study(tmp_path, "market: m", f", resell: [{{{sale}}}]", MARKET)
    assert state(lived(once)).let == []  # in July the price is 2 x 1.1^(6/12) = $2.10
    again = study(tmp_path, "market: m", f", resell: [{{{sale}, until: 2026-12-31}}]", MARKET)
    # 1.1^(m/12) x 2 exceeds 2.15 from October (m = 9: $2.148) ... November (m = 10: $2.165) on
    ((at, chips, price),) = state(lived(again)).let
    assert (at // MS_DAY, chips) == (181 + 18 * 7, 3600)  # the first Wednesday of asking in November
    assert price == pytest.approx(2 * 1.1 ** (10 / 12), rel=1e-3)
    short = study(tmp_path, "market: m", f", resell: [{{{sale}, until: 2026-10-15}}]", MARKET)
    assert state(lived(short)).let == []


def test_chips_that_stand_in_are_not_let(tmp_path: Path) -> None:
    terms = f"delivery: {{{LATE}, make_good: {{substitute: {{chip: h100_hgx, share: 25%, after: 0d}}}}}}"
    plan = ", resell: [{offer: o, from: 2026-02-01, share: 50%}]"
    assert booked(lived(study(tmp_path, terms, plan))).nominal("o", "resale") == 0.0


def test_the_whole_holding_settles_its_take_or_pay(tmp_path: Path) -> None:
    text = """
offers:
  o: {provider: p, kind: cloud, status: signed, term: 5y, price: {per_chip_hour: {gb200_nvl72: $2/h, h100_hgx: $1/h}},
      chips: {gb200_nvl72: 50%, h100_hgx: 50%}, quantity: {min: 14400, max: 14400, lot: 72},
      tranches: [{at: 2026-01-01, share: 100%}], take_or_pay: {share: 80%, period: quarter, scope: SCOPE}}
strategies: {s: {hold: {o: 14400}}}
"""

    use = {"o/gb200_nvl72": 0.6, "o/h100_hgx": 0.9}
    hours = CHIPS * 90 * 24  # of the first quarter, each of the two
    apart = lived(contract_only(small_study(tmp_path, text.replace("SCOPE", "tranche"))))
    # GB200: 60 % used and 20 % missing at $2. H100: 90 % used at $1.
    rent = used_places(apart, use).usd["o", "commitment"][:3].sum()
    assert rent == pytest.approx(hours * (0.8 * 2 + 0.9 * 1))
    together = lived(contract_only(small_study(tmp_path, text.replace("SCOPE", "offer"))))
    # together 150 of 160 % are used: 10 % are missing, at the mean price of $1.50
    rent = used_places(together, use).usd["o", "commitment"][:3].sum()
    assert rent == pytest.approx(hours * (0.6 * 2 + 0.9 * 1 + 0.1 * 1.5))
