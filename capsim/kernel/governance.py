"""How a shared cluster is governed: its tenants, and the arrays that the kernel's rules work on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from capsim.kernel import rule_tables
from capsim.kernel.layout import LayoutError
from capsim.kernel.options import JobOptions
from capsim.kernel.state import State
from capsim.policies.orders import BY_TENANT, CHANGING
from capsim.tables import NEVER


@dataclass(frozen=True)
class Tenant:
    """One tenant, by its index in the job table. ``share``: its weight in fair-share, drf and themis.

    ``quota``: chips that its admitted jobs may have together (None: any number). ``cohort``: tenants that
    lend each other what they do not use of their quotas; ``borrow``: chips beyond the quota at most
    (None: all that the cohort has). ``max_running``: admitted jobs at a time.
    """

    share: float = 1.0
    quota: int | None = None
    cohort: int | None = None
    borrow: int | None = None
    max_running: int | None = None


@dataclass(frozen=True)
class ClassLimit:
    """Limits of one class of jobs, or of several together, of all tenants: admitted jobs and their chips at a
    time.
    """

    max_running: int | None = None
    max_chips: int | None = None


@dataclass(frozen=True)
class Governance:
    """The tenants by index; those of the job table that are not listed have the defaults.

    ``reclaim``: jobs admitted beyond a quota are stopped for other tenants within theirs. ``classes``: limits
    of classes of jobs, by their index; by several indices where classes share one limit.
    """

    tenants: Sequence[Tenant] = ()
    reclaim: bool = True
    classes: Mapping[int | tuple[int, ...], ClassLimit] = field(default_factory=dict)

    def check(self) -> None:
        """Raise LayoutError for anything that cannot be simulated."""
        for i, tenant in enumerate(self.tenants):
            if not tenant.share > 0.0:
                raise LayoutError(f"tenant {i}: share must be positive, not {tenant.share}")
            for name in ("quota", "cohort", "borrow"):
                if (getattr(tenant, name) or 0) < 0:
                    raise LayoutError(f"tenant {i}: {name} must not be negative")
            if tenant.max_running is not None and tenant.max_running < 1:
                raise LayoutError(f"tenant {i}: max_running must be at least 1, not {tenant.max_running}")
            if tenant.quota is None and tenant.cohort is not None:
                raise LayoutError(f"tenant {i} of cohort {tenant.cohort} needs a quota")
            if tenant.cohort is None and tenant.borrow is not None:
                raise LayoutError(f"tenant {i} borrows: it needs a cohort")
        for k, limit in self.classes.items():
            for name in ("max_running", "max_chips"):
                value = getattr(limit, name)
                if value is not None and value < 1:
                    raise LayoutError(f"class {k}: {name} must be at least 1, not {value}")


def _limits(listed: Sequence[Tenant], tenants: np.ndarray) -> np.ndarray:
    """Fill in the tenants' quotas and limits; returns the cohorts."""
    cohorts = np.zeros(max((t.cohort or 0 for t in listed), default=0) + 1, rule_tables.COHORT)
    for name in ("first", "first_held", "last_held", "cohort", "quota"):
        tenants[name] = -1
    for row, tenant in zip(tenants, listed, strict=True):
        row["max_running"] = tenant.max_running or 0
        if tenant.quota is not None:
            row["quota"] = row["ceiling"] = tenant.quota
        if tenant.cohort is not None and tenant.quota is not None:
            row["cohort"] = tenant.cohort
            row["ceiling"] = int(NEVER) if tenant.borrow is None else tenant.quota + tenant.borrow
            cohorts["quota"][tenant.cohort] += tenant.quota
    return cohorts


def _class_limits(governance: Governance, classes: int) -> np.ndarray:
    """Limits of the classes; -1: none."""
    out = np.zeros(classes, rule_tables.CLASS_LIMIT)
    out["chips"] = out["jobs"] = -1
    out["row"] = np.arange(classes)
    for key, limit in governance.classes.items():
        together = [key] if isinstance(key, int) else list(key)
        for k in together:
            if not 0 <= k < classes:
                raise LayoutError(f"class {k} has limits, but there are {classes} classes")
            if out["chips"][k] >= 0 or out["jobs"][k] >= 0:
                raise LayoutError(f"class {k} has limits twice")
        out["chips"][together] = -1 if limit.max_chips is None else limit.max_chips
        out["jobs"][together] = -1 if limit.max_running is None else limit.max_running
        out["row"][together] = together[0]
    return out


