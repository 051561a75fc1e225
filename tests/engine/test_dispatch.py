"""Rules of dispatch and the price of moving data, each in a study small enough to check by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsim.compile.calendar import MS_DAY
from capsim.compile.prepare import INFERENCE, RESEARCH
from capsim.engine.figures import Figures, compute_figures
from capsim.engine.prepare import prepare
from capsim.engine.recorder import Recorder
from capsim.engine.simulate import simulate, simulate_built
from capsim.engine.statement import simulated_statements
from capsim.spec.loader import load_study

STUDY = """capsim: 1
name: dispatch
horizon: {start: 2026-01-01, end: 2026-07-01}
money: {discount_rate: 0%/y}
as_of: 2025-12-31
include: ["builtin:catalog"]
scheduler: {autoscale: 6 h, locality_penalty: 0%, training_share: 100%}
compare: {against: s}
uncertainty: {rates: 0%}
offers:
  home:
    {provider: own, kind: cloud, status: live, chips: {gb200_nvl72: 100%}, quantity: {min: 72, max: 7200, lot: 72},
     tranches: [{at: 2025-06-01, share: 100%, delivery: existing}], term: 5y, price: {per_chip_hour: $3/h}, region: us-east,
     reliability: {failures_per_1000_chip_days: 0}}
  away:
    {provider: other, kind: cloud, status: live, chips: {gb200_nvl72: 100%}, quantity: {min: 72, max: 7200, lot: 72},
     tranches: [{at: 2025-06-01, share: 100%, delivery: existing}], term: 5y, price: {per_chip_hour: $3/h}, region: eu,
     reliability: {failures_per_1000_chip_days: 0}}
strategies: {s: {hold: {home: 288, away: 576}}}
demand:
  scale: 1
  training_runs:
    - {name: base, model: llama-3.1-70b, flops: 1e24, precision: bf16, chips: {min: 144, max: 576}, systems: [gb200_nvl72],
       earliest: 2026-01-11, target: 2026-07-01, priority: 100, slip_cost: $1/d, checkpoint: {stall: 1 s, restart: 1 min}}
"""
RUN = "demand.training_runs.base"
DATA = f"{RUN}.data={{size: 20 PB, at: us-east}}"
RESEARCH_STREAM = """demand.research={model: llama-3.1-70b, precision: bf16, systems: [gb200_nvl72, h100_hgx], priority: 10,
 campaigns: 4000, campaigns_growth: 1, capacity: {2026-01: 100, 2026-07: 100}, chips: {8: 100%}, sub_node: 0%, weekend: 0%, night: 0%,
 duration: {median: 20 h, sigma: 0.1, max: 2 d}, estimate: {median: 1.5, sigma: 0.1}, tenants: {count: 1, zipf: 1},
 fates: {failed: 0%, failed_chip_time: 0%, cancelled: 0%, cancelled_chip_time: 0%}, checkpoint: {stall: 1 s, restart: 1 min},
 value_lost: $3/h}"""
CHAT = """demand.inference=[{name: chat, model: llama-3.1-70b, tokens: {2026-01: 300G}, input_length: 1000, output_length: 500,
 cache_hit: 0%, precision: fp8, shape: {peak: 1.2, weekend: 0%}, slo: {ttft: {p95: 2 s}, tpot: {p95: 50 ms}},
 systems: [gb200_nvl72, h100_hgx], priority: 50, value_lost: $1/Mtok, headroom: 10%}]"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return path


def run_of(study: Path, *sets: str) -> tuple[Any, Recorder, Figures]:
    """Strategy `s` in world 0: the run, its recorder and its figures."""
    built, recorder, _ = simulate_built(prepare(load_study(study, sets=sets), "s"), 0)
    assert built.ctx.cluster.check() == []
    return built, recorder, compute_figures(built, recorder)


def where(built: Any, name: str = "base") -> list[str]:
    """Offers at which the phases of a named run ran, in order."""
    state = built.training.runs[name]
    return [built.ctx.places()[int(built.ctx.cluster.runs["pool"][job])].offer for job in state.jobs]


