"""What governs a replay: tenants' limits, classes, dependencies, fates, maintenance, for the kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from capsim.engine.replay_policies import ReplayPolicy
from capsim.engine.replay_types import Types
from capsim.errors import InputError
from capsim.spec.governance import ClassTerms, GovernanceFile, TenantTerms, most_by_name
from capsim.spec.scheduler import CHANGING
from capsim.workload.traces.model import Ints, JobTrace
from capsim.workload.traces.terms import CANCELLED, COMPLETED, FAILED, Waits

DEPENDENCIES = ("ignore", "after", "think")
PREEMPTION = ("none", "priority")


@dataclass(frozen=True)
class ReplayRules:
    """What of a trace is heeded, and how the cluster is governed.

    ``file``: tenants, classes, drains. ``dependencies``: "after": jobs wait for others to end, and arrays for
    their tasks; "think": jobs that wait are submitted their think time after that end. ``fates``: jobs fail
    and are cancelled as the trace says; ``retry``: attempts of a job that fails before its last one.
    ``preemption``: a blocked head stops jobs of lower classes. ``by_class``: priorities go before the order.
    """

    file: GovernanceFile | None = None
    dependencies: str = "ignore"
    fates: bool = False
    retry: int = 0
    preemption: str = "none"
    by_class: bool = False

    def __post_init__(self) -> None:
        """Raise InputError, with all problems, for options that are not known or need each other."""
        problems = []
        if self.dependencies not in DEPENDENCIES:
            problems.append(
                f"--dependencies is {self.dependencies!r}; write one of {', '.join(DEPENDENCIES)}"
            )
        if self.preemption not in PREEMPTION:
            problems.append(f"--preemption is {self.preemption!r}; write one of {', '.join(PREEMPTION)}")
        if not 0 <= self.retry <= 1000:
            problems.append(f"--retry is {self.retry}; write a number of attempts up to 1000")
        if self.retry and not self.fates:
            problems.append("--retry runs failed jobs again; add --fates, which lets jobs fail")
        if self.retry and self.dependencies == "think":
            problems.append("--retry and --dependencies think do not go together; write --dependencies after")
        if problems:
            raise InputError("\n".join(problems))

    @property
    def any(self) -> bool:
        """Whether anything is asked for."""
        return self != ReplayRules()

    def retried(self, trace: JobTrace) -> bool:
        """Whether jobs have attempts that fail before their last one."""
        retries = trace.terms.retries
        return self.fates and (self.retry > 0 or (retries is not None and bool(retries.any())))

    @property
    def tenants(self) -> Mapping[str, TenantTerms]:
        """The tenants that the file names."""
        return self.file.terms.tenants if self.file is not None else {}

    def terms_of(self, tenant: str) -> TenantTerms:
        """What a tenant may use: the terms under its name, else those of all others."""
        if self.file is None:
            return TenantTerms()
        return self.file.terms.tenants.get(tenant, self.file.terms.others)

    def class_terms(self, name: str) -> ClassTerms:
        """The terms of a class; the defaults where the file has none."""
        return self.file.terms.classes.get(name, ClassTerms()) if self.file is not None else ClassTerms()

    def check(self, trace: JobTrace, policies: Sequence[ReplayPolicy]) -> None:
        """Raise InputError for what the trace does not have or a policy cannot do."""
        if not self.any:
            return
        if self.file is not None:
            self.file.check_names(trace.tenants, trace.job_classes)
        problems = []
        for policy in policies:
            if policy.rounds or policy.backfill == "conservative":
                unknown = self.unknown_elsewhere()
                unknown += self.unknown_to_rounds() if policy.rounds else self.unknown_to_conservative(trace)
                problems += [f"policy {policy.name} {what}" for what in unknown]
            elif self.preemption == "priority" and policy.order in CHANGING and not self.by_class:
                problems.append(
                    f"--preemption priority goes with the order {policy.order} only by class; add --by-class"
                )
            elif self._may_turn_back(policy):
                problems.append(
                    f"policy {policy.name}: with a grace, --preemption priority goes only by class, or with"
                    " the order priority: a stopped job would be ahead of the one that it was stopped for;"
                    " add --by-class"
                )
        if (self.preemption == "priority" or self.by_class) and len(set(self.priorities(trace).tolist())) < 2:
            problems.append(
                f"{'--by-class' if self.by_class else '--preemption priority'}: all jobs have one priority;"
                " give them a column priority, or classes priorities in the file of --tenants"
            )
        terms = trace.terms
        if self.dependencies != "ignore" and terms.waits is None and terms.array is None:
            problems.append("--dependencies: no job of the trace waits for another; leave it out")
        if self.dependencies == "think" and trace.format != "swf":
            problems.append("--dependencies think: only SWF has think times; write --dependencies after")
        if self.fates and terms.fate is None and terms.retries is None:
            problems.append("--fates: the trace does not say how jobs end; leave it out")
        if problems:
            raise InputError("\n".join(problems))

    def unknown_elsewhere(self) -> list[str]:
        """What policies cannot do that are not the kernel's own."""
        found = []
        if self.preemption == "priority" or self.by_class:
            found.append("knows no priorities; leave --preemption and --by-class out")
        if self.file is not None:
            terms = self.file.terms
            if terms.drains or terms.reservations:
                found.append("knows no drains and no reservations; leave it out")
        return found

    def _may_turn_back(self, policy: ReplayPolicy) -> bool:
        """Whether a job could be stopped after a grace, and then come before the one it was stopped for.

        Each would stop the other for ever where a restart takes as long as the grace.
        """
        by_priority = self.by_class or policy.order in ("priority", "las")
        graces = self.file.terms.classes.values() if self.file is not None else ()
        return self.preemption == "priority" and not by_priority and any(int(row.grace) > 0 for row in graces)

    def unknown_to_rounds(self) -> list[str]:
        """What policies that give out chips in rounds cannot do beside it."""
        classes = self.file.terms.classes if self.file is not None else {}
        kept = [name for name, row in classes.items() if not row.preemptible]
        return [
            f"stops jobs of every class, of {name} too; leave preemptible: false out" for name in kept[:1]
        ]

    def unknown_to_conservative(self, trace: JobTrace) -> list[str]:
        """What conservative backfilling cannot do beside it."""
        found = []
        if any(row.cohort is not None for row in self.tenants.values()) and self._reclaims:
            found.append("takes no promise back; write reclaim: false")
        if self.retried(trace):
            found.append("runs no job again; leave --retry and a column retries out")
        return found

    @property
    def _reclaims(self) -> bool:
        """Whether chips lent out are reclaimed; so by default."""
        return self.file is None or bool(self.file.terms.reclaim)

    def reservations(self, trace: JobTrace, jobs: Submitted, types: Sequence[str]) -> list[Any]:
        """The kernel's reservations, on a machine of one site, or of one for each of ``types``."""
        from capsim.kernel.reserving import Reservation

        tenants = {name: index for index, name in enumerate(trace.tenants)}
        found = []
        for row in self.file.terms.reservations if self.file is not None else ():
            start, end = (max(int(at) - jobs.after_first, 0) for at in (row.at, row.at + row.lasts))
            if end == 0:
                continue  # over before the first job that is scheduled
            classes = None
            if row.classes is not None:
                names = [trace.job_classes[kind.named] for kind in jobs.kinds]
                classes = [k for k, name in enumerate(names) if name in row.classes]
            found.append(
                Reservation(
                    site=0 if row.type is None else types.index(row.type),
                    start=start,
                    end=end,
                    chips=int(row.chips),
                    tenants=None if row.tenants is None else [tenants[name] for name in row.tenants],
                    classes=classes,
                    announced=max(int(row.announced) - jobs.after_first, 0),
                    flex=bool(row.flex),
                    evict=bool(row.evict),
                )
            )
        return found

    def priorities(self, trace: JobTrace) -> Ints:
        """Priority of each job of a trace: its own, else that of its class."""
        if trace.terms.priority is not None:
            return trace.terms.priority
        if trace.job_class is None:
            return np.zeros(len(trace), dtype=np.int64)
        by_class = [int(self.class_terms(name).priority) for name in trace.job_classes]
        return np.array(by_class, dtype=np.int64)[trace.job_class]

    def admissible(self, trace: JobTrace, types: Types | None = None) -> NDArray[np.bool_]:
        """Which jobs are within the most that their tenants and their classes may ever have.

        Where a tenant's quota is by type: on some of the ``types`` that can run the job.
        """
        most = most_by_name({name: self.terms_of(name) for name in trace.tenants})
        limit = np.array([most.get(name, {}).get("", 2**62) for name in trace.tenants], dtype=np.int64)
        within = np.asarray(trace.size <= limit[trace.tenant]) if len(limit) else np.ones(len(trace), bool)
        if types is not None:
            every = np.arange(len(trace))
            able = types.job_speed(trace.size, every) > 0
            for number, name in enumerate(trace.tenants):
                if self.terms_of(name).by_name:
                    own = trace.tenant == number
                    chips = np.array([most[name].get(kind, 0) for kind in types.names])
                    within[own] &= (able[own] & (trace.size[own, None] <= chips)).any(axis=1)
        if trace.job_class is not None and len(trace.job_classes):
            of_class = [int(self.class_terms(name).max_chips or 2**62) for name in trace.job_classes]
            within &= trace.size <= np.array(of_class, dtype=np.int64)[trace.job_class]
        return within

    def weights(self, trace: JobTrace, shares: Mapping[str, float]) -> NDArray[np.float64] | None:
        """Weights of the trace's tenants by --share and the file; None where neither gives any."""
        named = any("share" in self.terms_of(name).model_fields_set for name in trace.tenants)
        if not named and not shares:
            return None
        return np.array([shares.get(name, float(self.terms_of(name).share)) for name in trace.tenants])

    def flavors(self, trace: JobTrace, types: Sequence[str]) -> dict[str, list[int]]:
        """Pools of each chip type where some tenant's quota is by type; ``types``: that of each pool."""
        from capsim.engine.kernel_tenants import flavors_of

        return flavors_of([self.terms_of(name) for name in trace.tenants], types)

    def governance(
        self, trace: JobTrace, shares: Mapping[str, float], kinds: Sequence[Kind], types: Sequence[str]
    ) -> Any:
        """The kernel's tenants and limits of classes; None where nothing tells tenants apart.

        ``shares``: those of --share; ``kinds``: what each of the kernel's classes stands for; ``types``: the
        chip type of each pool.
        """
        from capsim.engine.kernel_tenants import kernel_limits, kernel_tenants
        from capsim.kernel.governance import Governance

        if self.file is None and not shares:
            return None  # all alike, which is the kernel's default; no rules need be loaded for it
        tenants = trace.tenants
        flavors = self.flavors(trace, types)
        rows = kernel_tenants([self.terms_of(name) for name in tenants], list(flavors))
        found = [
            replace(row, share=shares.get(name, row.share)) for name, row in zip(tenants, rows, strict=True)
        ]
        limits = kernel_limits(
            ([k for k, kind in enumerate(kinds) if kind.named == own], self.class_terms(name))
            for own, name in enumerate(trace.job_classes)
        )
        return Governance(found, self._reclaims, limits, list(flavors.values()))

    def quotas(
        self, trace: JobTrace, use: Callable[[], NDArray[Any]], types: Sequence[str]
    ) -> list[dict[str, Any]]:
        """What tenants with quotas by chip type had of each; ``use``: gives chip-ms [tenant, flavor]."""
        flavors = self.flavors(trace, types)
        if not flavors:
            return []
        chip_ms = use()
        return [
            {"tenant": number, "type": kind, "quota": quota, "chip_ms": int(chip_ms[number, flavor])}
            for number, name in enumerate(trace.tenants)
            if self.terms_of(name).by_name
            for flavor, kind in enumerate(flavors)
            if (quota := self.terms_of(name).quotas.get(kind)) is not None
        ]


