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
from capsim.tables import NEVER, RUNNING

MOST_FLAVORS = 62
"""Flavors are bits of a word."""


@dataclass(frozen=True)
class Tenant:
    """One tenant, by its index in the job table. ``share``: its weight in fair-share, drf and themis.

    ``quota``: chips that its admitted jobs may have together (None: any number), or by flavor (index into
    ``Governance.flavors``; it may have none of those that are not there). ``cohort``: tenants that
    lend each other what they do not use of their quotas; ``borrow``: chips beyond the quota at most
    (None: all that the cohort has), in each flavor of its quota or by flavor. ``max_running``: admitted jobs
    at a time.
    """

    share: float = 1.0
    quota: int | Mapping[int, int] | None = None
    cohort: int | None = None
    borrow: int | Mapping[int, int] | None = None
    max_running: int | None = None

    def limits(self, flavor: int) -> tuple[int, int | None]:
        """Its quota in a flavor and what it may borrow there (None: all that the cohort has).

        Of a tenant with one quota for all flavors that quota, whatever the flavor; it has one.
        """
        quota, borrow = self.quota, self.borrow
        if isinstance(quota, Mapping):
            if flavor not in quota:
                return 0, 0
            return quota[flavor], borrow.get(flavor) if isinstance(borrow, Mapping) else borrow
        assert quota is not None
        assert not isinstance(borrow, Mapping)
        return quota, borrow


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
    of classes of jobs, by their index; by several indices where classes share one limit. ``flavors``: the
    pools of each flavor, where tenants have quotas by flavor: every pool in one of them.
    """

    tenants: Sequence[Tenant] = ()
    reclaim: bool = True
    classes: Mapping[int | tuple[int, ...], ClassLimit] = field(default_factory=dict)
    flavors: Sequence[Sequence[int]] = ()

    def check(self, pools: int) -> None:
        """Raise LayoutError for anything that cannot be simulated with so many pools."""
        self._check_flavors(pools)
        for i, tenant in enumerate(self.tenants):
            if not tenant.share > 0.0:
                raise LayoutError(f"tenant {i}: share must be positive, not {tenant.share}")
            for name in ("quota", "cohort", "borrow"):
                value = getattr(tenant, name) or 0
                if min(value.values(), default=0) < 0 if isinstance(value, Mapping) else value < 0:
                    raise LayoutError(f"tenant {i}: {name} must not be negative")
            if tenant.max_running is not None and tenant.max_running < 1:
                raise LayoutError(f"tenant {i}: max_running must be at least 1, not {tenant.max_running}")
            if tenant.quota is None and tenant.cohort is not None:
                raise LayoutError(f"tenant {i} of cohort {tenant.cohort} needs a quota")
            if tenant.cohort is None and tenant.borrow is not None:
                raise LayoutError(f"tenant {i} borrows: it needs a cohort")
            if isinstance(tenant.borrow, Mapping) and not isinstance(tenant.quota, Mapping):
                raise LayoutError(f"tenant {i} borrows by flavor: it needs a quota by flavor")
        for k, limit in self.classes.items():
            for name in ("max_running", "max_chips"):
                value = getattr(limit, name)
                if value is not None and value < 1:
                    raise LayoutError(f"class {k}: {name} must be at least 1, not {value}")

    def _check_flavors(self, pools: int) -> None:
        """Raise LayoutError for flavors that are not a partition of the pools, or are not there."""
        width = len(self.flavors)
        if width > MOST_FLAVORS:
            raise LayoutError(f"{width} flavors: there may be {MOST_FLAVORS} at most")
        if width and sorted(pool for some in self.flavors for pool in some) != list(range(pools)):
            raise LayoutError(f"each of the {pools} pools needs one flavor")
        kinds: dict[int, bool] = {}
        for i, tenant in enumerate(self.tenants):
            split = isinstance(tenant.quota, Mapping)
            for name in ("quota", "borrow"):
                value = getattr(tenant, name)
                if isinstance(value, Mapping) and not set(value) <= set(range(width)):
                    raise LayoutError(f"tenant {i}: {name} by flavor, of which there are {width}")
            if tenant.cohort is not None and kinds.setdefault(tenant.cohort, split) != split:
                raise LayoutError(f"cohort {tenant.cohort}: a quota by flavor goes with others by flavor")


def _limits(listed: Sequence[Tenant], tenants: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Fill in the tenants' limits; returns what they may have, and their cohorts, by flavor."""
    cohorts = np.zeros((max((t.cohort or 0 for t in listed), default=0) + 1) * width, rule_tables.COHORT)
    allowances = np.zeros(len(listed) * width, rule_tables.ALLOWANCE)
    for name in ("first", "first_held", "last_held"):
        tenants[name] = -1
    allowances["cohort"] = allowances["quota"] = -1
    for t, tenant in enumerate(listed):
        tenants["max_running"][t] = tenant.max_running or 0
        tenants["by_flavor"][t] = split = isinstance(tenant.quota, Mapping)
        for flavor in range(0 if tenant.quota is None else width if split else 1):
            quota, borrow = tenant.limits(flavor)
            row = allowances[t * width + flavor]
            row["quota"] = row["ceiling"] = quota
            if tenant.cohort is not None:
                row["cohort"] = tenant.cohort * width + flavor
                row["ceiling"] = int(NEVER) if borrow is None else quota + borrow
                cohorts["quota"][row["cohort"]] += quota
    return allowances, cohorts


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
    if state.rules["class_limits"][0]:
        chips = state.class_limits["chips"][rows["cls"]]
        large = np.flatnonzero((chips >= 0) & (rows["size_max"] > chips))
        if len(large):
            job = rows[large[0]]
            raise LayoutError(
                f"job {first + large[0]} asks for {job['size_max']} chips, class {job['cls']} may have"
                f" {chips[large[0]]} at most: raise its limit or take the job out ({len(large)} such jobs)"
            )
    most = _most(state, rows)
    large = np.flatnonzero(rows["size_max"] > most)
    if len(large):
        job = rows[large[0]]
        raise LayoutError(
            f"job {first + large[0]} asks for {job['size_max']} chips, tenant {job['tenant']} may have"
            f" {most[large[0]]} at most: raise its quota or take the job out ({len(large)} such jobs)"
        )


