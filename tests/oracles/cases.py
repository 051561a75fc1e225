"""Random small cases for hypothesis, feature by feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from capsim.kernel.governance import ClassLimit, Tenant
from capsim.kernel.layout import Failures, Layout
from capsim.kernel.reserving import Reservation
from capsim.tables import CANCELLED, DONE, FAILED_JOB
from tests.oracles.case import Case, Command, Failure, Job, JobClass, Service

HORIZON = 2_000
FEATURES = (
    "topology",
    "sites",
    "segments",
    "spanning",
    "locality",
    "elastic",
    "pools",
    "limits",
    "order",
    "placement",
    "capacity",
    "drain",
    "outage",
    "failures",
    "checkpoints",
    "preemption",
    "services",
    "changes",
    "interval",
    "fairness",
    "tenants",
    "dependencies",
    "reservations",
    "flavors",
)
"""What a case may contain; without any, it is one domain of interchangeable chips."""


@st.composite
def cases(draw: st.DrawFn, features: frozenset[str] = frozenset(), backfill: str | None = None) -> Case:
    """A case with the given features (see FEATURES)."""
    layout = draw(layouts(features))
    classes = tuple(draw(st.lists(job_classes(features, len(layout.pools)), min_size=1, max_size=3)))
    largest = max(pool_chips(layout, pool) for pool in range(len(layout.pools)))
    drawn = draw(st.lists(jobs_of(features, largest, len(classes)), min_size=2, max_size=12))
    jobs = sorted(drawn, key=lambda job: job.submit)
    tenants = draw(limits_of(largest)) if "tenants" in features else ()
    flavors: tuple[tuple[int, ...], ...] = ()
    if tenants and "flavors" in features:
        flavors = draw(flavors_of(len(layout.pools)))
        tenants = draw(by_flavor(tenants, len(flavors), largest))
    jobs = [within_limits(job, tenants, len(flavors)) for job in jobs]
    class_limits = draw(limits_of_classes(jobs, len(classes))) if "tenants" in features else {}
    limits: tuple[int, ...] = ()
    if "dependencies" in features:
        limits = tuple(draw(st.lists(st.integers(1, 2), max_size=2)))
        jobs = [draw(bound_jobs(job, j, len(limits))) for j, job in enumerate(jobs)]
    services = tuple(draw(services_of(features, layout)))
    reservations: tuple[Reservation, ...] = ()
    if "reservations" in features:
        reservations = draw(windows_of(layout, len(classes)))
    order = "fcfs"
    if "order" in features:
        order = draw(st.sampled_from(["fcfs", "sjf", "priority"]))
    if "preemption" in features:
        order = "priority"
    options: dict[str, Any] = {}
    by_class = draw(st.booleans()) if features & {"order", "fairness"} else False
    if "fairness" in features:
        order, options = draw(orders())
        by_class |= "preemption" in features and order != "las"
    placements = (
        ["best-fit", "first-fit", "spread", "pack-tenant"] if "placement" in features else ["best-fit"]
    )
    return Case(
        layout=layout,
        classes=classes,
        jobs=tuple(jobs),
        array_limits=limits,
        horizon=HORIZON,
        services=services,
        commands=tuple(draw(commands_of(features, layout, classes, services, len(jobs)))),
        failures=tuple(draw(failures_of(features, layout))),
        order=order,
        backfill=backfill or draw(st.sampled_from(["none", "easy", "easy", "easy"])),
        preemption="preemption" in features,
        placement=draw(st.sampled_from(placements)) if "placement" in features else "best-fit",
        overrun=draw(st.sampled_from(["end", "run on"])) if "limits" in features else "end",
        interval=draw(st.sampled_from([0, 1, 4, 7])) if "interval" in features else 0,
        order_options=options,
        by_class=by_class,
        tenants=tenants,
        class_limits=class_limits,
        flavors=flavors,
        reclaim=draw(st.booleans()) if "tenants" in features else True,
        reservations=reservations,
        shares=draw(st.sampled_from([(), (1.0, 2.0, 1.0)])) if "fairness" in features else (),
    )


def within_limits(job: Job, tenants: tuple[Tenant, ...], flavors: int) -> Job:
    """The job, no larger than its tenant may ever have; of another tenant if it may have none."""
    if job.tenant >= len(tenants) or tenants[job.tenant].quota is None:
        return job
    limits = tenants[job.tenant]
    most = 0
    for flavor in range(flavors) if isinstance(limits.quota, Mapping) else [0]:
        quota, borrow = limits.limits(flavor)
        if limits.cohort is not None:
            together = [other for other in tenants if other.cohort == limits.cohort]
            total = sum(other.limits(flavor)[0] for other in together)
            most = max(most, total if borrow is None else min(total, quota + borrow))
        else:
            most = max(most, quota)
    if most == 0:
        return replace(job, tenant=len(tenants))
    low, high = min(job.size_min, most), min(job.size_max, most)
    return replace(job, size_min=low, size_max=high, size_ref=min(max(job.size_ref, low), high))


@st.composite
def flavors_of(draw: st.DrawFn, pools: int) -> tuple[tuple[int, ...], ...]:
    """The pools, each a flavor of its own or some together."""
    of = [draw(st.integers(0, pools - 1)) for _ in range(pools)]
    groups = {flavor: tuple(p for p in range(pools) if of[p] == flavor) for flavor in of}
    return tuple(groups.values())


@st.composite
def by_flavor(draw: st.DrawFn, tenants: tuple[Tenant, ...], flavors: int, largest: int) -> tuple[Tenant, ...]:
    """The tenants, those of some cohorts and some others with quotas by flavor."""
    split = {cohort: draw(st.sampled_from([True, True, False])) for cohort in (None, 0, 1)}
    some = []
    for tenant in tenants:
        if tenant.quota is not None and split[tenant.cohort]:
            listed = [f for f in range(flavors) if draw(st.sampled_from([True, True, True, False]))]
            quota = {f: draw(st.sampled_from([0, 4, 8, largest])) for f in listed}
            borrow: int | Mapping[int, int] | None = tenant.borrow
            if borrow is not None and draw(st.booleans()):
                borrow = {f: draw(st.sampled_from([0, 4])) for f in listed[:1]}
            tenant = replace(tenant, quota=quota, borrow=borrow)
        some.append(tenant)
    return tuple(some)


@st.composite
def limits_of_classes(
    draw: st.DrawFn, jobs: list[Job], classes: int
) -> dict[int | tuple[int, ...], ClassLimit]:
    """Limits of some classes, or of two together, that each of their jobs keeps alone."""
    found: dict[int | tuple[int, ...], ClassLimit] = {}
    groups = [(k,) for k in range(classes)]
    if classes > 1 and draw(st.booleans()):
        groups = draw(st.sampled_from([[(0, classes - 1)], [(classes - 1, 0)]]))
    for k in groups:
        largest = max((job.size_max for job in jobs if job.cls in k), default=1)
        most = draw(st.sampled_from([None, None, largest, largest + 4]))
        number = draw(st.sampled_from([None, None, 1, 2]))
        if most is not None or number is not None:
            found[k if len(k) > 1 else k[0]] = ClassLimit(number, most)
    return found


@st.composite
def bound_jobs(draw: st.DrawFn, job: Job, index: int, arrays: int) -> Job:
    """The job waiting for up to two earlier ones, in an array, with a deadline, failing by itself."""
    earlier = st.tuples(st.integers(0, max(0, index - 1)), st.sampled_from(["afterok", "afterany"]))
    return replace(
        job,
        after=tuple(draw(st.lists(earlier, max_size=2 if index else 0))),
        array=draw(st.integers(-1, arrays - 1)),
        deadline=draw(st.sampled_from([-1, -1, 10, 30, 100])),
        fate=draw(st.sampled_from([DONE, DONE, FAILED_JOB, CANCELLED])),
        retries=draw(st.sampled_from([0, 0, 0, 1, 2])),
    )


@st.composite
def limits_of(draw: st.DrawFn, largest: int) -> tuple[Tenant, ...]:
    """Quotas, cohorts and numbers of jobs of up to three tenants."""
    tenants = []
    for _ in range(draw(st.integers(1, 3))):
        quota = draw(st.sampled_from([None, 4, 8, largest, largest]))
        cohort = draw(st.sampled_from([None, 0, 0, 1])) if quota is not None else None
        borrow = draw(st.sampled_from([None, None, 0, 4])) if cohort is not None else None
        tenants.append(Tenant(1.0, quota, cohort, borrow, draw(st.sampled_from([None, None, 1, 2]))))
    return tuple(tenants)


@st.composite
def windows_of(draw: st.DrawFn, layout: Layout, classes: int) -> tuple[Reservation, ...]:
    """Up to three advance reservations; those that would ask a site for more than it has are left out."""
    some: list[Reservation] = []
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, 40))
        end = start + draw(st.integers(1, 30))
        one = Reservation(
            site=draw(st.integers(0, len(layout.sites) - 1)),
            start=start,
            end=end,
            domains=draw(st.integers(1, 2)),
            tenants=draw(st.sampled_from([None, None, (0,), (0, 2)])),
            classes=draw(st.sampled_from([None, None, (0,), tuple(range(classes))])),
            announced=draw(st.sampled_from([0, 0, 3, 10])),
            flex=draw(st.booleans()),
            evict=draw(st.sampled_from([False, False, True])),
        )
        there = sum(tranche.domains for tranche in layout.tranches if tranche.site == one.site)
        others = [r for r in some if r.site == one.site and r.start < end and start < r.end]
        asked = (one.domains or 0) + sum(r.domains or 0 for r in others)
        if asked <= there and one.announced <= start:
            some.append(one)
    return tuple(some)


@st.composite
def orders(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An order whose keys change with time (or by deadline), with its options."""
    order = draw(st.sampled_from(["fair-share", "drf", "las", "themis", "edf"]))
    if order == "edf":
        return order, {"slack": draw(st.sampled_from([0.5, 1.0, 3.0]))}
    options: dict[str, Any] = {"recalculate": draw(st.sampled_from([0, 1, 7, 500]))}
    if order == "fair-share":
        options["half_life"] = draw(st.sampled_from([0, 5, 50]))
    if order == "las":
        options["thresholds"] = draw(st.sampled_from([(), (20,), (10, 100), None]))
        options["exempt"] = draw(st.sampled_from([0, 0, 3, 20]))
        options["promote"] = draw(st.sampled_from([0.0, 0.5, 2.0]))
    return order, options