def check_sizes(state: State, rows: np.ndarray, first: int = 0) -> None:
    """Raise LayoutError for JOB rows, numbered from ``first``, that their tenants may never have."""
    tenants = state.tenants
    if len(rows) and not 0 <= rows["tenant"].min() <= rows["tenant"].max() < len(tenants):
        raise LayoutError(f"tenants are numbered from 0 to {len(tenants) - 1} here: list all in Governance")
    most = np.where(tenants["quota"] < 0, NEVER, tenants["ceiling"])
    together = tenants["cohort"] >= 0
    most[together] = np.minimum(most, state.cohorts["quota"][tenants["cohort"]])[together]
    if state.rules["class_limits"][0]:
        chips = state.class_limits["chips"][rows["cls"]]
        large = np.flatnonzero((chips >= 0) & (rows["size_max"] > chips))
        if len(large):
            job = rows[large[0]]
            raise LayoutError(
                f"job {first + large[0]} asks for {job['size_max']} chips, class {job['cls']} may have"
                f" {chips[large[0]]} at most: raise its limit or take the job out ({len(large)} such jobs)"
            )
    large = np.flatnonzero(rows["size_max"] > most[rows["tenant"]])
    if len(large):
        job = rows[large[0]]
        raise LayoutError(
            f"job {first + large[0]} asks for {job['size_max']} chips, tenant {job['tenant']} may have"
            f" {most[job['tenant']]} at most: raise its quota or take the job out ({len(large)} such jobs)"
        )


def _set_order(
    state: State, row: np.ndarray, order: str, options: Mapping[str, Any], tenants: int
) -> dict[str, np.ndarray]:
    """Write an order whose keys change into the row of RULES; the arrays that it needs."""
    cap = len(state.jobs)
    row["order"] = CHANGING.index(order) + 1
    row["half_life"], row["promote"] = options.get("half_life", 0.0), options.get("promote", 0.0)
    row["exempt"] = options.get("exempt", 0)
    row["n_levels"], row["by_class"] = len(options.get("thresholds", ())), options["by_class"]
    state.clock["levels"] = order == "las"
    more: dict[str, np.ndarray] = {}
    if options["heads"]:
        state.clock["heads"] = 1
        row["leaves"] = 1 << max(1, ((tenants if order in BY_TENANT else cap) - 1).bit_length())
        winners = np.zeros(2 * int(row["leaves"][0]), rule_tables.WINNER)
        winners["job"], winners["until"] = -1, NEVER
        more["winners"] = winners
    else:
        more["by_rank"] = np.zeros(len(state.tree) // 2, np.int32)
    if order == "las":
        more["starving"] = np.zeros(cap, rule_tables.STARVING)
    return more


def add_rules(
    state: State,
    governance: Governance,
    jobs: np.ndarray,
    order: str | Callable[..., Any],
    options: Mapping[str, Any],
    interval: int,
    terms: JobOptions,
) -> State:
    """The state with the arrays of the rules filled in, and the rules' address in its clock.

    Compiles (or loads) the rules, which other clusters do not need.
    """
    from capsim.kernel import rules

    governance.check()
    if len(jobs) and jobs["tenant"].min() < 0:
        raise LayoutError("tenants are numbered from 0")
    listed = list(governance.tenants)
    count = max(len(listed), int(jobs["tenant"].max()) + 1 if len(jobs) else 0, 1)
    listed += [Tenant()] * (count - len(listed))
    cap = len(state.jobs)
    tenants = np.zeros(count, rule_tables.TENANT)
    tenants["share"] = [tenant.share for tenant in listed]
    row = np.zeros(1, rule_tables.RULES)
    row["shares"] = tenants["share"].sum()
    row["keyed_at"], row["tick"], row["reclaim"] = -1, NEVER, governance.reclaim
    row["limited"] = terms.ruled or any(replace(tenant, share=1.0) != Tenant() for tenant in listed)
    cohorts = _limits(listed, tenants)
    class_limits = _class_limits(governance, len(state.classes))
    row["class_limits"] = len(governance.classes) > 0
    row["limited"] |= row["class_limits"]
    limits = np.array(options.get("thresholds", ()), np.int64)
    state.clock["rules"] = rules.ADDRESS
    more: dict[str, np.ndarray] = {}
    if order in CHANGING:
        row["recalculate"] = max(int(options["recalculate"]), interval if options["recalculate"] else 0)
        more = _set_order(state, row, str(order), options, count)
    standings = np.zeros(cap, rule_tables.STANDING)
    more |= terms.fill(standings, len(jobs))
    ruled = state._replace(
        rules=row,
        tenants=tenants,
        cohorts=cohorts,
        class_limits=class_limits,
        standings=standings,
        line=np.zeros(2 * cap, np.int32),
        tenant_pools=np.zeros(count * len(state.pools), rule_tables.TENANT_POOL),
        thresholds=limits if len(limits) else np.zeros(1, np.int64),
        **more,
    )
    check_sizes(ruled, jobs)
    return ruled
