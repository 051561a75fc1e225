"""From a prepared strategy and a world to a cluster of the kernel and the processes that control it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import simpy
from numpy.typing import NDArray

from capsim.compile.calendar import MS_DAY
from capsim.compile.checkpoints import checkpoint_times
from capsim.compile.constraints import RESEARCH_WORK, Work, forbidden_places, tenant_places
from capsim.compile.dispatch import places_without_data
from capsim.compile.lots import SUBSTITUTES, Lot
from capsim.compile.portfolio import placement_unit
from capsim.compile.prepare import INFERENCE, RESEARCH, RL, TRAINING, Prepared, lot_domains, remote_places
from capsim.compile.regions import base_name
from capsim.compile.tenants import TenantTable, tenant_table
from capsim.control.autoscale import NODE, Autoscaler
from capsim.control.context import Context, LotState, ShellState
from capsim.control.contracts import start_contracts
from capsim.control.data_copies import lack_data, start_copies
from capsim.control.decisions import start_decisions
from capsim.control.deliveries import Deliveries
from capsim.control.dispatch import Dispatch, start_dispatch
from capsim.control.evaluation import Evaluations, most_bursts
from capsim.control.exclusivity import admit, forbid, start_exclusivity
from capsim.control.markets import start_markets
from capsim.control.on_demand import Account, open_accounts
from capsim.control.outages import start_outages
from capsim.control.overflow import start_overflow
from capsim.control.research import ResearchQueue
from capsim.control.training import PARTS, TrainingRuns
from capsim.control.world import DemandWorld, Draws
from capsim.engine.queueing import chips_allowed, cluster_terms, run_quotas
from capsim.kernel.api import Cluster
from capsim.kernel.layout import Classes, Failures, Layout, Services, make_jobs
from capsim.randomness import seed64
from capsim.spec.demand import Evaluation, Research
from capsim.spec.hardware import Reliability
from capsim.spec.scheduler import Scheduler

ROOM = 4096  # jobs of named runs that are submitted while a run lasts, with a wide margin
DEFAULT_REPAIR = 12 * 3_600_000  # ms; assumed where neither offer nor system says


@dataclass
class Run:
    """One run, built and ready to start.

    Attributes:
        tokens: tokens/s of a replica within its objectives, by service and place; the last row is
            research below a node.
        ceiling: the same when saturated.
        chips: chips of a replica, same shape.
        campaigns: number of research campaigns; they are jobs 0 .. campaigns - 1.
        rentals: what the rules of `overflow` rent by the hour.
    """

    ctx: Context
    deliveries: Deliveries
    autoscaler: Autoscaler
    training: TrainingRuns
    research: ResearchQueue
    evaluations: Evaluations
    tokens: NDArray[np.float64]
    ceiling: NDArray[np.float64]
    chips: NDArray[np.int64]
    campaigns: int
    rentals: list[Account] = field(default_factory=list)


def build(prepared: Prepared, draws: Draws, demand: DemandWorld, run: int) -> Run:
    """Lay out the cluster, submit the campaigns, and start the control processes."""
    layout, tranche = _layout(prepared, run)
    classes = Classes(len(prepared.places))
    tokens, ceiling, chips = _service_rates(prepared, draws)
    services = _services(prepared, chips)
    speed, allowed = _research_speeds(prepared, draws)
    prices: dict[str, float] = {}
    dispatch = Dispatch(prepared, prices)
    preference = dispatch.research_order(speed)
    research, of_tenant = _research_classes(prepared, classes, allowed, preference, demand)
    run_classes = _run_classes(prepared, classes)
    spec = prepared.study.scheduler
    tenants = tenant_table(prepared.study) if spec.governed else None
    jobs = _jobs(demand, of_tenant, tenants, spec, {prepared.places[p].system for p in allowed})
    stream = prepared.study.demand.research
    evaluation = stream.evaluation if stream is not None else None
    evaluation_class = _evaluation_class(evaluation, classes, allowed)
    of_work = {
        "campaigns": [cls for cls, _ in research],
        "bursts": [evaluation_class] if evaluation_class >= 0 else [],
        "runs": list(run_classes.values()),
    }
    if evaluation_class >= 0:
        research = (*research, (evaluation_class, frozenset()))
    more = most_bursts(evaluation, len(prepared.study.demand.training_runs), prepared.calendar.end_ms)
    terms = cluster_terms(prepared, tenants, demand, of_work)
    cluster = Cluster(layout, jobs, classes, services, max_extra_jobs=ROOM + more, **terms)
    ctx = Context(
        env=simpy.Environment(),
        cluster=cluster,
        prepared=prepared,
        draws=draws,
        demand=demand,
        end=prepared.calendar.end_ms,
        tranche=tranche,
        lots={lot.key: LotState(planned=lot.planned) for lot in prepared.portfolio.lots},
        shells={shell.key: ShellState() for shell in prepared.portfolio.shells},
        research_classes=research,
        research_speed=allowed,
        prices=prices,
        tenants=tenants.of_run if tenants is not None else {},
    )
    lack_data(ctx)
    unbound = tokens.copy()
    forbid(ctx, tokens)
    training = TrainingRuns(ctx, run_classes, dispatch, run_quotas(prepared, tenants))
    autoscaler = Autoscaler(ctx, tokens, chips, dispatch)
    built = _start(Run(
        ctx, Deliveries(ctx), autoscaler, training, ResearchQueue(ctx, len(jobs)),
        Evaluations(ctx, training, evaluation_class), tokens, ceiling, chips, len(jobs),
    ))  # fmt: skip
    start_exclusivity(ctx, built.autoscaler, unbound, speed)
    _start_dispatch(built, dispatch, unbound, speed)
    return built


def _start_dispatch(
    built: Run, dispatch: Dispatch, tokens: NDArray[np.float64], speed: dict[int, float]
) -> None:
    """Start copying data to where work lacks it, and following prices that the order of places goes by.

    Args:
        tokens: tokens/s of a replica where nothing is forbidden, shape (services + 1, places).
        speed: speed of research by place where nothing is forbidden.
    """
    ctx, autoscaler = built.ctx, built.autoscaler
    if ctx.without_data:
        worth = partial(_worth, ctx.prepared, tokens, built.chips, speed)
        start_copies(ctx, worth, partial(admit, ctx, autoscaler, tokens, speed))

    def reorder() -> None:
        autoscaler.reorder()
        for cls, _ in ctx.research_classes:
            ctx.cluster.set_order(cls, dispatch.research_order(speed))

    start_dispatch(ctx, reorder)


def _worth(
    prepared: Prepared,
    tokens: NDArray[np.float64],
    chips: NDArray[np.int64],
    speed: dict[int, float],
    work: Work,
    place: int,
) -> float:
    """USD of what a chip-hour does for research or a service at a place, at the price of lost work."""
    demand = prepared.study.demand
    if demand.research is not None and work == RESEARCH_WORK:
        return speed.get(place, 0.0) * float(demand.research.value_lost)
    found = [
        float(tokens[s, place] / chips[s, place] * 3600.0 / 1e6 * service.value_lost)
        for s, service in enumerate(demand.inference)
        if base_name(service.name) == work[1] and chips[s, place] > 0
    ]
    return max(found, default=0.0)


def _start(built: Run) -> Run:
    """Start every control process; those that bring capacity first."""
    ctx = built.ctx
    start_markets(ctx)
    start_contracts(ctx, built.deliveries)
    start_outages(ctx)
    built.autoscaler.start()
    built.training.start()
    built.research.start()
    built.evaluations.start()
    ctx.gauges = {"backlog": built.research.backlog, "utilisation": built.autoscaler.utilisation}
    start_decisions(ctx, built.deliveries)
    built.rentals += open_accounts(ctx)
    start_overflow(ctx, built.research, built.rentals, built.autoscaler.dispatch)
    return built


def _layout(prepared: Prepared, run: int) -> tuple[Layout, dict[str, int]]:
    """One pool and one site a place, one tranche a lot."""
    study = prepared.study
    layout, tranche = Layout(), {}
    for index, place in enumerate(prepared.places):
        system = study.systems[place.system]
        unit = placement_unit(system)
        block = max(int(system.block_domains) * int(system.domain) // unit, 1)
        pool = layout.pool(unit, int(system.node), int(system.segment or 0))
        site = layout.site(pool, index)
        for i in place.lots:
            lot = prepared.portfolio.lots[i]
            tranche[lot.key] = layout.tranche(
                site,
                lot_domains(study, lot),
                block,
                float(system.oversubscription or 1.0),
                _failures(prepared, lot, run),
            )
    return layout, tranche


def reliability(prepared: Prepared, lot: Lot, field: str, default: float) -> float:
    """A reliability figure of a lot: the offer's, else the system's, else the default."""
    sources: tuple[Reliability, ...] = (
        prepared.study.offers[lot.offer].reliability,
        prepared.study.systems[lot.system].reliability,
    )
    for source in sources:
        value = getattr(source, field)
        if value is not None:
            return float(value)
    return default


def _failures(prepared: Prepared, lot: Lot, run: int) -> Failures:
    study = prepared.study
    system = study.systems[lot.system]
    coarse = placement_unit(system) > int(system.domain)
    return Failures(
        rate=reliability(prepared, lot, "failures_per_1000_chip_days", 0.0) / 1000.0 / MS_DAY,
        domain_share=0.0 if coarse else reliability(prepared, lot, "domain_share", 0.0),
        lemon_share=reliability(prepared, lot, "lemon_share", 0.0),
        lemon_factor=reliability(prepared, lot, "lemon_factor", 1.0),
        repair_median=reliability(prepared, lot, "repair_median", DEFAULT_REPAIR),
        repair_sigma=reliability(prepared, lot, "repair_sigma", 1.0),
        seed=seed64(int(study.uncertainty.seed), run, "failures", lot.offer, lot.index, lot.system),
        virtual_domains=_virtual_domains(prepared, lot),
    )


def _virtual_domains(prepared: Prepared, lot: Lot) -> int:
    """Domains over which the lot's failure stream is drawn: those of the greatest holding of its offer.

    So a tranche held in two sizes fails alike where both have it. Beyond three times the holding the stream
    would mostly be thrown away; then, and for orders under a framework, the lot's own domains are used.
    """
    domains = lot_domains(prepared.study, lot)
    offer = prepared.study.offers[lot.offer]
    if not offer.tranches or offer.quantity is None or lot.index >= SUBSTITUTES:
        return domains
    held = sum(
        other.chips
        for other in prepared.portfolio.lots
        if other.offer == lot.offer and other.index < SUBSTITUTES
    )
    ratio = int(offer.quantity.max) / held
    return math.ceil(domains * ratio) if 1.0 <= ratio <= 3.0 else domains


def _research_speed(prepared: Prepared, draws: Draws, system: str) -> float:
    rate = prepared.rates.research.get(system)
    if rate is None:
        return 0.0
    return rate.flops / prepared.rates.reference * draws.rate_error(system, "training", rate.log_error)


def _research_speeds(prepared: Prepared, draws: Draws) -> tuple[dict[int, float], dict[int, float]]:
    """Speed of research by place; and where it may run at the start, by contract and for its data."""
    speed = {
        p: s
        for p, place in enumerate(prepared.places)
        if (s := _research_speed(prepared, draws, place.system)) > 0
    }
    forbidden = forbidden_places(prepared, draws.converts, prepared.calendar.start)
    barred = forbidden.get(RESEARCH_WORK, frozenset()) | places_without_data(prepared, RESEARCH_WORK)
    return speed, {p: s for p, s in speed.items() if p not in barred}


def _research_classes(
    prepared: Prepared,
    classes: Classes,
    speed: dict[int, float],
    preference: list[int],
    demand: DemandWorld,
) -> tuple[tuple[tuple[int, frozenset[int]], ...], NDArray[np.int64]]:
    """A class for tenants that may use the same places, and the class of each tenant, shape (tenants,)."""
    if demand.campaigns is None:
        return (), np.zeros(0, dtype=np.int64)
    tenants = int(demand.campaigns["tenant"].max(initial=0)) + 1
    found: dict[frozenset[int], int] = {}
    of_tenant = np.zeros(tenants, dtype=np.int64)
    for tenant in range(tenants):
        barred = tenant_places(prepared, tenant + 1)
        if barred not in found:
            open_to = {p: s for p, s in speed.items() if p not in barred}
            found[barred] = _research_class(prepared, classes, open_to, preference)
        of_tenant[tenant] = found[barred]
    return tuple((cls, barred) for barred, cls in found.items()), of_tenant


def _research_class(
    prepared: Prepared, classes: Classes, speed: dict[int, float], preference: list[int]
) -> int:
    """``preference``: places in the order in which they are tried."""
    spec = prepared.study.demand.research
    assert spec is not None
    place_rank = [0] * len(prepared.places)
    for rank, p in enumerate(preference):
        place_rank[p] = rank
    # A campaign may run at any place: the slowest storage among them sets its stall.
    times = [checkpoint_times(prepared.study, spec.checkpoint, spec.model, p.offer) for p in prepared.places]
    stall, restart = max(times, default=(0, 0))
    return classes.add(
        speed=speed,
        kind=RESEARCH,
        priority=int(spec.priority),
        preference=place_rank,
        interval=int(spec.checkpoint.interval or 0),
        stall=stall,
        restart=restart,
        locality=1.0 - float(prepared.study.scheduler.locality_penalty),
        preemptible=True,
    )


def _evaluation_class(spec: Evaluation | None, classes: Classes, speed: dict[int, float]) -> int:
    """The class of evaluation bursts, -1 without any: research that is short and keeps no checkpoints."""
    if spec is None:
        return -1
    return classes.add(speed=speed, kind=RESEARCH, priority=int(spec.priority), preemptible=True)


def _run_classes(prepared: Prepared, classes: Classes) -> dict[tuple[str, int, int], int]:
    found = {}
    for run in prepared.study.demand.training_runs:
        for phase, kind in enumerate((TRAINING, RL)):
            for part in range(min(int(run.sites or 1), PARTS)):
                found[run.name, phase, part] = classes.add(
                    speed=0.0,
                    kind=kind,
                    priority=int(run.priority),
                    interval=int(run.checkpoint.interval or 0),
                    # where the study leaves them to the storage they are set when a site is chosen
                    stall=int(run.checkpoint.stall or 0),
                    restart=int(run.checkpoint.restart or 0),
                    locality=1.0 - float(prepared.study.scheduler.locality_penalty),
                )
    return found


def _service_rates(
    prepared: Prepared, draws: Draws
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    services = prepared.study.demand.inference
    shape = (len(services) + 1, len(prepared.places))
    tokens, ceiling, chips = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int64)
    remote = remote_places(prepared)
    for p, place in enumerate(prepared.places):
        for s, service in enumerate(services):
            away = remote is not None and bool(remote[s, p])
            rates = prepared.rates.spilled if away else prepared.rates.services
            rate = rates.get((service.name, place.system))
            if rate is not None:
                error = draws.rate_error(place.system, "serving", rate.log_error)
                tokens[s, p], ceiling[s, p], chips[s, p] = (
                    rate.tokens * error,
                    rate.ceiling * error,
                    rate.chips,
                )
        speed = _research_speed(prepared, draws, place.system)
        research = prepared.study.demand.research
        if speed > 0 and isinstance(research, Research) and float(research.sub_node) > 0:
            tokens[-1, p] = ceiling[-1, p] = NODE * speed
            chips[-1, p] = NODE
    return tokens, ceiling, chips


def _services(prepared: Prepared, chips: NDArray[np.int64]) -> Services:
    services = Services(len(prepared.places))
    preempt = prepared.study.scheduler.preempt
    for s, service in enumerate(prepared.study.demand.inference):
        held = {p: int(n) for p, n in enumerate(chips[s]) if n > 0}
        services.add(held, kind=INFERENCE, priority=int(service.priority), preempts=preempt)
    held = {p: int(n) for p, n in enumerate(chips[-1]) if n > 0}
    services.add(held, kind=RESEARCH, priority=-1, preempts=False)
    return services


def _jobs(
    demand: DemandWorld,
    of_tenant: NDArray[np.int64],
    tenants: TenantTable | None,
    spec: Scheduler,
    systems: set[str],
) -> NDArray[np.void]:
    c = demand.campaigns
    if c is None:
        empty = np.zeros(0, dtype=np.int64)
        return make_jobs(empty, empty, empty)
    tenant = c["tenant"]
    size = c["chips"] if tenants is None else chips_allowed(c["chips"], tenant, tenants, spec, systems)
    return make_jobs(
        c["submit"], c["run"], size, c["requested"], cls=of_tenant[tenant], tenant=tenant, size_ref=c["chips"]
    )