@st.composite
def layouts(draw: st.DrawFn, features: frozenset[str]) -> Layout:
    """Pools, sites and tranches of a few domains."""
    layout = Layout()
    plain = not features & {"topology", "sites", "segments", "spanning", "placement", "locality"}
    for _ in range(draw(st.integers(1, 3 if "flavors" in features else 2)) if "pools" in features else 1):
        size = draw(st.sampled_from([4, 8]))
        segment = size - draw(st.integers(1, 2)) if "segments" in features else 0
        node = draw(st.sampled_from([1, 2, size]))
        pool = layout.pool(size, node, segment)
        for _ in range(draw(st.integers(1, 3)) if features & {"sites", "spanning"} else 1):
            site = layout.site(pool, draw(st.integers(0, 1)))
            for _ in range(1 if plain else draw(st.integers(1, 2))):
                layout.tranche(
                    site,
                    1 if plain else draw(st.integers(1, 4)),
                    0 if plain else draw(st.integers(0, 3)),
                    draw(st.sampled_from([1.0, 2.0])) if "locality" in features else 1.0,
                    Failures(),
                )
    return layout


def pool_chips(layout: Layout, pool: int) -> int:
    """Chips of a pool when everything has arrived."""
    return sum(
        layout.domain_chips(t) * tranche.domains
        for t, tranche in enumerate(layout.tranches)
        if layout.sites[tranche.site].pool == pool
    )


