"""The kernel against the slow scheduler, on hand-computed and on random small cases, feature by feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from capsim.kernel.api import Cluster
from capsim.kernel.layout import Layout
from tests.kernel.driving import drive
from tests.oracles import named
from tests.oracles.case import Case, Command, Failure, Job, JobClass, Service
from tests.oracles.cases import FEATURES, cases
from tests.oracles.fragments import reasons
from tests.oracles.scheduler import Scheduler
from tests.oracles.world import AT_LIMIT, DONE, Life

COLUMNS = (
    "state",
    "start",
    "pool",
    "chips",
    "blocks",
    "waited",
    "lost",
    "restarts",
    "requeues",
    "preemptions",
)
"""What is compared of every job, besides its end."""

GROUPS = [
    (),
    ("topology",),
    ("topology", "sites", "placement"),
    ("segments", "spanning", "sites"),
    ("topology", "elastic", "locality", "limits"),
    ("topology", "pools", "order"),
    ("pools", "elastic", "locality"),
    ("topology", "capacity", "drain", "outage"),
    ("topology", "failures", "checkpoints"),
    ("segments", "failures"),
    ("topology", "services", "sites"),
    ("topology", "preemption", "checkpoints"),
    ("topology", "services", "failures", "capacity"),
    ("topology", "services", "preemption", "checkpoints"),
    ("segments", "preemption", "failures", "checkpoints"),
    ("segments", "elastic", "failures", "drain"),
    ("topology", "pools", "changes", "elastic"),
    ("topology", "interval", "capacity", "changes"),
    ("fairness",),
    ("topology", "pools", "fairness", "changes"),
    ("topology", "fairness", "preemption", "checkpoints"),
    ("topology", "fairness", "preemption", "failures", "capacity", "changes"),
    ("tenants",),
    ("topology", "tenants", "preemption", "checkpoints", "elastic", "changes"),
    ("topology", "tenants", "fairness", "failures", "capacity", "drain"),
    ("tenants", "pools", "flavors"),
    ("topology", "tenants", "pools", "flavors", "capacity", "changes", "drain", "elastic"),
    ("topology", "tenants", "pools", "flavors", "preemption", "checkpoints", "failures", "outage"),
    ("topology", "tenants", "pools", "flavors", "fairness", "dependencies", "capacity", "changes"),
    ("topology", "tenants", "pools", "flavors", "reservations", "services", "order", "interval"),
    ("dependencies",),
    ("dependencies", "tenants", "fairness", "limits"),
    ("topology", "dependencies", "tenants", "preemption", "checkpoints", "failures", "changes"),
    ("reservations",),
    ("topology", "reservations", "placement"),
    ("topology", "sites", "spanning", "reservations", "segments"),
    ("topology", "pools", "reservations", "elastic", "locality", "order"),
    ("topology", "reservations", "preemption", "checkpoints", "tenants", "limits"),
    ("topology", "reservations", "failures", "capacity", "drain", "interval"),
    ("topology", "reservations", "fairness", "dependencies", "outage"),
    ("topology", "reservations", "changes", "elastic", "pools"),
    ("reservations", "services"),
    ("topology", "reservations", "services", "sites", "pools"),
    ("topology", "reservations", "services", "preemption", "checkpoints"),
    ("topology", "reservations", "services", "failures", "capacity", "drain", "interval"),
    FEATURES,
    tuple(name for name in FEATURES if name != "reservations"),
]
"""Features that are tried together."""


def life_of(life: Life) -> dict[str, int]:
    """A job's life by the slow scheduler, as the kernel reports it."""
    found = {name: int(getattr(life, name)) for name in COLUMNS}
    found["end"] = life.end if life.state in (DONE, AT_LIMIT) else -1
    return found


def run_of(row: Any) -> dict[str, int]:
    """A job's life by the kernel."""
    found = {name: int(row[name]) for name in COLUMNS}
    found["end"] = int(row["end"]) if found["state"] in (DONE, AT_LIMIT) else -1
    return found


def agree(case: Case, cluster: Cluster) -> None:
    """Every job's life, and every site's chip-time by state, are the slow scheduler's."""
    scheduler = Scheduler(case)
    lives = scheduler.run()
    for j, life in enumerate(lives):
        assert run_of(cluster.runs[j]) == life_of(life), f"job {j}"
    times = cluster.chip_time()
    for site, totals in enumerate(scheduler.integrals):
        for name in ("active", "out", "barred", "broken", "free", "spare"):
            assert int(times[name][site]) == totals.get(name, 0), f"site {site}: {name}"
        kinds = [totals.get(f"kind{kind}", 0) for kind in range(8)]
        assert np.asarray(times["allocated"][site]).tolist() == kinds, f"site {site}: allocated"
    for name in ("useful", "retried", "redone", "overhead")[len(case.services) > 0 :]:
        for (pool, kind), chip_ms in np.ndenumerate(cluster.pool_time()[name]):
            assert chip_ms == scheduler.world.work[pool, kind, name], f"pool {pool}: {name} of kind {kind}"
    counters = cluster.counters()
    for name in ("interruptions", "replicas_lost", "repairs", "failures", "backfilled"):
        assert counters[name] == scheduler.world.counts[name], name
    assert cluster.check() == []
    failed = [scheduler.world.gates.failed_ms.get(j, 0) for j in range(len(lives))]
    assert cluster.failed_time().tolist() == failed
    for t, tenant in enumerate(case.tenants):
        if isinstance(tenant.quota, Mapping):
            assert cluster.quota_use()["chip_ms"][t].tolist() == used_by_flavor(scheduler, t)
    for found, window in zip(cluster.reservations(), scheduler.world.windows, strict=True):
        assert set(found.domains) == window.domains
        assert (found.reserved, found.used, found.idle) == (window.reserved, window.used, window.idle)


