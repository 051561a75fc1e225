"""Delivery and life of contracts, term by term, with dates and figures computed by hand.

The horizon is 2026-01-01 to 2028-01-01 (730 days), the discount rate 0; a chip-hour costs $2.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from capsim.compile.calendar import MS_DAY
from capsim.compile.prepare import Prepared
from capsim.control.markets import market_ratio
from capsim.engine.billing import contract_values, owed_after
from tests.studies import booked, contract_only, lived, small_study

CHIPS = 7200
YEAR = "ends: 2027-01-01"
DAILY = CHIPS * 24 * 2.0  # a day's rent: $345,600


def study(
    tmp_path: Path,
    terms: str = "",
    plan: str = "",
    more: str = "",
    *,
    at: str = "2026-01-01",
    kind: str = "cloud",
    lasts: str = "term: 5y",
    price: str = "per_chip_hour: $2/h",
) -> Prepared:
    """A contract over 7,200 chips with these terms; `plan` adds to the strategy, `more` to the study."""
    text = f"""
offers:
  o: {{provider: p, kind: {kind}, status: signed, chips: {{gb200_nvl72: 100%}},
      quantity: {{min: 7200, max: 7200, lot: 72}}, {lasts}, price: {{{price}}},
      tranches: [{{at: {at}, share: 100%}}], {terms}}}