@st.composite
def job_classes(draw: st.DrawFn, features: frozenset[str], pools: int) -> JobClass:
    """One class of jobs."""
    speeds = [1.0, 0.5, 2.0, 0.0, 1.3] if "pools" in features else [1.0]
    speed = [draw(st.sampled_from(speeds)) for _ in range(pools)]
    if not any(speed):
        speed[0] = 1.0
    stops = bool(features & {"failures", "outage", "drain", "preemption", "checkpoints"})
    interval = draw(st.sampled_from([0, 3, 10])) if "checkpoints" in features else 0
    options: dict[str, Any] = {}
    if "pools" in features:
        options["assignment"] = draw(st.sampled_from(["fixed order", "earliest start", "cheapest"]))
        options["preference"] = tuple(draw(st.permutations(range(pools))))
        options["cost"] = tuple(draw(st.sampled_from([1.0, 2.0, 3.0])) for _ in range(pools))
    return JobClass(
        speed=tuple(speed),
        kind=draw(st.integers(0, 2)),
        priority=draw(st.integers(0, 2)),
        interval=interval,
        stall=draw(st.integers(0, 3)) if interval else 0,
        restart=draw(st.sampled_from([0, 2, 5])) if stops else 0,
        locality=draw(st.sampled_from([1.0, 0.9, 0.5])) if "locality" in features else 1.0,
        max_sites=draw(st.integers(1, 3)) if "spanning" in features else 1,
        preemptible=draw(st.booleans()),
        grace=draw(st.sampled_from([0, 0, 2, 6])) if "preemption" in features else 0,
        **options,
    )


