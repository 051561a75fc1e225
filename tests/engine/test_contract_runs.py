"""Whole runs with placement constraints, spot, refreshes and resale: the kernel sees what the contracts say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsim.compile.constraints import RESEARCH_WORK, forbidden_places
from capsim.compile.portfolio import placement_unit
from capsim.compile.prepare import INFERENCE, RESEARCH, TRAINING
from capsim.engine.campaigns import campaigns
from capsim.engine.figures import compute_figures
from capsim.engine.prepare import prepare
from capsim.engine.simulate import simulate, simulate_built
from capsim.engine.statement import simulated_statements
from capsim.engine.summary import valley_use
from capsim.results.schema import LADDER
from capsim.spec.loader import load_study

CHEAP = (
    "{provider: cheap, kind: spot, status: live, chips: {gb200_nvl72: 100%}, tranches: [{at: 2026-02, share: 100%}], "
    "price: {per_chip_hour: $1/h}, interruptions: {rate: 50/y, notice: 2 min, away: 12 h}}"
)


def run(root: Path, strategy: str, *sets: str) -> Any:
    """A quickstart strategy with options, simulated: the prepared strategy, the run and its recorder."""
    prepared = prepare(load_study(root / "configs" / "quickstart.yaml", sets=sets), strategy)
    built, recorder, _ = simulate_built(prepared, 0)
    assert built.ctx.cluster.check() == []
    ladder = simulate(prepared, 0).ladder
    assert ladder["paid"] == sum(ladder[step] for step in LADDER[1:])
    assert all(ladder[step] >= 0 for step in LADDER)
    return prepared, built, recorder


def used(prepared: Any, recorder: Any, kind: int) -> dict[str, int]:
    """Chip-ms of a kind of work, by offer."""
    column = recorder.USED_KINDS.index(kind)
    found: dict[str, int] = {}
    for p, place in enumerate(prepared.places):
        found[place.offer] = found.get(place.offer, 0) + int(recorder.kinds[-1, p, column])
    return found


def test_data_residency_keeps_a_service_in_its_region(root: Path) -> None:
    sets = ("offers.own-cluster.region=eu-west", "offers.big-cloud.region=us-east")
    prepared, _, recorder = run(root, "big-cloud", *sets, "demand.inference.chat.residency=[us]")
    served = used(prepared, recorder, INFERENCE)
    assert served["own-cluster"] == 0 and served["big-cloud"] > 0
    prepared, _, recorder = run(root, "big-cloud", *sets, "demand.research.residency=[eu]")
    research = used(prepared, recorder, RESEARCH)
    assert research["own-cluster"] > 0 and research["big-cloud"] == 0


def test_a_dedicated_place_takes_named_work_only(root: Path) -> None:
    prepared, _, recorder = run(root, "big-cloud", "offers.big-cloud.dedicated={workloads: [base-model]}")
    assert used(prepared, recorder, TRAINING)["big-cloud"] > 0
    assert used(prepared, recorder, INFERENCE)["big-cloud"] == 0
    assert used(prepared, recorder, RESEARCH)["big-cloud"] == 0


def test_a_place_dedicated_to_tenants_takes_their_campaigns_only(root: Path) -> None:
    _, built, _ = run(root, "big-cloud", "offers.big-cloud.dedicated={tenants: [2]}")
    jobs, runs = built.ctx.cluster.jobs[: built.campaigns], built.ctx.cluster.runs[: built.campaigns]
    there = [p for p, place in enumerate(built.ctx.places()) if place.offer == "big-cloud"]
    started = (runs["start"] >= 0) & np.isin(runs["pool"], there)
    # tenants are numbered from 0 in the kernel
    assert set(jobs["tenant"][started]) == {1}
    # the others run at the own cluster
    assert len(set(jobs["tenant"][(runs["start"] >= 0) & ~np.isin(runs["pool"], there)])) > 2


def test_exclusive_work_goes_elsewhere_from_the_day_on(root: Path) -> None:
    sets = (
        "strategies.both={hold: {big-cloud: 4608, new-cloud: 4608}}",
        "offers.big-cloud.exclusive={workloads: all, until: 2026-10-01}",
        "offers.new-cloud.delivery=null",
    )
    prepared, _, recorder = run(root, "both", *sets)
    own = [p for p, place in enumerate(prepared.places) if place.offer == "new-cloud"]
    at = recorder.edges.index(prepared.calendar.ms(prepared.calendar.start.replace(month=10)))
    busy = recorder.kinds[:, own].sum(axis=(1, 2))
    active = recorder.sites["active"][:, own].sum(axis=1)
    assert active[at] > 0 and busy[at] == 0
    assert busy[-1] > 0


@pytest.mark.parametrize(
    ("exclusive", "kept"),
    [
        ("[chat]", {INFERENCE}),
        ("chat", {INFERENCE}),
        ("[chat, research]", {INFERENCE, RESEARCH}),
        ("{workloads: [base-model], until: 2027-07-01}", {TRAINING}),
        ("{workloads: research}", {RESEARCH}),
        ("training", {TRAINING, RESEARCH}),
    ],
)
def test_exclusive_for_named_work_leaves_other_work_alone(root: Path, exclusive: str, kept: set[int]) -> None:
    """What is named runs with big-cloud alone (and goes on in the base fleet); the rest takes new-cloud too."""
    sets = (
        "strategies.both={hold: {big-cloud: 4608, new-cloud: 4608}}",
        f"offers.big-cloud.exclusive={exclusive}",
        "offers.new-cloud.delivery=null",
        "demand.inference.chat.tokens={2026-01: 5T/d, 2027-07: 5T/d}",
        "demand.training_runs.base-model.systems=[gb300_nvl72, gb200_nvl72]",
        "demand.training_runs.base-model.chips={min: 2304, max: 4608}",
        "demand.training_runs.base-model.flops=1e25",
        "demand.training_runs.base-model.earliest=2026-11-01",
        "demand.training_runs.base-model.target=2027-01-01",
        "strategies.both.dispatch={chat: fastest}",
    )
    prepared, built, recorder = run(root, "both", *sets)
    at_new = {kind for kind in (TRAINING, RESEARCH, INFERENCE) if used(prepared, recorder, kind)["new-cloud"]}
    assert at_new == {TRAINING, RESEARCH, INFERENCE} - kept
    names = {TRAINING: ("training", "base-model"), RESEARCH: RESEARCH_WORK, INFERENCE: ("inference", "chat")}
    new = {p for p, place in enumerate(prepared.places) if place.offer == "new-cloud"}
    start = prepared.calendar.start
    assert forbidden_places(prepared, built.ctx.draws.converts, start) == {names[k]: new for k in kept}


def test_exclusive_work_may_go_to_another_contract_of_the_same_provider(root: Path) -> None:
    sets = (
        "strategies.both={hold: {big-cloud: 4608, new-cloud: 4608}}",
        "offers.new-cloud.exclusive=all",
        "offers.big-cloud.provider=new-cloud",
    )
    prepared = prepare(load_study(root / "configs" / "quickstart.yaml", sets=sets), "both")
    assert forbidden_places(prepared, lambda _: True, prepared.calendar.start) == {}


def test_spot_chips_that_are_away_are_neither_paid_nor_dark(root: Path) -> None:
    sets = (f"offers.cheap={CHEAP}", "strategies.spot={hold: {cheap: 2304}}")
    prepared, built, recorder = run(root, "spot", *sets)
    away = sum(end - begin for begin, end in built.ctx.reclaimed["cheap"])
    result = simulate(prepared, 0)
    (place,) = [p for p, place in enumerate(prepared.places) if place.offer == "cheap"]
    out = int(recorder.sites["out"][-1, place])
    # broken chips stay broken while their site is away, so the account of chips out is a little less
    assert 0.95 * 2304 * away < out <= 2304 * away
    assert result.ladder["dark"] == 0
    there = (built.ctx.end - built.ctx.lots["cheap/0/gb200_nvl72"].delivered - away) / 3.6e6
    spot = np.array(result.tables["cash"]["usd"])[np.array(result.tables["cash"]["line"]) == "spot"].sum()
    assert spot == pytest.approx(2304 * there)
    assert used(prepared, recorder, RESEARCH)["cheap"] > 0


def test_a_share_of_the_spot_chips_is_reclaimed(root: Path) -> None:
    """A quarter of 36 units of 64 chips leaves each time, 576 chips; the rest goes on."""
    offer = CHEAP.replace("rate: 50/y,", "rate: 50/y, share: 25%,")
    prepared, built, recorder = run(
        root, "spot", f"offers.cheap={offer}", "strategies.spot={hold: {cheap: 2304}}"
    )
    state = built.ctx.lots["cheap/0/gb200_nvl72"]
    unit = placement_unit(prepared.study.systems["gb200_nvl72"])
    taken = round(0.25 * 2304 / unit) * unit
    assert len(state.reclaimed) > 50 and {chips for _, _, chips in state.reclaimed} == {taken}
    away = sum(chips * (min(end, built.ctx.end) - begin) for begin, end, chips in state.reclaimed)
    # the chips that are there are paid, those that are away are not
    spot = compute_figures(built, recorder).ledger.nominal("cheap", "spot")
    assert spot == pytest.approx((2304 * (built.ctx.end - state.delivered) - away) / 3.6e6)
    (place,) = [p for p, place in enumerate(prepared.places) if place.offer == "cheap"]
    active = int(recorder.sites["active"][-1, place])
    # free chips leave when told, those in use within the notice of two minutes
    told = 2304 * (built.ctx.end - state.delivered) - away - active
    assert 0 <= told <= taken * 120_000 * len(state.reclaimed)
    assert int(recorder.sites["out"][-1, place]) == 0
    counters = built.ctx.cluster.counters()
    assert counters["starts"] > counters["first_starts"]
    assert used(prepared, recorder, RESEARCH)["cheap"] > 0


def spot_runs(root: Path, *sets: str) -> list[tuple[Any, Any]]:
    """A strategy with spot chips that are never reclaimed, and with those that are."""
    found = []
    for rate in ("0/y", "50/y"):
        offer = CHEAP.replace("50/y", rate).replace("status: live", "status: live, region: us")
        found.append(run(root, "spot", f"offers.cheap={offer}", *sets)[:2])
    return found


def test_reclaimed_spot_chips_stop_and_requeue_jobs(root: Path) -> None:
    (_, calm), (_, busy) = spot_runs(root, "strategies.spot={hold: {cheap: 2304}}")
    again = [
        run.ctx.cluster.counters()["starts"] - run.ctx.cluster.counters()["first_starts"]
        for run in (calm, busy)
    ]
    assert again[1] - again[0] > len(busy.ctx.reclaimed["cheap"])
    assert busy.ctx.cluster.counters()["completed"] > 0.95 * calm.ctx.cluster.counters()["completed"]


def test_a_service_on_spot_misses_its_tokens_while_the_chips_are_away(root: Path) -> None:
    home = ("offers.own-cluster.region=eu", "demand.inference.chat.residency=[us]")
    (calm, _), (busy, built) = spot_runs(root, "strategies.spot={hold: {cheap: 2304}}", *home)
    away = sum(end - begin for begin, end in built.ctx.reclaimed["cheap"]) / built.ctx.end
    missed = [simulate(prepared, 0).metrics["tokens_unmet"] for prepared in (calm, busy)]
    assert missed[1] - missed[0] == pytest.approx(away, rel=0.5)


def test_refreshed_and_let_chips_leave_the_cluster(root: Path) -> None:
    refresh = (
        "[{name: newer, kind: refresh, replaces: [gb200_nvl72], chip: gb300_nvl72, quantity: 4608, decide: 2026-07, "
        "deliver: 2026-10, price: {per_chip_hour: $3/h}, premium: 0}]"
    )
    resale = "[{offer: big-cloud, from: 2027-02, share: 50%, discount: 20%}]"
    sets = (f"offers.big-cloud.options={refresh}", "offers.big-cloud.delivery=null", "uncertainty.seed=3")
    prepared, built, _ = run(
        root,
        "big-cloud",
        *sets,
        "strategies.big-cloud.options=[big-cloud.newer]",
        f"strategies.big-cloud.resell={resale}",
    )
    rows = built.ctx.cluster.chips()
    active = {place.name: int(rows["active"][p]) for p, place in enumerate(prepared.places)}
    assert active["big-cloud/gb200_nvl72"] == 0
    assert active["big-cloud/gb300_nvl72"] == 2304


def test_a_match_moves_contract_dates_and_concentration(root: Path) -> None:
    right = "{over: [new-cloud], until: 2027-01-01, window: 30d, match_probability: CHANCE}"
    found = {}
    for chance in ("0%", "100%"):
        sets = (
            "strategies.both={hold: {big-cloud: 4608, new-cloud: 4608}}",
            "offers.new-cloud.delivery=null",
            "offers.big-cloud.delivery={delay: [{by: 1q, p: 100%}]}",
            f"offers.big-cloud.right_of_first_refusal={right.replace('CHANCE', chance)}",
        )
        prepared = prepare(load_study(root / "configs" / "quickstart.yaml", sets=sets), "both")
        built, _, _ = simulate_built(prepared, 0)
        kinds = {kind for _, kind, subject, _ in built.ctx.events if subject == "new-cloud"}
        result = simulate(prepared, 0)
        state = built.ctx.lots["new-cloud/0/gb300_nvl72"]
        found[chance] = (state.delay / 86_400_000, kinds & {"pass", "match"}, result.metrics["hhi_provider"])
    # the holder passes: its window of 30 days; it matches: the window and its own delay of a quarter
    assert found["0%"][:2] == (30, {"pass"})
    assert found["100%"][:2] == (pytest.approx(30 + 91.3125), {"match"})
    # all committed payments beside the base fleet's go to one provider
    assert found["100%"][2] > found["0%"][2]


def test_what_is_given_up_is_no_longer_contracted(root: Path) -> None:
    sets = ("strategies.big-cloud.terminate={big-cloud: 2027-01-01}", "offers.big-cloud.delivery=null")
    prepared, built, _ = run(root, "big-cloud", *sets)
    series = simulate(prepared, 0).tables["series"]
    rows = [
        (month, value)
        for month, offer, measure, value in zip(
            series["month"], series["offer"], series["measure"], series["value"], strict=True
        )
        if offer == "big-cloud" and measure == "contracted"
    ]
    assert max(month for month, value in rows if value > 0) == "2026-12"
    assert {s.status for key, s in built.ctx.lots.items() if key.startswith("big-cloud")} == {"left"}


@pytest.mark.parametrize(
    ("term", "months"),
    [
        ("demand.scale=1", 18),
        ("demand.inference.chat.residency=[eu]", 0),
        ("offers.big-cloud.exclusive={workloads: inference, until: 2027-01-01}", 6),
        ("offers.big-cloud.exclusive={workloads: training}", 18),
        ("offers.big-cloud.exclusive={workloads: [chat], until: 2027-01-01}", 6),
        ("offers.big-cloud.exclusive=[research, base-model]", 18),
    ],
)
def test_what_may_not_leave_is_not_rented_on_demand(root: Path, term: str, months: int) -> None:
    rental = (
        "{provider: r, kind: on_demand, status: live, chips: {gb200_nvl72: 100%}, region: us, "
        "price: {per_chip_hour: $6/h}, depth: {gb200_nvl72: {2026: 720}}}"
    )
    sets = (
        f"offers.rental={rental}",
        "overflow=[{offer: rental, budget_per_year: $10B, workloads: [inference]}]",
        "demand.inference.chat.tokens={2026-01: 90T/d, 2027-07: 90T/d}",
        "strategies.far={hold: {big-cloud: 4608}}",
        term,
    )
    prepared = prepare(load_study(root / "configs" / "quickstart.yaml", sets=sets), "far")
    cash = simulate(prepared, 0).tables["cash"]
    rented = [month for month, line in zip(cash["month"], cash["line"], strict=True) if line == "on_demand"]
    assert len(rented) == months


def test_rent_by_the_hour_stands_in_the_statement_by_system(root: Path) -> None:
    """All that can be had is rented, 720 GB200 at $6 and 72 GB300 at $7, while January has 744 hours."""
    rental = (
        "{provider: r, kind: on_demand, status: live, chips: {gb200_nvl72: 90%, gb300_nvl72: 10%}, "
        "price: {per_chip_hour: {gb200_nvl72: $6/h, gb300_nvl72: $7/h}}, "
        "depth: {gb200_nvl72: {2026: 720}, gb300_nvl72: {2026: 72}}}"
    )
    sets = (
        f"offers.rental={rental}",
        "overflow=[{offer: rental, budget_per_year: $10B, workloads: [inference]}]",
        "demand.inference.chat.tokens={2026-01: 90T/d, 2027-07: 90T/d}",
    )
    prepared = prepare(load_study(root / "configs" / "quickstart.yaml", sets=sets), "wait")
    (found,) = simulated_statements(prepared, 0, "rental")
    january = [item for item in found.items if item.month == "2026-01"]
    assert [(i.tranche, i.quantity, i.unit, i.price, i.amount) for i in january] == [
        ("gb200_nvl72", 535_680.0, "chip-hours", 6.0, 3_214_080.0),
        ("gb300_nvl72", 53_568.0, "chip-hours", 7.0, 374_976.0),
    ]
    assert all(item.unit for item in found.items) and len(found.items) == 2 * 18
    cash = simulate(prepared, 0).tables["cash"]
    rows = zip(cash["line"], cash["usd"], strict=True)
    assert found.total == pytest.approx(sum(usd for line, usd in rows if line == "on_demand"), abs=0.01)


def test_what_can_be_rented_tightens_as_prices_rise(root: Path) -> None:
    rental = (
        "{provider: r, kind: on_demand, status: live, chips: {gb200_nvl72: 100%}, market: m, "
        "price: {per_chip_hour: $6/h}, depth: {gb200_nvl72: {2026: 720}}, depth_price_power: 1}"
    )
    sets = (
        f"offers.rental={rental}",
        "markets.m={start: $2/h, state: a, volatility: 30%, regimes: {a: {drift: 80%/y, leave: 0%/q}}}",
        "overflow=[{offer: rental, budget_per_year: $10B, workloads: [inference]}]",
        "demand.inference.chat.tokens={2026-01: 90T/d, 2027-07: 90T/d}",
    )
    prepared = prepare(load_study(root / "configs" / "quickstart.yaml", sets=sets), "wait")
    cash = simulate(prepared, 0).tables["cash"]
    rows = zip(cash["month"], cash["line"], cash["usd"], strict=True)
    paid = {month: usd for month, line, usd in rows if line == "on_demand"}
    # 720 / p chips at $6 x p: the same dollars an hour whatever the price p
    assert paid["2026-01"] == pytest.approx(720 * 6 * 31 * 24)
    assert paid["2026-12"] == pytest.approx(720 * 6 * 31 * 24)


RENTAL = (
    "offers.rental={provider: r, kind: on_demand, status: live, chips: {gb200_nvl72: 100%}, "
    "price: {per_chip_hour: $6/h}, depth: {gb200_nvl72: {2026: 2000}}}"
)


def overflowed(root: Path, rule: str, *sets: str) -> Any:
    """The quickstart with much research and its own cluster only, under a rule of overflow; rent by month."""
    more = (
        "demand.research.capacity={2026-01: 6000, 2027-07: 9000}",
        "strategies.wait={}",
        RENTAL,
        rule,
        *sets,
    )
    prepared = prepare(load_study(root / "configs" / "quickstart.yaml", sets=more), "wait")
    built, recorder, _ = simulate_built(prepared, 0)
    return built, campaigns(built, tuple(recorder.edges)), compute_figures(built, recorder)


def test_research_on_rented_chips_is_served(root: Path) -> None:
    """Who ran where: the shares of all systems, rented ones too, and what is not done are the whole work."""
    more = (
        "demand.research.capacity={2026-01: 6000, 2027-07: 9000}",
        "strategies.wait={}",
        RENTAL,
        "overflow=[{offer: rental, budget_per_year: $200M, workloads: [research], after: 3d}]",
    )
    found = simulate(prepare(load_study(root / "configs" / "quickstart.yaml", sets=more), "wait"), 0)
    shares = {
        system: float(share)
        for workload, system, share in zip(
            *(found.tables["assignment"][name] for name in ("workload", "system", "share")), strict=True
        )
        if workload == "research"
    }
    assert set(shares) == {"gb200_nvl72", "rented"} and shares["rented"] > 0.1
    assert sum(shares.values()) == pytest.approx(1.0 - found.metrics["research_unmet"], abs=0.01)


def test_research_that_waits_is_sent_out_within_depth_and_budget(root: Path) -> None:
    rule = "overflow=[{offer: rental, budget_per_year: $20M, workloads: [research], after: 3d}]"
    built, found, figures = overflowed(root, rule)
    begin, end = built.research.rented
    out = begin >= 0
    jobs = built.ctx.cluster.jobs[: built.campaigns]
    assert out.sum() > 10
    assert (begin[out] - jobs["submit"][out] >= 3 * 86_400_000).all()
    # a campaign takes run / speed on the rented chips; the reference chip is the rented one here: 1 x the world's error
    speed = built.ctx.research_speed[0]
    assert (end - begin)[out] == pytest.approx((jobs["run"][out] / speed).astype(np.int64), abs=1)
    # $6 x chips x hours of every campaign, as far as it lies within the horizon
    hours = (np.minimum(end, built.ctx.end) - begin)[out] / 3.6e6
    paid = figures.ledger.nominal("rental", "on_demand")
    assert paid == pytest.approx(float((6 * jobs["size_ref"][out] * hours).sum()), rel=1e-6)
    # two years of $20M: a campaign is signed whole, in the year in which it starts
    assert 0 < paid <= 40e6
    assert built.rentals[0].chips.max() <= 2000
    _, without, _ = overflowed(root, "overflow=[{offer: rental, budget_per_year: $0, workloads: [research]}]")
    assert found.done.sum() > without.done.sum()
    assert found.finished.sum() > without.finished.sum()


H100 = (
    "offers.rental={provider: r, kind: on_demand, status: live, chips: {h100_hgx: 100%}, "
    "price: {per_chip_hour: $2/h}, depth: {h100_hgx: {2026: 2000}}}"
)


def test_overflow_rents_systems_that_nothing_else_has(root: Path) -> None:
    rule = "overflow=[{offer: rental, budget_per_year: $1B, workloads: [research], after: 3d}]"
    built, _, _ = overflowed(root, rule, H100, "demand.research.systems=[gb200_nvl72, h100_hgx]")
    assert not any(place.system == "h100_hgx" for place in built.ctx.places())
    assert (built.research.rented[0] >= 0).sum() > 10
    # a campaign takes longer on the slower chip, by its speed in reference chips
    begin, end = built.research.rented
    out = begin >= 0
    rates = built.ctx.prepared.rates
    speed = rates.research["h100_hgx"].flops / rates.reference
    error = built.ctx.draws.rate_error("h100_hgx", "training", rates.research["h100_hgx"].log_error)
    work = built.ctx.cluster.jobs["run"][: built.campaigns][out]
    assert (end - begin)[out] == pytest.approx((work / (speed * error)).astype(np.int64), abs=1)


def test_research_and_services_rent_on_one_account(root: Path) -> None:
    """2,000 chips and $20M a year for both, at prices that move, whether one rule names them or two."""
    moving = (
        "markets.hourly={start: $6/h, volatility: 80%, regimes: {r: {drift: -30%/y, leave: 0%/q}}, state: r}"
    )
    listed = RENTAL.replace("kind: on_demand", "kind: on_demand, market: hourly")
    tokens = "demand.inference.chat.tokens={2026-01: 20T/d, 2027-07: 20T/d}"
    both = "overflow=[{offer: rental, budget_per_year: $20M, workloads: [inference, research], after: 3d}]"
    built, _, figures = overflowed(root, both, tokens, moving, listed)
    assert (built.research.rented[0] >= 0).any() and figures.tokens.rented.sum() > 0
    assert figures.tokens.rented_chips.max() <= 2000 + 1e-6
    paid, (account,) = figures.ledger.nominal("rental", "on_demand"), built.rentals
    # what research signs counts in the year of its start, for the prices of its hours, which move
    assert account.budget.min() >= -1e-6
    assert paid == pytest.approx(40e6 - account.budget.sum(), abs=0.01)
    assert paid > 20e6 and np.ptp(account.market.price["gb200_nvl72"]) > 0.5
    two = ", ".join(
        f"{{offer: rental, budget_per_year: $1B, workloads: [{work}], after: 3d}}"
        for work in ("research", "inference")
    )
    built, _, figures = overflowed(root, f"overflow=[{two}]", tokens)
    first, second = built.rentals
    assert first.market is second.market and first.usd.any() and second.usd.any()
    assert (first.chips + second.chips).max() <= 2000 + 1e-6


def test_research_fills_the_chips_that_services_leave_at_night(root: Path) -> None:
    more = (
        "horizon.end=2026-02-15",
        "demand.training_runs=[]",
        "demand.inference.chat.tokens={2026-01: 2500G/d, 2026-03: 2500G/d}",
        "demand.inference.chat.shape={peak: 1.8, weekend: 0%}",
        "demand.research.campaigns=40k",
        "demand.research.campaigns_growth=1",
        "demand.research.capacity={2026-01: 5000, 2026-03: 5000}",
        "demand.research.chips={8: 100%}",
        "demand.research.duration={median: 2 h, sigma: 0.5, max: 1 d}",
        "demand.research.sub_node=0%",
        "strategies.wait={}",
    )
    prepared = prepare(load_study(root / "configs" / "quickstart.yaml", sets=more), "wait")
    built, _, _ = simulate_built(prepared, 0)
    scaler = built.autoscaler
    days = slice(8, 44)
    served = np.diff(scaler.held[:, 0].sum(axis=1)) / scaler.period * built.chips[0, 0]
    # free chips are looked at before a decision: those at the end of a step stand at the next one
    free = scaler.free.sum(axis=1)[1:]
    research = scaler.healthy.sum(axis=1)[1:] - served[:-1] - free
    by_step = {
        name: np.resize(row, (len(row) // 4, 4))[days].mean(axis=0)
        for name, row in (("served", served), ("research", research))
    }
    peak, valley = by_step["served"].argmax(), by_step["served"].argmin()
    left = by_step["served"][peak] - by_step["served"][valley]
    # services leave more than half of the site at night, and most of it does research then
    assert left > 0.5 * 4608
    assert by_step["research"][valley] - by_step["research"][peak] > 0.8 * left
    # the figure of the run: over these days, what is left at each step of six hours and used
    wanted = 6 * sum(by_step["served"][peak] - by_step["served"])
    found = valley_use(built).sum(axis=1)[4 * 8 : 4 * 44].reshape(-1, 4).sum(axis=1).mean()
    assert 0.8 * wanted < found <= 1.01 * wanted
    assert simulate(prepared, 0).metrics["valley_chip_hours"] == pytest.approx(valley_use(built).sum())