strategies: {{s: {{hold: {{o: 7200}}{plan}}}}}
{more}
"""
    return contract_only(small_study(tmp_path, text))


def state(ctx: Any, key: str = "o/0/gb200_nvl72") -> Any:
    return ctx.lots[key]


def test_rent_starts_at_acceptance(tmp_path: Path) -> None:
    ctx = lived(study(tmp_path, "delivery: {acceptance: {duration: 14d}}"))
    assert state(ctx).arrived == 0
    assert state(ctx).delivered == 14 * MS_DAY
    assert [(kind, text) for _, kind, _, text in ctx.events] == [
        ("delivery", "tranche 1: 7,200 gb200_nvl72"),
        ("acceptance", "tranche 1: after 14 d"),
    ]
    # 730 - 14 days of $345,600
    assert booked(ctx).nominal("o", "commitment") == pytest.approx(716 * DAILY)


def test_a_failed_acceptance_is_repeated(tmp_path: Path) -> None:
    prepared = study(tmp_path, "delivery: {acceptance: {duration: 14d, failure: 50%, repeat: 7d}}")
    days = [state(lived(prepared, run)).delivered / MS_DAY for run in range(200)]
    # 14 days, and 7 more with probability 1/2, 1/4, ...: one failure on average, so 21 days
    assert {day for day in days if day < 30} == {14, 21, 28}
    assert sum(days) / len(days) == pytest.approx(21, abs=2)
    # the draw belongs to the tranche: the same in another strategy of the run
    assert days[:5] == [state(lived(prepared, run)).delivered / MS_DAY for run in range(5)]


LATE = "delay: [{by: 100d, p: 100%}]"


def test_credits_start_after_the_cure_period_and_end_at_their_cap(tmp_path: Path) -> None:
    terms = f"delivery: {{{LATE}, remedy: {{cure: 30d, credit_per_day: 10%}}}}"
    # 100 - 30 days x 10 % x $345,600
    assert booked(lived(study(tmp_path, terms))).nominal("o", "credit") == pytest.approx(-70 * 0.1 * DAILY)
    terms = f"delivery: {{{LATE}, remedy: {{cure: 30d, credit_per_day: 10%, credit_cap: 1%}}}}"
    # at most 1 % of a year's rent: 3.6525 x $345,600
    assert booked(lived(study(tmp_path, terms))).nominal("o", "credit") == pytest.approx(-3.6525 * DAILY)


@pytest.mark.parametrize(
    ("remedy", "leaves"),
    [
        ("terminate_after: 90d", 90),  # 100 days late: left on day 90
        ("cure: 20d, terminate_after: 90d", None),  # 110 days would be needed
        ("cure: 20d, terminate_after: 70d", 90),
        ("long_stop: 2026-03-02", 60),  # January and February have 59 days
        ("long_stop: 2026-05-01", None),
    ],
)
def test_a_late_tranche_is_left(tmp_path: Path, remedy: str, leaves: int | None) -> None:
    ctx = lived(
        study(
            tmp_path,
            f"delivery: {{{LATE}, remedy: {{{remedy}}}}}, prepay: {{share: 5%, before: 0d, credited_after: 0d}}",
        )
    )
    if leaves is None:
        assert (state(ctx).status, state(ctx).delivered) == ("delivered", 100 * MS_DAY)
        return
    assert (state(ctx).status, state(ctx).ended) == ("terminated", leaves * MS_DAY)
    ledger = booked(ctx)
    assert ledger.nominal() == pytest.approx(0.0)  # the prepayment comes back
    assert -ledger.usd["o", "drawdown"][ledger.month(leaves * MS_DAY)] == pytest.approx(
        ledger.nominal("o", "prepayment")
    )


def test_delays_are_made_good_free_of_rent(tmp_path: Path) -> None:
    terms = f"delivery: {{{LATE}, make_good: {{delays_over: 30d, ratio: 50%}}}}"
    ctx = lived(study(tmp_path, terms, lasts=YEAR))
    # half of the 100 days is added to the end on day 365
    assert state(ctx).ended == 415 * MS_DAY
    assert booked(ctx).nominal("o", "commitment") == pytest.approx(265 * DAILY)


def test_outages_are_made_good(tmp_path: Path) -> None:
    terms = "reliability: {site_outages: {rate: 4/y, duration: 24 h}}, delivery: {make_good: {outages_over: 12 h}}"
    ctx = lived(study(tmp_path, terms, lasts=YEAR))
    end = 365 * MS_DAY
    lost = [min(b, end) - a for a, b in ctx.draws.outages("o") if a < end]
    assert state(ctx).ended == end + sum(length for length in lost if length > 12 * 3_600_000) > end


def test_substitutes_stand_in_for_a_late_tranche(tmp_path: Path) -> None:
    made = "make_good: {substitute: {chip: h100_hgx, share: 25%, after: 30d, price: $1/h}}"
    ctx = lived(study(tmp_path, f"delivery: {{{LATE}, {made}}}"))
    other = state(ctx, "o/0/gb200_nvl72/h100_hgx")
    assert (other.delivered, other.ended) == (30 * MS_DAY, 100 * MS_DAY)
    # 70 days of 1,800 H100 at $1, then 630 days of 7,200 GB200 at $2
    assert booked(ctx).nominal("o", "commitment") == pytest.approx(70 * 24 * 1800 + 630 * DAILY)
    on_time = lived(study(tmp_path, f"delivery: {{{made}}}"))
    assert state(on_time, "o/0/gb200_nvl72/h100_hgx").status == "unused"


@pytest.mark.parametrize(
    ("wish", "price"),
    [("always", 2.1), ("never", None), ("utilisation > 70%", 2.1), ("utilisation > 90%", None)],
)
def test_renewal(tmp_path: Path, wish: str, price: float | None) -> None:
    terms = "renewal: {term: 181d, price: same, change: 5%, notice: 30d}"
    ctx = lived(study(tmp_path, terms, f", renew: {{o: '{wish}'}}", lasts=YEAR), utilisation=0.8)
    owed = owed_after(ctx, 340 * MS_DAY, booked(ctx)).get("o", 0.0)
    if price is None:
        assert state(ctx).ended == 365 * MS_DAY
        assert owed == pytest.approx(25 * DAILY)
        return
    assert state(ctx).ended == (365 + 181) * MS_DAY
    # 365 days at $2.00 and 181 days at $2.10
    assert booked(ctx).nominal("o", "commitment") == pytest.approx(365 * DAILY + 181 * DAILY * 1.05)
    assert owed == pytest.approx(25 * DAILY + 181 * DAILY * 1.05)  # decided on day 335
    assert owed_after(ctx, 300 * MS_DAY, booked(ctx))["o"] == pytest.approx(65 * DAILY)  # not decided yet


MARKET = """
markets: {m: {start: $2/h, state: up, volatility: 0%, regimes: {up: {drift: 1.1x/y, leave: 0%/q}}}}
"""


def test_what_is_decided_on_the_first_of_a_month_sees_its_price(tmp_path: Path) -> None:
    plan = ", resell: [{offer: o, from: 2026-07-01, share: 50%}]"
    ctx = lived(study(tmp_path, "market: m", plan, MARKET))
    ((at, _, price),) = state(ctx).let
    june, july = (2.0 * market_ratio(ctx, "m", day * MS_DAY) for day in (180, 181))
    assert at == 181 * MS_DAY and price == july > june


def test_renewal_at_the_market(tmp_path: Path) -> None:
    terms = "market: m, renewal: {term: 1y, price: market, notice: 10d}"
    ctx = lived(study(tmp_path, terms, ", renew: {o: always}", MARKET, lasts=YEAR))
    # decided in December, after eleven months of 10 % a year
    assert state(ctx).renewals[0][2] == pytest.approx(2 * 1.1 ** (11 / 12))


def test_early_termination_takes_chips_away_and_stops_what_is_to_come(tmp_path: Path) -> None:
    ctx = lived(study(tmp_path, "", ", terminate: {o: 2026-07-01}"))
    assert (state(ctx).status, state(ctx).ended, state(ctx).left) == ("left", 181 * MS_DAY, 181 * MS_DAY)
    ctx = lived(study(tmp_path, "", ", terminate: {o: 2026-07-01}", at="2026-10-01"))
    assert (state(ctx).status, state(ctx).delivered) == ("left", -1)


SUPPLIERS = "uncertainty: {suppliers: {p: {hazard: HAZARD, recovery: 40%, recovery_after: 60d}}}"


def test_supplier_default_ends_its_contracts_and_gives_part_of_the_prepayment_back(tmp_path: Path) -> None:
    terms = "prepay: {share: 10%, before: 0d, credited_after: 730d}"
    ctx = lived(study(tmp_path, terms, more=SUPPLIERS.replace("HAZARD", "300%/y")))
    at = ctx.defaulted["p"]
    assert (state(ctx).status, state(ctx).ended) == ("defaulted", at)
    ledger = booked(ctx)
    assert ledger.nominal("o", "commitment") == pytest.approx(at / MS_DAY * DAILY)
    # 10 % of 5 years (1,826.25 days) was paid, none of it drawn down: 40 % of it comes back 60 days later
    assert ledger.nominal("o", "prepayment") == pytest.approx(182.625 * DAILY)
    assert ledger.usd["o", "recovery"][ledger.month(at + 60 * MS_DAY)] == pytest.approx(
        -0.4 * 182.625 * DAILY
    )
    assert owed_after(ctx, at + 1, booked(ctx)) == {}
    assert owed_after(ctx, at - 1, booked(ctx))["o"] > 0


def test_defaults_follow_their_hazard(tmp_path: Path) -> None:
    prepared = study(tmp_path, "", more=SUPPLIERS.replace("HAZARD", "10%/y"))
    gone = [state(lived(prepared, run)).status == "defaulted" for run in range(400)]
    # 1 - exp(-.1 x 730/365.25) = 18.1 %, standard error 1.9 %
    assert sum(gone) / 400 == pytest.approx(0.181, abs=0.06)


def test_a_shared_factor_brings_defaults_and_delays_together(tmp_path: Path) -> None:
    terms = "delivery: {factor: grid, delay: [{by: 0d, p: 50%}, {by: 90d, p: 50%}]}"
    more = (
        "uncertainty: {factors: {grid: {correlation: 1.0}}, suppliers: {p: {hazard: 34.68%/y, factor: grid}}}"
    )
    prepared = study(tmp_path, terms, more=more, at="2026-02-01")
    ctxs = [lived(prepared, run) for run in range(60)]
    # 1 - exp(-.3468 x 730 / 365.25) = 50 % default: with correlation 1 the same half that is late
    assert [("p" in ctx.defaulted) for ctx in ctxs] == [state(ctx).delay > 0 for ctx in ctxs]


def test_bought_chips_survive_their_maker(tmp_path: Path) -> None:
    more = SUPPLIERS.replace("HAZARD", "300%/y")
    ctx = lived(study(tmp_path, more=more, kind="purchase", price="per_chip: $50k"))
    assert "p" in ctx.defaulted
    assert state(ctx).status == "delivered"


def test_a_capacity_block_is_paid_at_its_start_and_ends_on_its_day(tmp_path: Path) -> None:
    terms = "prepay: {share: 100%, before: 0d, credited_after: 0d}"
    ctx = lived(study(tmp_path, terms, kind="capacity_block", lasts="ends: 2026-04-01"))
    ledger = booked(ctx)
    assert state(ctx).ended == 90 * MS_DAY
    assert ledger.usd["o", "prepayment"][0] == pytest.approx(90 * DAILY)
    net = ledger.usd["o", "prepayment"] + ledger.usd["o", "commitment"] + ledger.usd["o", "drawdown"]
    assert net[0] == pytest.approx(90 * DAILY)
    assert abs(net[1:]).max() == pytest.approx(0.0, abs=1.0)


def test_a_late_capacity_block_gives_back_what_it_did_not_deliver(tmp_path: Path) -> None:
    terms = "prepay: {share: 100%, before: 0d, credited_after: 0d}, delivery: {delay: [{by: 10d, p: 100%}]}"
    ledger = booked(lived(study(tmp_path, terms, kind="capacity_block", lasts="ends: 2026-04-01")))
    # 90 days are paid on day 0, 80 are delivered, 10 come back at the end
    assert ledger.nominal() == pytest.approx(80 * DAILY)
    assert ledger.usd["o", "prepayment"][0] == pytest.approx(90 * DAILY)


SPOT = "interruptions: {rate: 12/y, notice: 2 min, away: 12 h}"


def test_spot_is_reclaimed_and_paid_while_it_is_there(tmp_path: Path) -> None:
    prepared = study(tmp_path, SPOT, kind="spot")
    ctx = lived(prepared)
    gaps = ctx.reclaimed["o"]
    assert [name for name, _ in ctx.cluster.calls[:4]] == ["drain", "site_down", "site_up", "undrain"]
    assert all(b <= c for (_, b), (c, _) in itertools.pairwise(gaps))
    away = sum(b - a for a, b in gaps)
    assert booked(ctx).nominal("o", "spot") == pytest.approx((730 - away / MS_DAY) * DAILY)
    assert booked(ctx).nominal() == pytest.approx(booked(ctx).nominal("o", "spot"))
    assert owed_after(ctx, 0, booked(ctx)) == {}
    # 12 a year over two years: 24 on average, standard error 4.9 / sqrt(50)
    counts = [len(lived(prepared, run).reclaimed["o"]) for run in range(50)]
    assert sum(counts) / 50 == pytest.approx(24, abs=2.5)


def test_spot_follows_its_market_in_price_and_interruptions(tmp_path: Path) -> None:
    steep = MARKET.replace("1.1x/y", "4x/y")
    ctx = lived(
        study(tmp_path, SPOT.replace("away: 12 h", "away: 1 min") + ", market: m", more=steep, kind="spot")
    )
    spot = booked(ctx).usd["o", "spot"]
    # a month costs 4^(1/12) times the one before; January and March have 31 days
    assert spot[2] / spot[0] == pytest.approx(4 ** (2 / 12), rel=1e-3)
    eager = SPOT.replace("notice: 2 min, away: 12 h", "price_power: 1, away: 1 min") + ", market: m"
    prepared = study(tmp_path, eager, more=steep, kind="spot")
    counts = [len(lived(prepared, run).reclaimed["o"]) for run in range(30)]
    # one a month times 4^(m/12), m = 0..23: (16 - 1) / (4^(1/12) - 1) = 122.5, standard error 2
    assert sum(counts) / 30 == pytest.approx(122.5, abs=6)


@pytest.mark.parametrize("action", ["return", "purchase"])
def test_a_lease_ends(tmp_path: Path, action: str) -> None:
    terms = f"operating_share: 10%, residual_per_year: 50%, lease_end: {{action: {action}, residual: $8k}}"
    ctx = lived(study(tmp_path, terms, kind="lease", lasts=YEAR, price="per_chip_month: $1k"))
    ledger = booked(ctx)
    # 365 days are 365 / 30.4375 months of 7,200 x $1,000
    assert ledger.nominal("o", "commitment") == pytest.approx(365 / 30.4375 * 7.2e6)
    if action == "return":
        assert state(ctx).ended == 365 * MS_DAY
        return
    # bought for 7,200 x $8,000 = $57.6M; a year later (365 days) half of that is left
    assert state(ctx).status == "delivered"
    assert ledger.nominal("o", "purchase") == pytest.approx(57.6e6)
    assert ledger.nominal("o", "operation") == pytest.approx(5.76e6 * 365 / 365.25)
    assert ledger.nominal("o", "salvage") == pytest.approx(-57.6e6 * 0.5 ** (365 / 365.25))


SHELL = """
offers:
  chips: {provider: maker, kind: purchase, status: signed, chips: {gb300_nvl72: 100%}, quantity: {min: 72, max: 7200, lot: 72},
      tranches: [{at: CHIPS, share: 100%}], price: {per_chip: $50k}, needs_shell: true}
  site: {provider: land, kind: colocation, status: signed, hosts: [gb300_nvl72], term: TERM,
      tranches: [{at: SHELL, share: 50%}, {at: 2026-06-01, share: 50%}], price: {per_kw_month: $148/kW-mo}, power: {site: x, it: 2 MW}}
