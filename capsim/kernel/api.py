"""The cluster as the engine sees it: time advances, capacity comes and goes, jobs come, facts are read.

Nothing here is done per job in Python. The semantics of every operation are in ``docs/scheduling.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from capsim.kernel import accounts
from capsim.kernel import advance as kernel
from capsim.kernel.audit import audit
from capsim.kernel.build import build
from capsim.kernel.governance import (
    Governance,
    add_rules,
    base_classes,
    check_sizes,
    failed_time,
    flavors_now,
    quota_use,
    variants,
)
from capsim.kernel.layout import Classes, Layout, LayoutError, Services, check_jobs
from capsim.kernel.options import JobOptions
from capsim.kernel.placement import OWN
from capsim.kernel.preemptible import lay_levels
from capsim.kernel.ranks import open_slot, restate_durations
from capsim.kernel.reserving import Reservation, ReservationFigures, add_reservations, figures, renew_windows
from capsim.kernel.state import State, pointers
from capsim.policies.orders import (
    BY_TENANT,
    CHANGING,
    PLACEMENTS,
    order_keys,
    order_options,
    tenant_keys,
    usual_thresholds,
)
from capsim.tables import CANCELLED, NEVER, RUNNING, WAITING


class Code(IntEnum):
    """Why ``advance`` returned."""

    REACHED = 0
    FINISHED = 1


_CODES = tuple(Code)


class Status(NamedTuple):
    """What ``advance`` returns: the code, the watched job that terminated (else -1), the instant reached."""

    code: Code
    job: int
    now: int


@dataclass(frozen=True)
class Policy:
    """How the queue is served.

    ``order``: "fcfs", "sjf", "priority" (then fcfs), "edf", "fair-share", "drf", "las", "themis" or a
    registered order (see ``capsim.policies``); ``order_options``: see ``capsim.policies.orders.OPTIONS``.
    ``by_class``: the priority of the job's class goes first, then the order.
    ``backfill``: "none" or "easy". ``placement``: "best-fit", "first-fit", "spread", "pack-tenant" or a
    registered placement. ``overrun``: what becomes of a job at its requested time: "end" or "run on".
    ``interval``: ms between passes (at its multiples, where one is due); 0: at every instant that needs one.
    """

    order: str | Callable[..., Any] = "fcfs"
    backfill: str = "easy"
    preemption: bool = False
    placement: str | Callable[..., Any] = "best-fit"
    overrun: str = "end"
    interval: int = 0
    order_options: Mapping[str, Any] = field(default_factory=dict)
    by_class: bool = False


class Cluster:
    """One simulated cluster of several pools: jobs, services, failures, exact accounts."""

    def __init__(
        self,
        layout: Layout,
        jobs: np.ndarray,
        classes: Classes,
        services: Services | None = None,
        *,
        policy: Policy | None = None,
        governance: Governance | None = None,
        options: JobOptions | None = None,
        reservations: Sequence[Reservation] = (),
        max_extra_jobs: int = 4096,
    ) -> None:
        """``jobs``: JOB array sorted by submission; ``governance``: tenants and what they may use;
        ``options``: dependencies, arrays, deadlines, fates of the jobs; ``reservations``: made in advance.

        Raises LayoutError for what cannot be simulated.
        """
        policy = policy or Policy()
        self._n_pools = len(layout.pools)
        check_jobs(jobs, classes)
        own = not isinstance(policy.placement, str)
        _check_policy(policy)
        score = policy.placement if own else None
        services = services or Services(self._n_pools)
        easy = policy.backfill == "easy"
        self._use(build(layout, jobs, classes, services, max_extra_jobs, easy=easy, score=score))
        clock = self._s.clock[0]
        clock["preemption"] = policy.preemption
        clock["placement"] = OWN if own else PLACEMENTS.index(str(policy.placement))
        clock["run_on"] = policy.overrun == "run on"
        clock["interval"] = policy.interval
        self._order, self._by_class = policy.order, policy.by_class
        self._over = 0  # jobs before this one are over
        n = len(jobs)
        self._ruled = self._add_rules(policy, jobs, governance, options)
        deadline = options.deadlines(n) if options is not None else None
        self._layout, self._reservations = layout, list[Reservation]()
        self._add_reservations(reservations)
        self._keys = self._order_keys(self._s.jobs[:n], deadline)
        ranks = np.arange(n) if self._keys is None else np.argsort(self._keys, kind="stable")
        self._first = (len(self._s.by_rank) - n) // 2  # the first rank in use
        if not self._ruled:
            self._s.by_rank[self._first : self._first + n] = ranks
            self._s.runs["rank"][ranks] = self._first + np.arange(n)
        self._s.runs["work_left"][:n] = jobs["run"]
        self._s.runs["request_left"][:n] = jobs["requested"]
        if self._keys is not None:
            self._keys = self._keys[ranks]
        # columns read or written at each decision; their arrays are never replaced
        self._now, self._finished = self._s.clock["now"], self._s.clock["finished"]
        rows = self._s.services
        self._held, self._held_acc, self._target = rows["held"], rows["held_acc"], rows["target"]
        self._nowhere = (rows["chips"] <= 0).astype(np.int64)

    def _use(self, state: State) -> None:
        """From now on the kernel works on the arrays of this state."""
        self._s, self._pointers = state, pointers(state)
        self._address = int(self._pointers.ctypes.data)

    def _add_rules(
        self, policy: Policy, jobs: np.ndarray, governance: Governance | None, options: JobOptions | None
    ) -> bool:
        """Give the kernel the rules that its jobs need; whether ranks change with time."""
        try:
            self._options = order_options(policy.order, policy.order_options)
        except ValueError as error:
            raise LayoutError(str(error)) from None
        if self._options.get("thresholds", ()) is None:
            self._options["thresholds"] = usual_thresholds(jobs)
        changing = policy.order in CHANGING
        if policy.preemption and changing and policy.order != "las" and not policy.by_class:
            raise LayoutError(
                f"preemption goes by priority or las; with order {policy.order!r} set by_class as well:"
                " otherwise a job that was stopped may come before the one it was stopped for"
            )
        terms = options or JobOptions()
        terms.check(len(jobs))
        if changing or governance is not None or terms.ruled:
            heads = policy.backfill == "none"
            rules = {**self._options, "by_class": policy.by_class, "heads": heads}
            governed = governance or Governance()
            self._use(add_rules(self._s, governed, jobs, policy.order, rules, policy.interval, terms))
        if policy.preemption:
            self._use(lay_levels(self._s))
        return changing and policy.backfill != "none"

    def _add_reservations(self, more: Sequence[Reservation]) -> None:
        """Give the kernel further advance reservations."""
        if more:
            known = len(self._reservations)
            together = [*self._reservations, *more]
            self._use(add_reservations(self._s, self._layout, together, known))
            renew_windows(self._address)
            self._reservations = together

    def reserve(self, reservation: Reservation) -> int:
        """Make an advance reservation, announced now or at a later instant; returns its index."""
        if reservation.announced < self.now:
            reservation = replace(reservation, announced=self.now)
        self._add_reservations([reservation])
        return len(self._reservations) - 1

    def reservations(self) -> list[ReservationFigures]:
        """What has come of each advance reservation up to now."""
        return figures(self._s) if self._reservations else []

    def _order_keys(self, rows: np.ndarray, deadline: np.ndarray | None = None) -> np.ndarray | None:
        try:
            priority = self._s.classes["priority"][rows["cls"]]
            slack, by_class = self._options.get("slack", 0.0), self._by_class
            if self._order in BY_TENANT and not self._ruled:
                return tenant_keys(rows, priority if by_class else 0.0)
            return order_keys(rows, priority, self._order, slack, deadline, by_class=by_class)
        except ValueError as error:
            raise LayoutError(str(error)) from None

    def _do(self, what: int, i: int, n: int = 0, flag: int = 0, at: int = int(NEVER)) -> None:
        kernel.operate(self._address, what, i, n, flag, at)

    @property
    def now(self) -> int:
        """The present instant, ms."""
        return int(self._now[0])

    def advance(self, until: int) -> Status:
        """Run all instants before ``until``, and the terminations (phase 1) of ``until``.

        Returns FINISHED early, right after the termination of a watched job.
        """
        code = kernel.FINISHED
        while self._finished[0] < 0:  # else it terminated in a compiled decision
            code = kernel.advance(self._address, until)
            if code != kernel.NO_ROOM:
                break
            self._grow()
        job = int(self._finished[0])
        if job >= 0:
            self._finished[0] = -1
        return Status(_CODES[code], job, int(self._now[0]))

    def _grow(self) -> None:
        """Double the arrays that can run out of room."""
        s = self._s
        more = {
            name: np.concatenate([a, np.zeros_like(a)])
            for name, a in (("heap", s.heap), ("pieces", s.pieces))
        }
        self._use(s._replace(**more))

    def activate(self, tranche: int, domains: int | None = None) -> int:
        """The next ``domains`` domains of a tranche arrive (None: all that are left); returns how many."""
        row = self._s.tranches[tranche]
        left = int(row["n_domains"] - row["activated"])
        n = left if domains is None else min(domains, left)
        if n > 0:
            self._do(kernel.ACTIVATE, tranche, n)
        return n

    def retire(
        self, tranche: int, domains: int | None = None, *, at: int | None = None, kill: bool = False
    ) -> int:
        """The last ``domains`` active domains of a tranche take no new work and leave when they are free.

        ``kill``: their jobs are stopped and requeued now. ``at``: the same at that instant. Returns how many.
        """
        row = self._s.tranches[tranche]
        left = int(row["activated"] - row["retired"])
        n = left if domains is None else min(domains, left)
        if n > 0:
            self._do(kernel.RETIRE_DOMAINS, tranche, n, int(kill), int(NEVER) if at is None else at)
        return n

    def active_domains(self, tranche: int) -> int:
        """Domains of a tranche that have arrived and have not been told to leave."""
        row = self._s.tranches[tranche]
        return int(row["activated"] - row["retired"])

    def reclaim(self, tranche: int, domains: int, *, grace: int) -> None:
        """The last ``domains`` active domains leave, not the only ones, and may come back (`restore`).

        They take no new work; after the grace (ms) their gangs stop with a checkpoint, replicas are lost.
        """
        if not 0 < domains < self.active_domains(tranche):
            raise LayoutError(f"tranche {tranche}: {domains} domains cannot be reclaimed, at least one stays")
        self._do(kernel.RECLAIM, tranche, domains, at=grace)

    def restore(self, tranche: int, domains: int) -> None:
        """Domains that were reclaimed, and have left, are back; none arrived in between."""
        row = self._s.tranches[tranche]
        end = int(row["first_domain"] + row["activated"])
        if domains > int(row["left"]) or self._s.doms["active"][end - domains : end].any():
            raise LayoutError(f"tranche {tranche}: the last {domains} domains are not away")
        self._do(kernel.RESTORE, tranche, domains)

    def drain(self, site: int, *, grace: int | None = None) -> None:
        """Nothing new starts at the site; with ``grace`` (ms) its jobs are checkpointed, then requeued."""
        self._do(kernel.DRAIN, site, -1 if grace is None else grace)

    def undrain(self, site: int) -> None:
        """The site takes work again."""
        self._do(kernel.UNDRAIN, site)

    def site_down(self, site: int) -> None:
        """Outage: gangs there fail and requeue, replicas there are lost, free chips are out."""
        self._do(kernel.DOWN, site)

    def site_up(self, site: int) -> None:
        """The outage is over."""
        self._do(kernel.UP, site)

    def submit(self, row: np.ndarray | np.void, *, watched: bool = True) -> int:
        """Submit one JOB row at the present instant; returns the job's index."""
        s = self._s
        j = int(s.clock["n_jobs"][0])
        if j >= int(s.clock["cap_jobs"][0]):
            raise LayoutError(
                f"no room for another job: raise max_extra_jobs (now {j - int(s.clock['n_listed'][0])})"
            )
        s.jobs[j] = row[0] if isinstance(row, np.ndarray) and row.ndim else row
        s.jobs["submit"][j] = self.now
        s.jobs["watched"][j] = watched
        check_jobs(s.jobs[j : j + 1], None)
        if s.clock["rules"][0]:
            check_sizes(s, s.jobs[j : j + 1], j)
        s.runs["work_left"][j] = s.jobs["run"][j]
        s.runs["request_left"][j] = s.jobs["requested"][j]
        self._insert_rank(j)
        s.clock["n_jobs"] = j + 1
        self._do(kernel.SUBMIT, j)
        return j

    def _insert_rank(self, j: int) -> None:
        """Give a late job its place in the order."""
        if self._ruled:
            return
        s = self._s
        if self._keys is None:
            listed = int(s.clock["n_listed"][0])
            rank = (
                int(np.searchsorted(s.jobs["submit"][:listed], s.jobs["submit"][j], side="right"))
                + j
                - listed
            )
        else:
            key = self._order_keys(s.jobs[j : j + 1])
            assert key is not None
            rank = int(np.searchsorted(self._keys, key[0], side="left"))
            same = int(np.searchsorted(self._keys, key[0], side="right"))
            submits = s.jobs["submit"][s.by_rank[self._first + rank : self._first + same]]
            rank += int(np.searchsorted(submits, s.jobs["submit"][j], side="right"))
            self._keys = np.insert(self._keys, rank, key[0])
        slot, self._first = open_slot(s, self._first, j, rank)
        s.by_rank[slot] = j
        s.runs["rank"][j] = slot

    def cancel(self, job: int) -> None:
        """Take a job out of the queue, or stop it."""
        self._do(kernel.CONCLUDE, job, CANCELLED)

    def conclude(self, job: int, state: int) -> None:
        """A waiting job was run elsewhere and is over now: DONE, FAILED_JOB or CANCELLED."""
        self._do(kernel.CONCLUDE, job, state)

    def cancel_many(self, jobs: np.ndarray) -> None:
        """``cancel`` for each of the jobs (indices) in their order."""
        room = self._s.victims
        for at in range(0, len(jobs), len(room)):
            part = jobs[at : at + len(room)]
            room[: len(part)] = part
            self._do(kernel.CANCEL_ALL, 0, len(part))

    def resize(self, service: int, pool: int, replicas: int) -> None:
        """Set the wanted replicas; surplus replicas leave now, missing ones come with the next passes."""
        row = service * self._n_pools + pool
        if self._s.services["chips"][row] <= 0 and replicas > 0:
            raise LayoutError(f"service {service} cannot run in pool {pool}: give it chips there")
        if int(self._s.services["wanted"][row]) != replicas:
            self._do(kernel.RESIZE, row, replicas)

    def resize_all(self, wanted: np.ndarray) -> None:
        """``resize`` for all: int array [service, pool]."""
        targets = wanted.ravel()
        self._target[:] = targets
        if self._nowhere.dot(targets):
            raise LayoutError("replicas are wanted in a pool where the service has no chips")
        self._do(kernel.RESIZE_ALL, 0)

    def set_speed(self, cls: int, pool: int, speed: float) -> None:
        """Change a class's speed in a pool; running jobs keep theirs until they start again."""
        self._s.clock["capacity"] += 1
        for k in variants(self._s, cls, pool):
            speeds = self._s.places["speed"][k * self._n_pools : (k + 1) * self._n_pools]
            best, speeds[pool] = speeds.max(), speed
            if speeds.max() != best:
                waiting = self.waiting()
                restate_durations(self._s, waiting[self._s.jobs["cls"][waiting] == k], float(speeds.max()))
        self._do(kernel.RECONSIDER, 0)

    def set_order(self, cls: int, pools: Sequence[int]) -> None:
        """Change the order in which the assignment "fixed order" tries the pools: all of them, each once."""
        for k in variants(self._s, cls):
            self._s.places["order"][k * self._n_pools : (k + 1) * self._n_pools] = pools
        self._do(kernel.RECONSIDER, 0)

    def set_checkpoint(self, cls: int, stall: int, restart: int) -> None:
        """Change what a checkpoint and a restart cost a class, ms; none of its jobs may be running."""
        for k in variants(self._s, cls):
            self._s.classes["stall"][k], self._s.classes["restart"][k] = stall, restart

    def set_cost(self, cls: int, pool: int, cost: float) -> None:
        """Change the marginal cost that the assignment "cheapest" compares."""
        for k in variants(self._s, cls):
            self._s.places["cost"][k * self._n_pools + pool] = cost
        self._do(kernel.RECONSIDER, 0)

    def class_of(self, job: int) -> int:
        """The class that a job was submitted with; ``jobs["cls"]`` is another while a flavor confines it."""
        return int(base_classes(self._s)[self._s.jobs["cls"][job]])

    def flavors(self, jobs: np.ndarray) -> np.ndarray:
        """Of jobs (indices) the flavor to whose pools each is confined now, int64; -1: none."""
        return flavors_now(self._s, jobs)

    def quota_use(self) -> np.ndarray:
        """What each tenant may have and had in each flavor, up to now: ALLOWANCE rows [tenant, flavor]."""
        return quota_use(self._s)

    def failed_time(self) -> np.ndarray:
        """Chip-ms, int64 [jobs], of attempts that failed, but the last, without work done again."""
        return failed_time(self._s)

    def counters(self) -> dict[str, int]:
        """The COUNTERS row as a dict."""
        names = self._s.count.dtype.names or ()
        return {name: int(self._s.count[name][0]) for name in names}

    def chip_time(self) -> np.ndarray:
        """Per site, chip-ms up to now: active, out, barred, broken, free, spare, allocated[N_KINDS]."""
        return accounts.chip_time(self._s)

    def chips(self) -> np.ndarray:
        """Per site, chips now: the same columns as ``chip_time``."""
        return accounts.chips(self._s)

    @property
    def address(self) -> int:
        """Where the state is, for compiled decisions (``capsim.kernel.stock``); to be asked for each time."""
        return self._address

    def pool_time(self) -> np.ndarray:
        """[pool, kind] chip-ms up to now, by what they were (see ``capsim.kernel.accounts.POOL_TIME``)."""
        return accounts.pool_time(self._s)

    def service_time(self) -> np.ndarray:
        """Replica-ms held up to now, int64 [service, pool]."""
        served: np.ndarray = self._held * self._now + self._held_acc
        return served.reshape(-1, self._n_pools)

    def replicas(self) -> np.ndarray:
        """Replicas held now, int64 [service, pool]."""
        return self._s.services["held"].astype(np.int64).reshape(-1, self._n_pools)

    def held(self, job: int) -> dict[int, int]:
        """Chips (spares included) that a running job holds now, by domain."""
        s = self._s
        out: dict[int, int] = {}
        p = int(s.runs["first_piece"][job]) if s.runs["state"][job] == RUNNING else -1
        while p >= 0:
            out[int(s.pieces["domain"][p])] = int(s.pieces["chips"][p] + s.pieces["spare"][p])
            p = int(s.pieces["next"][p])
        return out

    def fragmentation(self) -> list[dict[str, int]]:
        """By pool: chips now that no queued job can use, by reason; see docs/scheduling.md."""
        return accounts.fragmentation(self._s, self.waiting())

    def waiting(self) -> np.ndarray:
        """Indices of the jobs in the queue now; jobs that are over for good are not looked at again."""
        clock, state = self._s.clock[0], self._s.runs["state"]
        listed, late = int(clock["next_job"]), int(clock["n_listed"])
        over = state[self._over : listed] > RUNNING
        self._over += int(np.argmin(over)) if not over.all() else len(over)
        found = np.flatnonzero(state[self._over : listed] == WAITING) + self._over
        added = np.flatnonzero(state[late : int(clock["n_jobs"])] == WAITING) + late
        return np.concatenate([found, added])

    def check(self) -> list[str]:
        """Broken invariants (empty when all is well): indices and accounts recomputed from the pieces."""
        return audit(self._s)

    @property
    def jobs(self) -> np.ndarray:
        """The JOB rows, those submitted later included (a view)."""
        return self._s.jobs[: int(self._s.clock["n_jobs"][0])]

    @property
    def runs(self) -> np.ndarray:
        """The RUN rows (a view): start, end, state, pool, chips, blocks, waited, lost, restarts, ..."""
        return self._s.runs[: int(self._s.clock["n_jobs"][0])]


def _check_policy(policy: Policy) -> None:
    """Raise LayoutError for a placement, backfilling or overrun that does not exist."""
    if isinstance(policy.placement, str) and policy.placement not in PLACEMENTS:
        raise LayoutError(f"placement {policy.placement!r} is unknown: use one of {', '.join(PLACEMENTS)}")
    if policy.backfill not in ("none", "easy"):
        raise LayoutError(f"backfill {policy.backfill!r} is unknown: use none or easy")
    if policy.overrun not in ("end", "run on"):
        raise LayoutError(f"overrun {policy.overrun!r} is unknown: use end or run on")