def used(built: Any, recorder: Recorder, kind: int) -> dict[str, int]:
    """Chip-ms of a kind of work by offer."""
    column = recorder.USED_KINDS.index(kind)
    return {p.offer: int(recorder.kinds[-1, i, column]) for i, p in enumerate(built.ctx.places())}


def egress(figures: Figures) -> dict[str, float]:
    return {offer: float(usd.sum()) for (offer, line), usd in figures.ledger.usd.items() if line == "egress"}


# ---------------------------------------------------------------------------------------------- data of named runs
def test_a_run_away_from_its_data_pays_egress_and_starts_later(study: Path) -> None:
    """20 PB x $0.05/GB = $1,000,000; 20 PB / 50 GB/s = 400,000 s = 4 d 15 h 6 min 40 s."""
    built, _, figures = run_of(study, DATA)
    assert where(built) == ["away"]  # 576 chips there finish sooner than 288 at home
    assert egress(figures) == {"away": pytest.approx(1_000_000)}
    state = built.training.runs["base"]
    assert state.start == state.earliest + 400_000_000
    assert built.ctx.cluster.runs["start"][state.jobs[0]] >= state.start
    assert ("egress", "base", "20 PB to away, $1,000,000, 4.6 d") in [e[1:] for e in built.ctx.events]
    free, _, _ = run_of(study)
    assert state.finish - free.training.runs["base"].finish == pytest.approx(400_000_000, abs=60_000)


def test_the_price_is_that_of_the_site_that_the_data_leaves(study: Path) -> None:
    """20 PB x $0.01/GB = $200,000 from the offer that states it; where it goes to does not matter."""
    _, _, figures = run_of(study, f"{RUN}.data={{size: 20 PB, at: home}}", "offers.home.egress=$0.01/GB")
    assert egress(figures) == {"away": pytest.approx(200_000)}
    _, _, figures = run_of(study, DATA, "offers.away.egress=$9/GB")
    assert egress(figures) == {"away": pytest.approx(1_000_000)}
    # an offer of the region that the strategy does not hold sells no way out
    unheld = "offers.third={provider: third, kind: cloud, status: live, chips: {gb200_nvl72: 100%}, region: us-east, egress: $0/GB}"
    assert egress(run_of(study, DATA, unheld)[2]) == {"away": pytest.approx(1_000_000)}
    # data at the place of the run stays where it is, and so does data of the same provider and region
    for own in (f"{RUN}.data={{size: 20 PB, at: eu}}", f"{RUN}.data={{size: 20 PB, at: away}}"):
        built, _, figures = run_of(study, own)
        assert egress(figures) == {} and where(built) == ["away"]
    one = ("offers.away.provider=own", "offers.away.region=us-east")
    assert egress(run_of(study, f"{RUN}.data={{size: 20 PB, at: home}}", *one)[2]) == {}


def test_several_copies_at_the_start_are_several_homes(study: Path) -> None:
    """A copy at both sites: nothing is sent, and the run starts away at once."""
    both, _, figures = run_of(study, DATA.replace("us-east", "[us-east, away]"))
    assert where(both) == ["away"] and egress(figures) == {}
    assert both.training.runs["base"].start == both.training.runs["base"].earliest


SECOND = """demand.training_runs=[
 {name: base, model: llama-3.1-70b, flops: 1e24, precision: bf16, chips: {min: 144, max: 288}, systems: [gb200_nvl72],
  earliest: 2026-01-11, target: 2026-07-01, priority: 100, slip_cost: $1/d, checkpoint: {stall: 1 s, restart: 1 min}},
 {name: next, model: llama-3.1-70b, flops: 1e23, precision: bf16, chips: {min: 144, max: 144}, systems: [gb200_nvl72],
  earliest: 2026-01-12, target: 2026-07-01, priority: 90, slip_cost: $1/d, checkpoint: {stall: 1 s, restart: 1 min}}]"""