@st.composite
def jobs_of(draw: st.DrawFn, features: frozenset[str], largest: int, classes: int) -> Job:
    """One job, that may be too large for any pool."""
    run = draw(st.integers(1, 30))
    requested = run + draw(st.sampled_from([0, 0, 1, 5, 20]))
    if "limits" in features:
        requested = max(1, run + draw(st.integers(-10, 20)))
    size = draw(st.integers(1, largest + (1 if "limits" in features else 0)))
    if draw(st.booleans()):
        size = min(size, draw(st.integers(1, 8)))
    larger = min(largest, size + draw(st.integers(0, 6))) if "elastic" in features else size
    return Job(
        submit=draw(st.sampled_from([0, 0, 1, 2, 3, 5, 8, 13, 20, 30])),
        run=run,
        requested=requested,
        size_min=size,
        size_max=max(size, larger),
        size_ref=size if larger == size else draw(st.integers(size, max(size, larger))),
        cls=draw(st.integers(0, classes - 1)),
        tenant=draw(st.integers(0, 2)),
    )


@st.composite
def services_of(draw: st.DrawFn, features: frozenset[str], layout: Layout) -> list[Service]:
    """No service, or up to two."""
    if "services" not in features:
        return []
    return [
        Service(
            chips={pool: draw(st.sampled_from([1, 2, 3, 8, 10])) for pool in range(len(layout.pools))},
            kind=draw(st.integers(3, 4)),
            priority=draw(st.integers(0, 2)),
            preempts=draw(st.booleans()) if "preemption" in features else False,
        )
        for _ in range(draw(st.integers(1, 2)))
    ]


@st.composite
def failures_of(draw: st.DrawFn, features: frozenset[str], layout: Layout) -> list[Failure]:
    """Failures of nodes and domains at instants that may coincide with others."""
    if "failures" not in features:
        return []
    domains = sum(tranche.domains for tranche in layout.tranches)
    one = st.builds(
        Failure,
        time=st.integers(1, 60),
        domain=st.integers(0, domains - 1),
        chip=st.integers(0, min(pool.domain_chips for pool in layout.pools) - 1),
        whole=st.sampled_from([False, False, True]),
        repair=st.integers(1, 40),
    )
    return sorted(draw(st.lists(one, max_size=8)), key=lambda failure: failure.time)


