"""Each named check finds what it is for in a study that is right but for one thing, and nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from capsim.compile.checks import CHECKS, TELLING, require_sound, run_checks
from capsim.errors import StudyError
from capsim.spec.findings import Finding
from capsim.spec.loader import load_study

RICH = Path(__file__).parents[1] / "spec" / "data" / "rich.yaml"


def found(check: str, *sets: str, level: str | None = None) -> list[str]:
    """What a check says about the rich study with options; errors and warnings unless a level is named."""
    findings = run_checks(load_study(RICH, sets=sets), [check])
    wanted = (level,) if level else ("error", "warning")
    return [item.text for item in findings if item.level in wanted]


def test_a_sound_study_has_no_errors_and_no_warnings() -> None:
    findings = require_sound(load_study(RICH), strict=True)
    assert {item.level for item in findings} == {"info"}
    assert {"closed-books", "provenance", "cross-check", "as-of"} <= {item.check for item in findings}


WRONG = [
    ("shares-sum", 'offers."cloud.v1".chips.rack=90%', "the shares of chips sum to 0.9; make them sum to 1"),
    ("shares-sum", 'offers."cloud.v1".tranches.0.share=60%', "the shares of tranches sum to 1.1"),
    ("shares-sum", 'offers."cloud.v1".delivery.delay.0.p=50%', "the probabilities of delays sum to 0.9"),
    ("shares-sum", "demand.research.chips.8=60%", "the shares of campaign sizes sum to 1.1"),
    ("shares-sum", "demand.research.fates.failed=95%", "failed and cancelled sum to 105%; leave room"),
    ("shares-sum", 'offers."cloud.v1".overlaps.0.share=100%', ""),
    ("dates", "horizon.end=2025-12-31", "the horizon ends on 2025-12-31, before it starts"),
    (
        "dates",
        "demand.training_runs.first.target=2026-03",
        "the target 2026-03-01 is not after the earliest start",
    ),
    (
        "dates",
        "demand.training_runs.first.earliest=2025-01",
        "the earliest start 2025-01-01 is outside the horizon",
    ),
    ("dates", "demand.training_runs.first.target=2029", "the target 2029-01-01 is after the horizon"),
    ("dates", "demand.inference.chat.tokens={2027: 1T, 2026: 2T}", "the dates are not in order"),
    ("dates", "demand.inference.chat.tokens={}", "chat: no date"),
    (
        "dates",
        'offers."cloud.v1".options.more.decide=2027-05',
        "option more is delivered before it is decided",
    ),
    ("dates", "offers.site.ends=2025-01-01", "the tranche of 2025-06-01 starts after the contract ends"),
    ("gangs", "demand.training_runs.first.chips.min=5000", "between 5,000 and 4,608 chips"),
    (
        "gangs",
        "demand.training_runs.first.chips={min: 20k, max: 20k}",
        "cloud never has a system with the least number",
    ),
    ("scale-up", "systems.rack.node=5", "a domain of 72 chips is no whole number of nodes of 5"),
    ("scale-up", "systems.rack.segment=73", "a segment of 73 chips in a domain of 72"),
    ("scale-up", "systems.rack.node=36", ""),
    ("scale-up", 'offers."cloud.v1".quantity.lot=70', "comes in lots of 70 chips, rack in nodes of 4"),
    (
        "closed-books",
        'offers."cloud.v1".headline=$1.1B',
        "the books of `cloud.v1` do not close: $1B / (7,200 chips x 5.00 y",
    ),
    (
        "closed-books",
        'offers."cloud.v1".power.it=20 MW',
        "the power of `cloud.v1` does not close: 7,200 chips x 2.63 kW = 19 MW",
    ),
    ("closed-books", 'offers."cloud.v1".power.pue=1.3', "19 MW x 1.3 = 25 MW at the meter, stated 23 MW"),
    ("closed-books", 'offers."cloud.v1".default=null', "states a total without a `default` holding"),
    ("holdable", "strategies.wait.hold={secret: 5}", "`secret` cannot be held: no public numbers"),
    ("holdable", "strategies.wait.hold={site: 720}", "`site` has no price"),
    ("holdable", "strategies.cloud.hold={cloud.v1: 20k}", "are more than its maximum; write at most 14,400"),
    (
        "holdable",
        "strategies.cloud.hold={site: 72}",
        "72 chips of `site` are less than its minimum; write at least 720",
    ),
    ("holdable", "strategies.cloud.hold={spot: max}", "`spot` has no quantity, so `max` means nothing"),
    ("holdable", "offers.spot.price={per_chip_hour: {box: $1/h}}", "`spot` has no price for `rack`"),
    ("holdable", "offers.spot.chips=null", "`spot` does not say which systems it has"),
    (
        "holdable",
        "strategies.vendor.hold={letter: 4320}",
        "brings `rack` without a site, and vendor holds no shell for it",
    ),
    ("holdable", "offers.shell.power=null", "`shell` has no critical power or no dates"),
    (
        "holdable",
        "strategies.orders.hold={cloud.v1: [{chip: rack, quantity: 72, at: 2026-05}]}",
        "the total of `cloud.v1` cannot be spread over dated orders",
    ),
    (
        "exclusivity",
        "strategies.cloud.hold={cloud.v1: 7200, framework: 72}",
        "cloud holds `cloud.v1`, exclusive for training until 2026-02-01, beside framework",
    ),
    (
        "exclusivity",
        "offers.leased.exclusive=[chat, research]",
        "managed holds `leased`, exclusive for chat and research, beside ",
    ),
    ("exclusivity", 'offers."cloud.v1".exclusive=[all, chat]', "name each kind or workload once"),
    (
        "exclusivity",
        'offers."cloud.v1".exclusive=[chat, batch]',
        "`cloud.v1` keeps batch to itself, which may not run there",
    ),
    (
        "conversion",
        "uncertainty.conversion={live: 100%}",
        "vendor holds `letter` (loi), certain for want of a probability of `loi`",
    ),
    ("limits", "horizon.end=2100", "a horizon of 74 years; write at most 30 years"),
    ("limits", "demand.research.campaigns=1G", "1,000,000,000 campaigns; write at most 50,000,000"),
    ("limits", "systems.box.node=1", ""),
    ("limits", "offers.site.quantity.max=200M", "cloud: 36,668,827 nodes"),
    ("limits", "strategies.wait.rules.0.review=1d", ""),
    ("delivery-terms", "offers.framework.kind=spot", "`framework` of kind spot without interruptions"),
    ("delivery-terms", "offers.cheap.kind=cloud", "`cheap` of kind cloud with interruptions"),
    (
        "delivery-terms",
        "offers.cheap.take_or_pay={share: 1}",
        "`cheap` is spot and has take_or_pay; leave it out",
    ),
    (
        "delivery-terms",
        "offers.cheap.reliability={site_outages: {rate: 1/y, duration: 1 h}}",
        "`cheap` is spot and has outages",
    ),
    (
        "delivery-terms",
        "offers.leased.lease_end={action: purchase}",
        "lease_end to purchase without a residual",
    ),
    ("delivery-terms", "offers.leased.kind=cloud", "`leased` of kind cloud has lease_end; write kind: lease"),
    ("delivery-terms", "offers.block.ends=null", "`block` is a capacity_block without an end"),
    ("delivery-terms", "offers.rental.depth_per_quarter=5", "states depth and depth_per_quarter; keep one"),
    (
        "delivery-terms",
        "offers.rental.depth={box: {2026: 5}}",
        "has a depth for `box`, which it does not have",
    ),
    (
        "delivery-terms",
        'offers."cloud.v1".delivery.acceptance.failure=100%',
        "`cloud.v1` is never accepted",
    ),
    (
        "delivery-terms",
        'offers."cloud.v1".delivery.remedy.long_stop=2026-05-01',
        "the tranche of 2026-10-01 is planned after the long-stop date",
    ),
    (
        "delivery-terms",
        'offers."cloud.v1".delivery.remedy={credit_cap: 5%}',
        "caps a credit that it does not give",
    ),
    ("delivery-terms", 'offers."cloud.v1".delivery.make_good={ratio: 1}', "`cloud.v1` makes nothing good"),
    (
        "delivery-terms",
        'offers."cloud.v1".options.refresh.replaces=[box]',
        "option refresh replaces `box`, which the offer does not bring; name one of rack",
    ),
    ("delivery-terms", "offers.leased.renewal.price=market", "renewed at the market and names none"),
    ("delivery-terms", "strategies.managed.renew={block: always}", "`block` gives no right to renew"),
    (
        "delivery-terms",
        "strategies.cloud.terminate={leased: 2027-01}",
        "cloud does not hold `leased`; hold it, or leave it out of terminate",
    ),
    ("delivery-terms", "strategies.managed.terminate={leased: 2035}", "on 2035-01-01, outside the horizon"),
    ("delivery-terms", "strategies.managed.resell.0.offer=colo", "`colo` of kind colocation cannot be let"),
    (
        "delivery-terms",
        "strategies.managed.resell.0={offer: leased, from: 2027-01, until: 2028-01, share: 10%}",
        "lets `leased` until 2028-01-01, and asks nothing",
    ),
    (
        "placement",
        "demand.inference.chat.residency=[eu]",
        "cloud holds no place in eu where chat may run; hold an offer with such a `region`",
    ),
    (
        "placement",
        "offers.site.dedicated={workloads: [first]}",
        "cloud holds no place where batch may run",
    ),
    ("price-terms", "offers.moving.market=null", "`moving`: most_favoured names no market"),
    (
        "price-terms",
        "offers.shell.most_favoured={every: 1y, market: one-year}",
        "moves a price per chip-hour",
    ),
    ("price-terms", "offers.letter.escalator={rate: 3%/y}", "`letter`: bought chips are paid once"),
    ("price-terms", 'offers."cloud.v1".escalator={rate: 3%/y}', "`cloud.v1`: a total is what is paid in all"),
    ("price-terms", "offers.shell.escalator={rate: 3%/y}", ""),
    (
        "price-terms",
        "offers.moving.escalator={steps: [{after: 2y, change: 1%}, {after: 1y, change: 1%}]}",
        "`moving`: the steps of the escalator are not in order",
    ),
    ("price-terms", "offers.framework.collar={up: 5%}", "a collar, and nothing moves the price"),
    (
        "price-terms",
        "offers.moving.collar={floor: $2/h, cap: $2.50/h}",
        "the signed price of $2.95 is outside its collar $2.00 to $2.50",
    ),
    (
        "price-terms",
        'offers."cloud.v1".price_table={term: [{from: 1y, discount: 5%}]}',
        "changes prices per chip",
    ),
    (
        "price-terms",
        "offers.moving.price_table.volume.steps.1.from=72",
        "`moving`: the volumes are not in order",
    ),
    ("price-terms", "offers.moving.price_table.volume.steps.1.discount=120%", "`moving`: a discount of 120%"),
    ("price-terms", "offers.moving.take_or_pay.share=80%", "the ramp ends at 70%, the share is 80%"),
    ("price-terms", 'offers."cloud.v1".take_or_pay={share: 1, make_up: 2}', "all hours are committed"),
    (
        "price-terms",
        "offers.block.take_or_pay={share: 70%, scope: offer}",
        "which is one tranche of one system",
    ),
    ("price-terms", 'offers."cloud.v1".prepay.credited_after=6y', "when a contract has ended"),
    ("price-terms", 'offers."cloud.v1".prepay.share=70%', "more than the rent after the draw-down begins"),
    ("price-terms", "offers.moving.prepay=null", "a tranche is prepaid, and the offer does not say when"),
    (
        "price-terms",
        "offers.moving.min_spend={per_year: $20M, total: $40M}",
        "the yearly minimum over 4 years",
    ),
    ("price-terms", "offers.moving.equity.0.milestones.0.share=50%", "the shares of milestones sum to 0.9"),
    ("price-terms", "offers.moving.termination=null", "priced leaves `moving`, which has no right to"),
    (
        "price-terms",
        "strategies.cloud.rules=[{when: 'utilisation < 10%', review: 4w, terminate: cloud.v1}]",
        "cloud leaves `cloud.v1`, which has no right to: all that remains falls due",
    ),
    ("price-terms", "offers.moving.power=null", "passes power through and says nothing of its power"),
    ("chip-time-overflow", "offers.framework.quantity.max=9G", ""),
]


@pytest.mark.parametrize(("check", "option", "message"), WRONG, ids=[f"{c}-{o[:30]}" for c, o, _ in WRONG])
def test_each_check_finds_its_fault(check: str, option: str, message: str) -> None:
    texts = found(check, option)
    if message:
        assert any(message in text for text in texts), texts
    else:
        assert not texts


def test_chips_that_wait_for_power_are_not_reclaimed_in_part() -> None:
    both = ("offers.cheap.needs_shell=true", "offers.cheap.interruptions.share=20%")
    text = "`cheap` is reclaimed in part and waits for power of its own"
    assert any(text in told for told in found("delivery-terms", *both, level="error"))
    assert not any(text in told for told in found("delivery-terms", both[1], level="error"))
    none = found("delivery-terms", "offers.cheap.interruptions.share=0%", level="warning")
    assert none and "`cheap`: interruptions take no chips away; write a share above 0%" in none[0]


def test_chip_time_that_overflows() -> None:
    sets = ["offers.framework.quantity.max=300M", "strategies.orders.hold={framework: 150M}"]
    text = found("chip-time-overflow", *sets)
    assert len(text) == 1 and "overflow 64-bit chip-milliseconds" in text[0]
    assert not found("chip-time-overflow", *sets, "strategies.orders.share=10%")


def test_roundings_and_overlaps_are_reported() -> None:
    texts = found("lots", "strategies.cloud.hold={cloud.v1: 7201}", level="info")
    assert texts == ["cloud.v1: 7,201 chips are rounded up to 7,272 (lots of 72)"]
    texts = found(
        "exclusivity", "strategies.vendor.hold={letter: 4320, shell: 1, cloud.v1: 7200}", level="info"
    )
    assert texts == ["vendor: 25% of cloud.v1 are chips of letter too; they count once"]


def test_a_total_over_another_holding_shows_its_price() -> None:
    texts = found("closed-books", "strategies.cloud.hold={cloud.v1: 3600}", level="info")
    assert "cloud holds cloud.v1: $1B / (3,600 chips x 5.00 y x 8,766 h) = $6.34/chip-hour (derived)" in texts


def test_the_assumed_numbers_are_listed_as_they_were_written() -> None:
    texts = found("provenance", level="info")
    assert texts[0].startswith("inputs: 3 vendor, 6 derived, 11 assumed, ")
    assert "assumed: money.discount_rate = 8%/y, 6%/y to 10%/y (made up)" in texts


def test_findings_point_at_the_study() -> None:
    item = run_checks(load_study(RICH, sets=["strategies.wait.hold={secret: 5}"]), ["holdable"])[0]
    assert isinstance(item, Finding) and (item.where.file, item.where.line, item.where.column) == (
        "--set",
        1,
        23,
    )


def test_errors_stop_and_strict_stops_at_warnings() -> None:
    with pytest.raises(StudyError, match="cannot be held"):
        require_sound(load_study(RICH, sets=["strategies.wait.hold={secret: 5}"]))
    warned = load_study(RICH, sets=["uncertainty.conversion={live: 100%}"])
    assert any(item.level == "warning" for item in require_sound(warned))
    with pytest.raises(StudyError, match="for want of a probability"):
        require_sound(warned, strict=True)


def test_a_study_can_be_checked_without_what_only_tells() -> None:
    loaded = load_study(RICH, sets=["uncertainty.conversion={live: 100%}"])
    told = run_checks(loaded, sorted(TELLING))
    assert {item.check for item in told} == TELLING and {item.level for item in told} == {"info"}
    rest = run_checks(loaded, telling=False)
    assert rest and sorted(map(str, rest + told)) == sorted(map(str, run_checks(loaded)))


@pytest.mark.parametrize("name", ["quickstart", "frontier-lab"])
def test_shipped_studies_are_sound_in_every_case(name: str, checked: Callable[[str], list[Finding]]) -> None:
    assert not [str(item) for item in checked(name) if item.level == "error"]


@pytest.fixture
def checked() -> Callable[[str], list[Finding]]:
    """All findings of a shipped study over all its cases."""

    def run(name: str) -> list[Finding]:
        from capsim.spec.loader import read_study

        draft = read_study(name)
        return [item for case in draft.cases for item in run_checks(draft.resolve(case))]

    return run


def test_every_check_is_described() -> None:
    assert all(check.__doc__ for check in CHECKS.values())


@pytest.mark.parametrize(
    ("plan", "size"),
    [
        ("{hold: {cloud.v1: 7200}}", "7,200 chips, 0.02 GW"),
        ("{hold: {cloud.v1: 7200}, options: [cloud.v1.more]}", "8,640 chips, 0.02 GW"),
        ("{hold: {cloud.v1: 7200}, options: [cloud.v1.refresh]}", "1,440 chips, 0.00 GW"),
        ("{hold: {leased: 7200}}", "7,200 chips, 0.02 GW"),
        ("{hold: {leased: 7200}, options: [leased.swap]}", "7,200 chips, 0.05 GW"),
    ],
)
def test_what_an_exchange_gives_up_does_not_count(plan: str, size: str) -> None:
    sets = [f"strategies.wait={plan}", "systems.box.kw_per_chip=7"]
    told = [item.text for item in run_checks(load_study(RICH, sets=sets), ["cross-check"])]
    assert [text for text in told if text.startswith(f"wait: {size} of critical power")], told