class Kind(NamedTuple):
    """What one class of the kernel stands for: speeds of ``job_class``, the class ``named`` by the trace."""

    job_class: int
    named: int
    priority: int
    terms: ClassTerms


class Submitted(NamedTuple):
    """The jobs of a replay as the rules see them, by index into what is scheduled.

    ``kinds``: distinct classes, ``kind`` the one of each job. ``waits``: pairs that are heeded, with indices
    of scheduled jobs; ``lost_waits``: pairs whose other job is not scheduled. ``attempts``: of each job,
    ``fate``: index into FATES. ``after_first``: ms from the trace's first submission to that of these jobs.
    """

    kinds: list[Kind]
    kind: Ints
    waits: Waits | None
    lost_waits: int
    attempts: Ints
    fate: Ints
    deadline: Ints | None
    array: Ints | None
    array_limits: tuple[int, ...]
    after_first: int

    def options(self) -> Any:
        """The kernel's options of these jobs, waits apart; None where there are none."""
        from capsim.kernel.options import JobOptions
        from capsim.tables import CANCELLED as GONE
        from capsim.tables import DONE, FAILED_JOB

        plain = not (self.fate.any() or (self.attempts > 1).any())
        if plain and self.deadline is None and self.array is None and self.waits is None:
            return None
        states = np.zeros(3, dtype=np.int64)
        states[[COMPLETED, FAILED, CANCELLED]] = DONE, FAILED_JOB, GONE
        after = []
        if self.waits is not None:
            kinds = ("afterany", "afterok")
            rows = zip(*(column.tolist() for column in self.waits[:3]), strict=True)
            after = [(job, on, kinds[ok]) for job, on, ok in rows]
        return JobOptions(
            after=after,
            array=self.array,
            array_limits=self.array_limits,
            deadline=self.deadline,
            fate=None if plain else states[self.fate],
            retries=None if plain else self.attempts - 1,
        )