def _most(state: State, rows: np.ndarray) -> np.ndarray:
    """Chips that the tenant of each JOB row may ever have, in whatever flavor."""
    tenants, allowances, width = state.tenants, state.allowances, int(state.rules["width"][0])
    most = np.where(allowances["quota"] < 0, NEVER, allowances["ceiling"])
    together = allowances["cohort"] >= 0
    most[together] = np.minimum(most, state.cohorts["quota"][allowances["cohort"]])[together]
    by_flavor = most.reshape(-1, width)
    found: np.ndarray = np.where(tenants["by_flavor"], by_flavor.max(axis=1), by_flavor[:, 0])[rows["tenant"]]
    return found


def quota_use(state: State) -> np.ndarray:
    """What each tenant may have and had in each flavor: ALLOWANCE rows, int [tenant, flavor].

    ``chip_ms`` is up to now. In the first flavor alone for a tenant whose quota is one number, or has none.
    """
    found = state.allowances.copy()
    runs, standings = state.runs, state.standings
    open_now = np.flatnonzero(standings["admitted"][: int(state.clock["n_jobs"][0])])
    mine = runs[open_now]
    present = np.where(mine["state"] == RUNNING, mine["chips"] * (state.clock["now"][0] - mine["begun"]), 0)
    had = mine["chip_time"] + present - standings["had"][open_now]
    np.add.at(found["chip_ms"], standings["allowance"][open_now], had)
    return found.reshape(-1, int(state.rules["width"][0]))


def failed_time(state: State) -> np.ndarray:
    """Chip-ms, int64 [jobs], of attempts that failed, but the last, without work done again."""
    jobs = int(state.clock["n_jobs"][0])
    if not state.clock["rules"][0]:
        return np.zeros(jobs, np.int64)
    failed: np.ndarray = state.standings["failed_ms"][:jobs]
    return failed


def _split_classes(state: State, governance: Governance) -> State:
    """The state with further classes: each in each flavor alone, which its jobs get when admitted there."""
    pools, width = len(state.pools), len(governance.flavors)
    rows, places = state.classes, state.places.reshape(-1, pools)
    flavors = np.zeros(pools, np.int32)
    for flavor, some in enumerate(governance.flavors):
        flavors[list(some)] = flavor
    more = np.repeat(places, width, axis=0).reshape(-1, width, pools)
    more["speed"] *= flavors == np.arange(width)[:, None]
    return state._replace(
        flavors=flavors,
        classes=np.concatenate([rows, np.repeat(rows, width)]),
        places=np.concatenate([state.places, more.ravel()]),
    )


def base_classes(state: State) -> np.ndarray:
    """Of each class of the state the one that it was made from: itself, unless it is confined to a flavor."""
    own, width = int(state.rules["classes"][0]), max(int(state.rules["width"][0]), 1)
    every = np.arange(len(state.classes))
    return np.where(every < own, every, (every - own) // width) if own else every


def flavors_now(state: State, jobs: np.ndarray) -> np.ndarray:
    """Of jobs (indices) the flavor to whose pools each is confined now, int64; -1: none."""
    own, width = int(state.rules["classes"][0]), max(int(state.rules["width"][0]), 1)
    cls = state.jobs["cls"][jobs].astype(np.int64)
    return np.where((cls < own) | (own == 0), -1, (cls - own) % width)


def variants(state: State, cls: int, pool: int | None = None) -> list[int]:
    """A class and those made from it that may run in a pool (None: all)."""
    own, width = int(state.rules["classes"][0]), int(state.rules["width"][0])
    if not own or len(state.classes) == own:
        return [cls]
    flavors = range(width) if pool is None else [int(state.flavors[pool])]
    return [cls, *(own + cls * width + flavor for flavor in flavors)]


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

    governance.check(len(state.pools))
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
    width = max(len(governance.flavors), 1)
    row["width"], row["classes"] = width, len(state.classes)
    allowances, cohorts = _limits(listed, tenants, width)
    class_limits = _class_limits(governance, len(state.classes))
    if tenants["by_flavor"].any():
        class_limits = np.concatenate([class_limits, np.repeat(class_limits, width)])
        state = _split_classes(state, governance)
    row["class_limits"] = len(governance.classes) > 0
    row["limited"] |= row["class_limits"]
    limits = np.array(options.get("thresholds", ()), np.int64)
    state.clock["rules"] = rules.ADDRESS
    more: dict[str, np.ndarray] = {}
    if order in CHANGING:
        row["recalculate"] = max(int(options["recalculate"]), interval if options["recalculate"] else 0)
        more = _set_order(state, row, str(order), options, count)
    standings = np.zeros(cap, rule_tables.STANDING)
    standings["allowance"] = -1
    more |= terms.fill(standings, len(jobs))
    ruled = state._replace(
        rules=row,
        tenants=tenants,
        allowances=allowances,
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