@pytest.mark.parametrize(("name", "paid"), [("name: corpus, ", 1_000_000), ("", 2_000_000)])
def test_runs_that_read_the_same_data_share_its_copies(study: Path, name: str, paid: float) -> None:
    """20 PB x $0.05/GB once where both runs name it alike. It is on its way for 400,000 s from 2026-01-11 on, so
    the run of the 12th, a day (86,400 s) later, waits for it for 313,600 s; a copy of its own takes 400,000 s."""
    data = [f"demand.training_runs.{run}.data={{{name}size: 20 PB, at: us-east}}" for run in ("base", "next")]
    built, _, figures = run_of(study, "strategies.s.hold={away: 576}", SECOND, *data)
    assert where(built) == where(built, "next") == ["away"]
    assert egress(figures) == {"away": pytest.approx(paid)}
    later = built.training.runs["next"]
    assert later.start - later.earliest == (313_600_000 if name else 400_000_000)


def test_a_copy_that_stays_pays_for_its_storage(study: Path) -> None:
    """20,000 TB at $20 a month from its arrival, 2026-01-11 and 400,000 s, to the end of June: 166.37 days."""
    data = DATA.replace("us-east}", "us-east, storage_price: $20/TB-mo}")
    kept = (181 - 10 - 400_000 / 86_400) / (365.25 / 12) * 20_000 * 20
    built, _, figures = run_of(study, data)
    assert egress(figures) == {"away": pytest.approx(1_000_000 + kept)}
    # the site's own price comes first; what was there from the start costs nothing more
    stated = "offers.away.storage_price=$10/TB-mo"
    assert egress(run_of(study, data, stated)[2]) == {"away": pytest.approx(1_000_000 + kept / 2)}
    assert egress(run_of(study, data.replace("at: us-east", "at: eu"))[2]) == {}
    # until the last chips there leave, on the first of May
    gone = (120 - 10 - 400_000 / 86_400) / (365.25 / 12) * 20_000 * 20
    leaves = run_of(study, data, "offers.away.term=null", "offers.away.ends=2026-05-01")
    assert egress(leaves[2])["away"] == pytest.approx(1_000_000 + gone)
    (found,) = simulated_statements(built.ctx.prepared, 0, "away")
    months = [i for i in found.items if i.what == "data kept at the site"]
    assert [(i.month, i.unit, i.price) for i in months][:2] == [
        ("2026-01", "TB-months", 20.0), ("2026-02", "TB-months", 20.0),
    ]  # fmt: skip
    # February: 28 days of 30.4375
    assert months[1].quantity == pytest.approx(20_000 * 28 / 30.4375, abs=1e-3)


def test_data_gravity_weighs_egress_against_slip(study: Path) -> None:
    """Away the run would finish sooner, but nothing is lost before the target: it stays with its data.

    Once a day of slip costs more than the egress of $1,000,000, the run moves for the sooner finish.
    """
    rule = "strategies.s.dispatch=data-gravity"
    built, _, figures = run_of(study, DATA, rule)
    assert where(built) == ["home"] and egress(figures) == {}
    late = (f"{RUN}.target=2026-01-12", f"{RUN}.slip_cost=$1M/d")
    built, _, figures = run_of(study, DATA, rule, *late)
    home, _, _ = run_of(study, DATA, rule, f"{RUN}.target=2026-01-12")
    sooner = (home.training.runs["base"].finish - built.training.runs["base"].finish) / MS_DAY
    assert where(built) == ["away"] and sooner > 1.0
    # at $1M a day the days saved are worth more than the egress; at half of what breaks even they are not
    few = f"{RUN}.slip_cost=${0.5e6 / sooner:.0f}/d"
    assert where(run_of(study, DATA, rule, f"{RUN}.target=2026-01-12", few)[0]) == ["home"]


def test_fastest_counts_the_time_of_the_copy(study: Path) -> None:
    """Over a thin line 20 PB take 463 days: home is faster then, for `advantage` away still is."""
    thin = f"{RUN}.data={{size: 20 PB, at: us-east, bandwidth: 500 MB/s}}"
    assert where(run_of(study, thin, "strategies.s.dispatch=fastest")[0]) == ["home"]
    assert where(run_of(study, thin)[0]) == []  # it does not start within the horizon