def submitted(trace: JobTrace, index: Ints, rules: ReplayRules, job_class: Ints | None = None) -> Submitted:
    """The terms of the jobs ``index`` of a trace; ``job_class``: classes with speeds of their own."""
    terms = trace.terms
    named = trace.job_class[index].astype(np.int64) if trace.job_class is not None else None
    of_class = [rules.class_terms(name) for name in trace.job_classes]
    none = np.zeros(len(index), dtype=np.int64)
    columns = [
        none if job_class is None else job_class,
        none if named is None else named,
        rules.priorities(trace)[index],
    ]
    rows, kind = np.unique(np.stack(columns), axis=1, return_inverse=True)
    kinds = [
        Kind(int(speeds), int(own), int(priority), of_class[own] if of_class else ClassTerms())
        for speeds, own, priority in rows.T.tolist()
    ]
    heeded = rules.dependencies != "ignore"
    waits, lost = None, 0
    if heeded and terms.waits is not None:
        waits, lost = _scheduled(terms.waits, index, len(trace))
    attempts = none + 1
    fate = terms.fate[index] if rules.fates and terms.fate is not None else none
    if rules.fates:
        attempts += terms.retries[index] if terms.retries is not None else 0
        attempts[fate == FAILED] += rules.retry
    array: Ints | None = None
    limits: tuple[int, ...] = ()
    if heeded and terms.array is not None and any(terms.array_limits):
        bounded = np.append(np.array(terms.array_limits) > 0, False)
        own = terms.array[index]
        array = np.where(bounded[own], own, -1)
        limits = tuple(limit or 1 for limit in terms.array_limits)
    deadline = None
    if terms.deadline is not None and len(index):
        zero = int(trace.submit[index[0]])
        own = terms.deadline[index]
        deadline = np.where(own >= 0, np.maximum(own - zero, 0), -1)
    after_first = int(trace.submit[index[0]] - trace.submit[0]) if len(index) else 0
    kind = kind.reshape(-1)
    return Submitted(kinds, kind, waits, lost, attempts, fate, deadline, array, limits, after_first)


def _scheduled(waits: Waits, index: Ints, jobs: int) -> tuple[Waits, int]:
    """Pairs as indices into the scheduled jobs, and how many wait for one that is not scheduled."""
    place = np.full(jobs, -1, dtype=np.int64)
    place[index] = np.arange(len(index))
    own = waits.only(place[waits.job] >= 0)
    known = place[own.on] >= 0
    found = own.only(known)
    return found._replace(job=place[found.job], on=place[found.on]), int(np.count_nonzero(~known))
