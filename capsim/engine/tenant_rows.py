"""What each tenant of a study got, and what came of reservations; where tenants are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR
from capsim.compile.portfolio import placement_unit
from capsim.compile.tenants import tenant_table
from capsim.control.training import RunState
from capsim.engine.build import Run
from capsim.engine.campaigns import Campaigns, percentiles
from capsim.engine.queueing import flavors_by_system, reservations_of
from capsim.tables import DONE, RUNNING


def tenant_rows(run: Run, found: Campaigns | None) -> Iterator[tuple[Any, ...]]:
    """Rows of the table `tenants`: research tenants with campaigns, then tenants of named runs alone.

    The jobs of a tenant are its campaigns or, of a tenant without any, the gangs of its named runs.
    """
    study = run.ctx.prepared.study
    if not study.scheduler.governed:
        return
    tenants = tenant_table(study)
    chip_ms = _chip_ms(run)
    jobs = run.ctx.cluster.jobs
    by_tenant = np.bincount(jobs["tenant"], weights=chip_ms, minlength=len(tenants.names))
    research = _research(run, found)
    for index, (name, terms) in enumerate(zip(tenants.names, tenants.terms, strict=True)):
        if index in research:
            figures = research[index]
        else:
            own = [run.training.runs[one] for one, of in tenants.of_run.items() if of == index]
            if not own:
                continue
            figures = _gangs(run, own)
        quota = -1 if terms.quota is None else sum(terms.quotas.values())
        count, started, finished, *rest = figures
        yield name, float(terms.share), quota, count, started, finished, int(by_tenant[index]), *rest


def quota_rows(run: Run) -> Iterator[tuple[Any, ...]]:
    """Rows of the table `quotas`: of tenants with quotas by system what each had there."""
    prepared = run.ctx.prepared
    tenants = tenant_table(prepared.study) if prepared.study.scheduler.governed else None
    if tenants is None or not any(terms.by_name for terms in tenants.terms):
        return
    flavors = flavors_by_system(prepared, tenants)
    use = run.ctx.cluster.quota_use()["chip_ms"]
    for index, (name, terms) in enumerate(zip(tenants.names, tenants.terms, strict=True)):
        for flavor, system in enumerate(flavors):
            if terms.by_name and system in terms.quotas:
                yield name, system, terms.quotas[system], int(use[index, flavor])


def _chip_ms(run: Run) -> NDArray[np.float64]:
    """Chip-ms that each job has had, the present attempt included."""
    runs = run.ctx.cluster.runs
    present = np.where(runs["state"] == RUNNING, runs["chips"] * (run.ctx.end - runs["begun"]), 0)
    total: NDArray[np.float64] = (runs["chip_time"] + present).astype(np.float64)
    return total


def _research(run: Run, found: Campaigns | None) -> dict[int, tuple[Any, ...]]:
    """Figures of the research tenants that have campaigns, by tenant."""
    world = run.ctx.demand.campaigns
    if found is None or world is None:
        return {}
    order = np.argsort(world["tenant"], kind="stable")
    who, first = np.unique(world["tenant"][order], return_index=True)
    given_up = run.research.given_up
    left = np.where(~found.finished & (given_up >= 0), given_up, found.ended)
    present = world["chips"].astype(np.float64) * (left - world["submit"]) / MS_HOUR
    served = found.offered.work * found.part
    rows: dict[int, tuple[Any, ...]] = {}
    for tenant, own in zip(who.tolist(), np.split(order, first[1:]), strict=True):
        waits = found.wait[own]
        p50, p95 = percentiles(waits, (50, 95))
        rows[tenant] = (
            len(own),
            int(found.started[own].sum()),
            int(found.finished[own].sum()),
            float(waits.mean()) / MS_HOUR,
            p50 / MS_HOUR,
            p95 / MS_HOUR,
            float(found.slowdown[own].mean()),
            float(served[own].sum() / present[own].sum()) if present[own].sum() > 0 else 1.0,
        )
    return rows


def _gangs(run: Run, states: list[RunState]) -> tuple[Any, ...]:
    """The same figures of the gangs of named runs; a gang that never started has waited to the end."""
    jobs, runs, end = run.ctx.cluster.jobs, run.ctx.cluster.runs, run.ctx.end
    own = np.array([job for state in states for job in state.jobs], dtype=np.int64)
    if not len(own):
        return 0, 0, 0, *(float("nan"),) * 5
    submit, began = jobs["submit"][own], runs["start"][own] >= 0
    done = runs["state"][own] == DONE
    left = np.where(done, runs["end"][own], end)
    wait = np.where(began, runs["waited"][own], end - submit)
    present = np.maximum(left - submit, 1)
    p50, p95 = percentiles(wait, (50, 95))
    slowdown = np.maximum(present / np.maximum(present - wait, 1), 1.0)
    served = 1.0 - float((jobs["size_max"][own] * wait).sum() / (jobs["size_max"][own] * present).sum())
    waits = float(wait.mean()) / MS_HOUR, p50 / MS_HOUR, p95 / MS_HOUR
    return len(own), int(began.sum()), int(done.sum()), *waits, float(slowdown.mean()), served


def reservation_rows(run: Run) -> Iterator[tuple[Any, ...]]:
    """Rows of the table `reservations`: what each kept, and what of it was used and idle."""
    prepared = run.ctx.prepared
    spec = prepared.study.scheduler
    if spec.reservations is None:
        return
    asked = reservations_of(prepared, tenant_table(prepared.study))
    for (row, kept), found in zip(asked, run.ctx.cluster.reservations(), strict=True):
        system = run.ctx.places()[kept.site].system
        chips = len(found.domains) * placement_unit(prepared.study.systems[system])
        yield row.offer, system, kept.start, kept.end, chips, found.reserved, found.used, found.idle