strategies: {s: {hold: {chips: 720, site: 1}}}
"""


@pytest.mark.parametrize(
    ("chips", "shell", "powered"),
    [
        # a GB300 draws 2.63 kW: 1 MW powers 5 racks of 72 (947 kW); the second half comes on day 151
        ("2026-03-01", "2026-02-01", [(59, 360), (151, 360)]),  # power waits for chips
        ("2026-02-01", "2026-03-01", [(59, 360), (151, 360)]),  # chips wait for power
        ("2026-07-01", "2026-02-01", [(181, 720)]),
    ],
)
def test_whichever_of_chips_and_power_is_later_gates(
    tmp_path: Path, chips: str, shell: str, powered: list[tuple[int, int]]
) -> None:
    text = SHELL.replace("CHIPS", chips).replace("SHELL", shell).replace("TERM", "15y")
    ctx = lived(contract_only(small_study(tmp_path, text)))
    found = ctx.lots["chips/0/gb300_nvl72"].powered
    assert [(at // MS_DAY, n) for at, n in found] == powered
    # the shell's rent runs from its own delivery, chips or none
    start = {"2026-02-01": 31, "2026-03-01": 59}[shell]
    months = (730 - start + 730 - 151) / 30.4375
    assert booked(ctx).nominal("site", "shell") == pytest.approx(1000 * 148 * months)


def test_chips_lose_their_power_with_the_shell(tmp_path: Path) -> None:
    text = SHELL.replace("CHIPS", "2026-03-01").replace("SHELL", "2026-02-01").replace("TERM", "1y")
    ctx = lived(contract_only(small_study(tmp_path, text)))
    found = [(at // MS_DAY, n) for at, n in ctx.lots["chips/0/gb300_nvl72"].powered]
    # the halves end 365.25 days after days 31 and 151
    assert found == [(59, 360), (151, 360), (396, -360), (516, -360)]


PASSED_ON = ", power: {site: x, pue: 1.25}, power_pass_through: {strike: $0/MWh, price: $50/MWh}"


def shell_study(tmp_path: Path, sale: str) -> Prepared:
    """720 chips from 2026-03-01, power for 360 from 2026-02-01 and for 720 from 2026-06-01; the chips pay for
    what they draw; `sale` is the day on which half of them are sold."""
    text = SHELL.replace("CHIPS", "2026-03-01").replace("SHELL", "2026-02-01").replace("TERM", "15y")
    text = text.replace("needs_shell: true", f"needs_shell: true{PASSED_ON}")
    resale = f"resell: [{{offer: chips, from: {sale}, share: 50%}}]"
    return contract_only(small_study(tmp_path, text.replace("site: 1}", f"site: 1}}, {resale}")))


def test_chips_pay_for_power_while_they_have_it(tmp_path: Path) -> None:
    ctx = lived(shell_study(tmp_path, "2026-07-01"))
    # 360 GB300 of 2.63 kW from day 59, 720 from day 151, 360 again from day 181 on; x 1.25 at $50 a MWh
    chip_days = 360 * (730 - 59) + 360 * (181 - 151)
    assert booked(ctx).nominal("chips", "power") == pytest.approx(chip_days * 24 * 2.63 * 1.25 * 0.050)


def test_chips_without_power_are_sold_first(tmp_path: Path) -> None:
    ctx = lived(shell_study(tmp_path, "2026-04-01"))
    lot = ctx.lots["chips/0/gb300_nvl72"]
    assert [(at // MS_DAY, n) for at, n in lot.powered] == [(59, 360)]
    assert [(at // MS_DAY, n) for at, n, _ in lot.let] == [(90, 360)]
    # those that work go on: 360 chips from day 59 to the end
    assert booked(ctx).nominal("chips", "power") == pytest.approx(360 * 671 * 24 * 2.63 * 1.25 * 0.050)


def test_chips_that_lost_their_power_can_be_sold(tmp_path: Path) -> None:
    """The first half of the shell goes on day 396 and takes the power of 360 chips; 504 are sold on day 424, those without power first."""
    text = SHELL.replace("CHIPS", "2026-03-01").replace("SHELL", "2026-02-01").replace("TERM", "1y")
    resale = "resell: [{offer: chips, from: 2027-03-01, share: 75%}]"
    text = text.replace("site: 1}", f"site: 1}}, {resale}")
    ctx = lived(contract_only(small_study(tmp_path, text)))
    lot = ctx.lots["chips/0/gb300_nvl72"]
    assert [(at // MS_DAY, n) for at, n, _ in lot.let] == [(424, 504)]  # 7 of 10 racks
    assert [(at // MS_DAY, n) for at, n in lot.powered][2:] == [(396, -360), (424, -144), (516, -216)]


def test_power_of_sold_chips_goes_to_those_that_wait(tmp_path: Path) -> None:
    more = """{at: 2026-03-01, share: 50%}, {at: 2026-05-01, share: 50%}], price: {per_chip: $50k}"""
    text = SHELL.replace("{at: CHIPS, share: 100%}], price: {per_chip: $50k}", more)
    text = (
        text.replace("SHELL", "2026-02-01")
        .replace("TERM", "15y")
        .replace("{at: 2026-06-01", "{at: 2027-06-01")
    )
    resale = "resell: [{offer: chips, from: 2026-06-01, share: 40%}]"
    ctx = lived(contract_only(small_study(tmp_path, text.replace("site: 1}", f"site: 1}}, {resale}"))))
    first, second = (ctx.lots[f"chips/{n}/gb300_nvl72"] for n in (0, 1))
    # 360 of each part: the first has the power, the second waits; 2 of 5 racks of each are sold on day 151
    assert [(at // MS_DAY, n) for at, n in first.powered] == [(59, 360), (151, -144)]
    # of the second 144 are sold in the dark; the power of the first's 144 goes to 144 of the 216 that wait
    # (1 MW powers 5 racks), the other 72 wait for the second half of the shell on day 516
    assert [(at // MS_DAY, n) for at, n in second.powered] == [(151, 144), (516, 72)]


OPTION = "options: [{name: x, KIND, chip: gb300_nvl72, decide: 2026-06-01, deliver: 2026-09-01, price: {per_chip_hour: $3/h}, premium: $1M}]"


def test_a_refresh_brings_new_chips_and_takes_the_old_ones(tmp_path: Path) -> None:
    terms = OPTION.replace("KIND", "kind: refresh, quantity: 3600, replaces: [gb200_nvl72]")
    ctx = lived(study(tmp_path, terms, ", options: [o.x]"))
    new = next(ctx.lots[lot.key] for lot in ctx.prepared.portfolio.lots if lot.option)
    assert (state(ctx).ended, new.delivered) == (243 * MS_DAY, 243 * MS_DAY)
    ledger = booked(ctx)
    # 243 days of 7,200 chips at $2, 487 days of 3,600 chips at $3
    assert ledger.nominal("o", "commitment") == pytest.approx(243 * DAILY + 487 * 3600 * 24 * 3)
    assert ledger.usd["o", "premium"][5] == pytest.approx(1e6)


@pytest.mark.parametrize(("refundable", "back"), [("", 63_115_200.0), (", refundable: false", 0.0)])
def test_what_was_prepaid_for_chips_that_a_refresh_takes_comes_back(
    tmp_path: Path, refundable: str, back: float
) -> None:
    terms = OPTION.replace("KIND", "kind: refresh, quantity: 3600, replaces: [gb200_nvl72]")
    prepay = f", prepay: {{share: 10%, before: 0d, credited_after: 3y{refundable}}}"
    ledger = booked(lived(study(tmp_path, terms + prepay, ", options: [o.x]")))
    # 10 % of 7,200 chips x 43,830 h x $2, of which nothing is drawn before the exchange of September 2026;
    # 10 % of 3,600 x 43,830 h x $3 = $47,336,400 for the new ones is still there at the end
    assert ledger.nominal("o", "prepayment") == pytest.approx(63_115_200 + 47_336_400)
    assert -ledger.nominal("o", "drawdown") == pytest.approx(back)
    assert -ledger.nominal("o", "undrawn") == pytest.approx(47_336_400)
    if back:
        assert -ledger.usd["o", "drawdown"][8] == pytest.approx(back)


@pytest.mark.parametrize(("used", "swapped"), [(0.9, True), (0.5, False)])
def test_a_swap_changes_tranches_that_are_still_to_come(tmp_path: Path, used: float, swapped: bool) -> None:
    terms = OPTION.replace("KIND", "kind: swap, replaces: [gb200_nvl72]")
    plan = ", exercise: {o.x: 'utilisation > 70%'}"
    ctx = lived(study(tmp_path, terms, plan, at="2026-10-01"), utilisation=used)
    new = state(ctx, "o/0/gb200_nvl72/gb300_nvl72")
    assert (state(ctx).status, new.status) == (
        ("unused", "delivered") if swapped else ("delivered", "unused")
    )
    # 457 days from October at $3 or $2, and the premium only where it is exercised
    expected = 457 * CHIPS * 24 * 3 + 1e6 if swapped else 457 * DAILY
    assert booked(ctx).nominal() == pytest.approx(expected)


def test_no_premium_for_an_option_whose_supplier_is_gone(tmp_path: Path) -> None:
    terms = OPTION.replace("KIND", "quantity: 3600")
    fine = lived(study(tmp_path, terms, ", options: [o.x]"))
    assert booked(fine).nominal("o", "premium") == pytest.approx(1e6)
    assert sum(s.delivered >= 0 for s in fine.lots.values()) == 2
    gone = lived(study(tmp_path, terms, ", options: [o.x]", SUPPLIERS.replace("HAZARD", "1000%/y")))
    assert gone.defaulted["p"] < 151 * MS_DAY  # before the decision of June
    assert booked(gone).nominal("o", "premium") == 0.0
    plan = ", exercise: {o.x: 'utilisation > 10%'}, terminate: {o: 2026-05-01}"
    left = lived(study(tmp_path, terms, plan), utilisation=0.5)
    assert booked(left).nominal("o", "premium") == 0.0


def test_idle_chips_are_let_at_a_discount(tmp_path: Path) -> None:
    plan = ", resell: [{offer: o, from: 2026-07-01, share: 30%, discount: 20%, haircut: 10%}]"
    ctx = lived(study(tmp_path, "", plan))
    # 30 of 100 racks: 2,160 chips for 549 days at $2 x .8 x .9
    assert state(ctx).let == [(181 * MS_DAY, 2160, pytest.approx(1.44))]
    ledger = booked(ctx)
    assert ledger.nominal("o", "resale") == pytest.approx(-2160 * 549 * 24 * 1.44)
    assert ledger.nominal("o", "commitment") == pytest.approx(730 * DAILY)


def test_bought_chips_are_sold_at_their_residual_value(tmp_path: Path) -> None:
    terms = "residual_per_year: 50%, operating_share: 10%"
    plan = ", resell: [{offer: o, from: 2027-01-01, share: 50%, haircut: 20%, when: 'utilisation < 60%'}]"
    prepared = study(tmp_path, terms, plan, kind="purchase", lasts="term: 20y", price="per_chip: $50k")
    ledger = booked(lived(prepared, utilisation=0.5))
    # half of $360M, 365 days old: .5 x 360 x .5^(365/365.25) x .8
    assert ledger.nominal("o", "resale") == pytest.approx(-180e6 * 0.5 ** (365 / 365.25) * 0.8)
    assert ledger.nominal("o", "operation") == pytest.approx(36e6 * (365 + 365 / 2) / 365.25)
    assert ledger.nominal("o", "salvage") == pytest.approx(-180e6 * 0.5 ** (730 / 365.25))
    kept = booked(lived(prepared, utilisation=0.7))
    assert kept.nominal("o", "resale") == 0.0


def test_letters_of_intent_become_contracts_with_their_probability(tmp_path: Path) -> None:
    prepared = study(tmp_path, "headline: $3B, binding: 40%", more="uncertainty: {conversion: {signed: 30%}}")
    ctxs = [lived(prepared, run) for run in range(400)]
    came = [state(ctx).delivered >= 0 for ctx in ctxs]
    # 30 %, standard error 2.3 %
    assert sum(came) / 400 == pytest.approx(0.3, abs=0.07)
    for ctx, there in zip(ctxs[:20], came, strict=False):
        # 7,200 chips x 43,830 h x $2 = $631,152,000, or no contract at all
        assert contract_values(ctx)["o"] == pytest.approx((631_152_000, 631_152_000 if there else 0))
        assert booked(ctx).nominal() == pytest.approx(730 * DAILY if there else 0)