@st.composite
def commands_of(
    draw: st.DrawFn,
    features: frozenset[str],
    layout: Layout,
    classes: tuple[JobClass, ...],
    services: tuple[Service, ...],
    jobs: int,
) -> list[Command]:
    """Everything arrives at 0, or in parts; then what the features ask for."""
    commands: list[Command] = []
    for tranche, spec in enumerate(layout.tranches):
        commands += draw(arrivals_of(features, tranche, spec.domains))
    later = st.integers(1, 60)
    for site in range(len(layout.sites)):
        if "drain" in features and draw(st.booleans()):
            at = draw(later)
            grace = draw(st.sampled_from([None, 3, 8]))
            commands.append(Command(at, "drain", (site,), {"grace": grace}))
            commands.append(Command(at + 10 + draw(st.integers(0, 20)), "undrain", (site,)))
        if "outage" in features and draw(st.booleans()):
            at = draw(later)
            commands.append(Command(at, "site_down", (site,)))
            commands.append(Command(at + draw(st.integers(1, 30)), "site_up", (site,)))
    for service, spec_of in enumerate(services):
        for pool in spec_of.chips:
            for _ in range(draw(st.integers(1, 4))):
                at = draw(st.integers(0, 60))
                commands.append(Command(at, "resize", (service, pool, draw(st.integers(0, 6)))))
    if "changes" in features:
        commands += draw(st.lists(changes_of(classes, jobs), max_size=4))
    return sorted(commands, key=lambda command: command.time)


@st.composite
def changes_of(draw: st.DrawFn, classes: tuple[JobClass, ...], jobs: int) -> Command:
    """A job is cancelled, or a class becomes faster, slower, dearer or unable to run in a pool."""
    at = draw(st.integers(0, 60))
    cls = draw(st.integers(0, len(classes) - 1))
    pool = draw(st.sampled_from(classes[cls].pools()))
    kind = draw(st.sampled_from(["cancel", "set_speed", "set_cost"]))
    if kind == "cancel":
        return Command(at, kind, (draw(st.integers(0, jobs - 1)),))
    value = draw(st.sampled_from([0.0, 0.5, 1.0, 2.0] if kind == "set_speed" else [1.0, 2.0, 3.0]))
    return Command(at, kind, (cls, pool, value))


@st.composite
def arrivals_of(draw: st.DrawFn, features: frozenset[str], tranche: int, domains: int) -> list[Command]:
    """How one tranche arrives and, with ``capacity``, leaves."""
    if "capacity" not in features:
        return [Command(0, "activate", (tranche, None))]
    first = draw(st.integers(0, domains))
    later = draw(st.integers(1, 30))
    commands = [Command(0, "activate", (tranche, first)), Command(later, "activate", (tranche, None))]
    leaves = draw(st.sampled_from(["stays", "retire", "reclaim"] if domains > 1 else ["stays", "retire"]))
    if leaves == "reclaim":
        at, grace = later + draw(st.integers(0, 20)), draw(st.sampled_from([1, 3, 8]))
        away = draw(st.integers(1, domains - 1))
        commands.append(Command(at, "reclaim", (tranche, away), {"grace": grace}))
        if draw(st.booleans()):
            commands.append(Command(at + grace + draw(st.integers(0, 30)), "restore", (tranche, away)))
    if leaves == "retire":
        at = later + draw(st.integers(1, 30))
        options: dict[str, Any] = draw(st.sampled_from([{}, {"kill": True}, {"at": at + 7}]))
        commands.append(Command(at, "retire", (tranche, draw(st.integers(0, domains))), options))
    return commands