def used_by_flavor(scheduler: Scheduler, tenant: int) -> list[int]:
    """Chip-ms that a tenant's jobs had in the pools of each flavor."""
    world, end = scheduler.world, scheduler.world.case.horizon
    spans = [span for span in world.standing.spans if world.jobs[span.job].tenant == tenant]
    return [
        sum(
            span.chips * ((end if span.end is None else span.end) - span.begin)
            for span in spans
            if span.pool in pools
        )
        for pools in world.case.flavors
    ]


@pytest.mark.parametrize("case", named.TOPOLOGY, ids=lambda case: case.name)
def test_schedule_with_racks_computed_by_hand(case: named.TopologyCase) -> None:
    cluster = drive(case.case())
    assert tuple(cluster.runs["start"][: len(case.starts)].tolist()) == case.starts


@pytest.mark.parametrize("features", GROUPS, ids=lambda features: "+".join(features)[:60] or "one domain")
def test_random_cases_agree(features: tuple[str, ...]) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases(frozenset(features)))
    def run(case: Case) -> None:
        agree(case, drive(case))

    run()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases(frozenset(set(FEATURES) - {"interval", "changes", "reservations"})), at=st.integers(1, 45))
def test_free_chips_have_the_reasons_of_the_page(case: Case, at: int) -> None:
    """Between two instants, after a pass: ``at`` is moved until nothing happens there."""
    scheduler = Scheduler(replace(case, horizon=at))
    scheduler.run()
    assume((scheduler.next_instant() or 0) > at)
    found = drive(replace(case, horizon=at)).fragmentation()
    for pool, row in enumerate(found):
        assert row in reasons(scheduler.world, pool, scheduler.held)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), stops=st.lists(st.integers(0, 100), max_size=6))
def test_splitting_time_changes_nothing(data: st.DataObject, stops: list[int]) -> None:
    case = data.draw(cases(frozenset(FEATURES)))
    whole, split = drive(case), drive(case, tuple(stops))
    for name in COLUMNS:
        assert np.array_equal(whole.runs[name], split.runs[name]), name
    assert np.array_equal(whole.chip_time(), split.chip_time())
    assert whole.counters() == split.counters()


def test_a_repair_is_not_of_a_domain_that_left_and_came_back() -> None:
    """The chip that broke at 5 leaves at 10, in repair until 105; another breaks at 30, for 200 ms."""
    layout = Layout()
    layout.tranche(layout.site(layout.pool(4, 1)), 2)
    case = Case(
        layout=layout,
        classes=(JobClass(),),
        jobs=(Job(40, 5, 5, 8, 8, 8),),
        horizon=2_000,
        commands=(
            Command(0, "activate", (0, None)),
            Command(9, "reclaim", (0, 1), {"grace": 1}),
            Command(20, "restore", (0, 1)),
        ),
        failures=(Failure(5, 1, 0, False, 100), Failure(30, 1, 0, False, 200)),
    )
    cluster = drive(case)
    agree(case, cluster)
    assert cluster.runs["start"][0] == 230


def test_an_estimate_renewed_under_notice_is_not_after_the_stop() -> None:
    """A's domain is told at 3 to leave by 11. At 4 A replaces a chip by one of the other domain and would end at 13.

    Its old estimate, 8, is renewed then: to 11. So D (5 ms) does not start beside the head C, which needs all chips.
    """
    layout = Layout()
    layout.tranche(layout.site(layout.pool(4, 1)), 2)
    case = Case(
        layout=layout,
        classes=(JobClass(restart=5),),
        jobs=(
            Job(0, 2, 2, 4, 4, 4),
            Job(0, 8, 8, 4, 4, 4),
            Job(5, 5, 5, 4, 4, 4),
            Job(6, 5, 5, 1, 1, 1),
        ),
        horizon=2_000,
        commands=(Command(0, "activate", (0, None)), Command(3, "reclaim", (0, 1), {"grace": 8})),
        failures=(Failure(4, 1, 0, False, 100),),
    )
    cluster = drive(case)
    agree(case, cluster)
    assert cluster.runs["start"][:4].tolist() == [0, 0, 18, 23]


def test_a_service_that_wants_what_it_wanted_gives_no_notice() -> None:
    """A service lacks a replica of 8 chips from 1 on, and job 6 has notice until 3. Job 7 starts at 1 after that.

    At 2 another service is told to have the none that it has: no operation, so job 7 gets no notice.
    """
    layout = Layout()
    layout.tranche(layout.site(layout.pool(8, 1)), 1)
    case = Case(
        layout=layout,
        classes=(JobClass(preemptible=True, grace=2),),
        jobs=(*[Job(0, 1, 1, 1, 1, 1)] * 6, Job(0, 2, 2, 1, 1, 1), Job(0, 2, 2, 2, 2, 2)),
        horizon=2_000,
        services=(
            Service({0: 8}, kind=3, priority=1, preempts=True),
            Service({0: 1}, kind=3, priority=0, preempts=False),
        ),
        commands=(
            Command(0, "activate", (0, None)),
            Command(1, "resize", (0, 0, 1)),
            Command(2, "resize", (1, 0, 0)),
        ),
        order="priority",
        backfill="none",
        preemption=True,
    )
    cluster = drive(case)
    agree(case, cluster)
    assert cluster.runs["preemptions"].tolist() == [0] * 6 + [1, 0]