@pytest.mark.parametrize(
    ("change", "ran"),
    [
        # more chips come home before the RL phase, which is planned there: 501 chips away, 576 at home
        (
            (
                "strategies.s.hold.home=1440",
                "offers.home.tranches=[{at: 2025-06-01, share: 20%, delivery: existing}, {at: 2026-01-21, share: 80%}]",
            ),
            ["away", "home"],
        ),
        # the RL phase is a day old when the chips away go back; its checkpoint goes home
        (("offers.away.term=null", "offers.away.ends=2026-01-23"), ["away", "away", "home"]),
    ],
)
def test_a_run_that_goes_on_elsewhere_brings_its_checkpoint(
    study: Path, change: tuple[str, ...], ran: list[str]
) -> None:
    """1 PB at $0.05/GB goes away, and 14 bytes for each of 70.6e9 parameters, 988 GB, come home: $49."""
    sets = (f"{RUN}.data={{size: 1 PB, at: us-east}}", f"{RUN}.flops=5e23")
    built, _, figures = run_of(
        study, *sets, f"{RUN}.rl={{share: 30%, rollout: {{output_length: 1000}}}}", *change
    )
    withdrawn = [job for job in built.training.runs["base"].jobs if built.ctx.cluster.runs["start"][job] >= 0]
    assert where(built) == ran and len(withdrawn) == len(ran)
    assert egress(figures) == {
        "away": pytest.approx(50_000),
        "home": pytest.approx(14 * 70.55 * 0.05, rel=0.01),
    }
    assert built.training.runs["base"].finish > 0


def test_without_data_nothing_is_moved(study: Path) -> None:
    assert egress(run_of(study, "strategies.s.dispatch=data-gravity")[2]) == {}


# ------------------------------------------------------------------------------------------ the order of places
SPOT = """offers.cheap={provider: other, kind: spot, status: live, chips: {gb200_nvl72: 100%}, region: eu,
 tranches: [{at: 2025-06-01, share: 100%}], price: {per_chip_hour: $1/h}, interruptions: {rate: 0/y, away: 8 h},
 reliability: {failures_per_1000_chip_days: 0}}"""


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ("advantage", "cheap"),  # the larger place: it finishes sooner
        ("fastest", "cheap"),
        ("committed-first", "home"),
        ("cheapest", "home"),  # committed hours cost nothing at the margin, spot $1
        ("{training: cheapest}", "home"),
        ("{base: fastest, training: cheapest}", "cheap"),  # a workload's own rule comes before its kind's
        ("{research: cheapest}", "cheap"),
    ],
)
def test_where_a_run_goes(study: Path, rule: str, place: str) -> None:
    sets = (SPOT, "strategies.s.hold={home: 288, cheap: 576}", f"strategies.s.dispatch={rule}")
    assert where(run_of(study, *sets)[0]) == [place]


def test_use_beyond_take_or_pay_costs_at_the_margin(study: Path) -> None:
    """At 60 % take-or-pay an hour of use adds 40 % of $3 = $1.20 on average, more than spot's $1."""
    sets = (SPOT, "strategies.s.hold={home: 576, cheap: 288}", "strategies.s.dispatch=cheapest")
    assert where(run_of(study, *sets)[0]) == ["home"]
    pay = "offers.home.take_or_pay={share: 60%}"
    assert where(run_of(study, *sets, pay)[0]) == ["cheap"]
    assert where(run_of(study, *sets, pay, "offers.cheap.price={per_chip_hour: $1.30/h}")[0]) == ["home"]


def test_services_and_research_follow_their_rules(study: Path) -> None:
    """Spot and contract with equal chips: the usual order ties, and takes the first place that is held: spot.

    Only where that is full (the named run is planned there on the last day) something goes to the other.
    """
    spot = ("offers.home.kind=spot", "offers.home.interruptions={rate: 0/y, away: 8 h}")
    sets = (
        *spot,
        "strategies.s.hold={home: 720, away: 720}",
        RESEARCH_STREAM,
        CHAT,
        f"{RUN}.earliest=2026-06-30",
    )
    usual, recorder, _ = run_of(study, *sets)
    served, done = used(usual, recorder, INFERENCE), used(usual, recorder, RESEARCH)
    assert served["home"] > 100 * served["away"] and done["home"] > 2 * done["away"]
    ruled, recorder, _ = run_of(study, *sets, "strategies.s.dispatch={inference: committed-first}")
    served = used(ruled, recorder, INFERENCE)
    assert served["away"] > 100 * served["home"]
    ruled, recorder, _ = run_of(study, *sets, "strategies.s.dispatch={research: cheapest}")
    done = used(ruled, recorder, RESEARCH)
    assert done["away"] > 2 * done["home"]


def test_the_order_follows_the_prices_of_spot(study: Path) -> None:
    """Two spot markets, one that starts below the other and doubles within the horizon: research changes over."""
    other = SPOT.replace("offers.cheap", "offers.rising").replace("$1/h}", "$0.90/h}, market: up")
    up = "markets.up={start: $1/h, state: a, volatility: 0%, regimes: {a: {drift: 300%/y, leave: 0%/q}}}"
    later = f"{RUN}.earliest=2026-06-30"
    sets = (SPOT, other, up, "strategies.s.hold={cheap: 720, rising: 720}", RESEARCH_STREAM, later)
    built, recorder, _ = run_of(study, *sets, "strategies.s.dispatch=cheapest")
    column = recorder.USED_KINDS.index(RESEARCH)
    by_month = np.diff(recorder.kinds[:, :, column], axis=0)
    names = [place.offer for place in built.ctx.places()]
    cheap, rising = by_month[:, names.index("cheap")], by_month[:, names.index("rising")]
    # 0.90 x 4^(t / year) is above 1.00 from 28 days on: from the first of February research starts at the other
    assert rising[0] > 10 * cheap[0] and (cheap[2:] > 10 * rising[2:]).all()


# -------------------------------------------------------------------------------- data of research and services
READS = "demand.research.data={size: 8 PB, at: us-east}"
MOST = (RESEARCH_STREAM, f"{RUN}.earliest=2026-06-30", "strategies.s.hold={home: 72, away: 576}")


def test_research_starts_elsewhere_when_its_data_is_there(study: Path) -> None:
    """8 PB x $0.05 = $400,000; 8 PB / 50 GB/s = 160,000 s: no campaign starts away in the first 44 h 26 min."""
    built, _, figures = run_of(study, *MOST, READS)
    assert egress(figures) == {"away": pytest.approx(400_000)}
    jobs = built.ctx.cluster.runs[: built.campaigns]
    names = [place.offer for place in built.ctx.places()]
    there = (jobs["start"] >= 0) & (jobs["pool"] == names.index("away"))
    assert there.any() and jobs["start"][there].min() >= 160_000_000
    free, _, without = run_of(study, *MOST)
    first = free.ctx.cluster.runs[: free.campaigns]
    assert first["start"][(first["start"] >= 0) & (first["pool"] == names.index("away"))].min() < 160_000_000
    assert egress(without) == {}


def test_data_gravity_copies_only_what_pays_for_itself(study: Path) -> None:
    """576 chips x $3 x 720 h = $1.24M of research in 30 days: a copy for $0.4M is worth it, one for $4M is not."""
    rule = "strategies.s.dispatch={research: data-gravity}"
    assert egress(run_of(study, *MOST, READS, rule)[2]) == {"away": pytest.approx(400_000)}
    built, recorder, figures = run_of(study, *MOST, READS.replace("8 PB", "80 PB"), rule)
    assert egress(figures) == {} and used(built, recorder, RESEARCH)["away"] == 0
    # a place that residency forbids gets no copy
    eu = "demand.research.residency=[us]"
    assert egress(run_of(study, *MOST, READS, eu)[2]) == {}


def test_parts_of_a_service_share_one_copy(study: Path) -> None:
    """0.5 PB of weights and caches once to each site, $25,000; replicas stand at home until they are there."""
    sets = (CHAT, "strategies.s.hold={home: 144, away: 144}", f"{RUN}.earliest=2026-06-30",
            "demand.inference.chat.data={size: 500 TB, at: us-east}")  # fmt: skip
    regions = "demand.inference.chat.regions={us: {share: 50%}, eu: {share: 50%}}"
    built, _, figures = run_of(study, *sets, regions)
    assert egress(figures) == {"away": pytest.approx(25_000)}
    assert egress(run_of(study, *sets, regions, "demand.inference.chat.residency=[us]")[2]) == {}
    assert egress(run_of(study, *sets, "offers.away.dedicated={workloads: [training]}")[2]) == {}
    assert built.autoscaler.held[1].sum(axis=0)[1] == 0 < built.autoscaler.held[-1].sum(axis=0)[1]


def test_data_of_no_size_changes_nothing(study: Path) -> None:
    """A copy of nothing is free and takes no time: every figure is that of the study without data.

    (But for services: the autoscaler has decided when the copy is there, they start a period later.)
    """
    sets = (*MOST, CHAT)
    empty = "{size: 0 GB, at: us-east}"
    with_data = [f"{w}.data={empty}" for w in ("demand.research", RUN)]
    plain, empty_run = (
        simulate(prepare(load_study(study, sets=s), "s"), 0) for s in (sets, [*sets, *with_data])
    )
    for name, value in plain.metrics.items():
        if name not in ("seconds", "simpy_events"):
            assert empty_run.metrics[name] == value or np.isnan(value), name
    assert empty_run.ladder == plain.ladder and empty_run.cash_npv == plain.cash_npv


def test_egress_is_in_proportion_to_its_price(study: Path) -> None:
    """Twice the price per GB, twice the line; the sum of the copies is the line."""
    once, twice = (
        run_of(study, *MOST, READS.replace("8 PB", f"8 PB, egress: {price}"), DATA)
        for price in ("$0.03/GB", "$0.06/GB")
    )
    copies = [sum(copy.usd for copy in built.ctx.data_copies) for built, _, _ in (once, twice)]
    assert sum(egress(once[2]).values()) == pytest.approx(copies[0])
    assert sum(egress(twice[2]).values()) == pytest.approx(copies[1])
    assert copies[1] - copies[0] == pytest.approx(8e6 * 0.03)


# ------------------------------------------------------------------------------------------ what is rented by the hour
def rental(name: str, system: str, price: str, region: str = "us-east") -> str:
    return (
        f"offers.{name}={{provider: own, kind: on_demand, status: live, chips: {{{system}: 100%}}, region: {region}, "
        f"price: {{per_chip_hour: {price}}}, depth: {{{system}: {{2026: 7200}}}}}}"
    )


SMALL = ("strategies.s.hold={home: 72}", RESEARCH_STREAM.replace("100, 2026-07: 100", "300, 2026-07: 300"), CHAT,
         rental("dear", "gb200_nvl72", "$9/h"), rental("plain", "h100_hgx", "$2/h"))  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "first"), [("advantage", "dear"), ("cheapest", "plain"), ("fastest", "dear")]
)
def test_what_is_rented_first(study: Path, rule: str, first: str) -> None:
    """A GB200 does some 2.5 times the research of an H100: at $9 it is the faster, at $2 the other the cheaper."""
    text = ", ".join(
        f"{{offer: {o}, budget_per_year: $1B, workloads: [research, inference], after: 2d}}"
        for o in ("dear", "plain")
    )
    built, _, figures = run_of(study, *SMALL, f"overflow=[{text}]", f"strategies.s.dispatch={rule}")
    paid = {account.rule.offer: account.usd.sum() for account in built.rentals}
    assert paid[first] > 0 and sum(paid.values()) == pytest.approx(paid[first])
    assert figures.ledger.nominal(first, "on_demand") == pytest.approx(paid[first])


def test_work_is_rented_for_only_where_its_data_is(study: Path) -> None:
    text = "overflow=[{offer: plain, budget_per_year: $1B, workloads: [research, inference], after: 2d}]"
    data = (
        "demand.research.data={size: 1 PB, at: us-east}",
        "demand.inference.chat.data={size: 1 TB, at: us-east}",
    )
    assert run_of(study, *SMALL, text, *data)[0].rentals[0].usd.sum() > 0
    afar = rental("plain", "h100_hgx", "$2/h", "eu")
    built, _, figures = run_of(study, *SMALL, afar, text, *data)
    assert built.rentals[0].usd.sum() == 0 and egress(figures) == {}
