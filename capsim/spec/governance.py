"""Schema of how a shared cluster is governed: its tenants and their limits, classes of jobs, maintenance.

A study has the tenants in its section ``scheduler``; ``capsim trace replay --tenants FILE.yaml`` reads all
of it from a file of its own, by the same rules for numbers, units and errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from capsim.errors import Problem, StudyError
from capsim.reserved import reserved_at
from capsim.spec.base import Section
from capsim.spec.explain import limited, locate
from capsim.spec.files import MOST_CHIPS, read_section
from capsim.spec.nodes import Mapping
from capsim.spec.quantities import DURATION, did_you_mean, shown
from capsim.spec.values import (
    ByKey,
    Count,
    DurationMs,
    Flag,
    OneOrByName,
    PositiveCount,
    PositiveDurationMs,
    PositiveNumber,
    Value,
    Whole,
)

MOST_SHARE = 1e9


class TenantTerms(Section):
    """What one tenant may use; how its jobs stand against those of others."""

    share: PositiveNumber = Field(
        default=Value(1), description="weight in the orders fair-share, drf and themis"
    )
    quota: OneOrByName[Count] | None = Field(
        default=None,
        description="chips that its admitted jobs may have together, or by system (in a replay: chip type),"
        " none of those that it does not name; any number where absent",
    )
    cohort: str | None = Field(
        default=None, description="tenants that lend each other what they do not use of their quotas"
    )
    borrow: OneOrByName[Count] | None = Field(
        default=None,
        description="chips beyond the quota, in each system or by system; all that the cohort has where"
        " absent",
    )
    max_running: PositiveCount | None = Field(default=None, description="admitted jobs at a time")

    @property
    def quotas(self) -> dict[str, int]:
        """Its quotas by system, or the one for all under an empty name; none without a quota."""
        if self.quota is None:
            return {}
        if isinstance(self.quota, dict):
            return {name: int(chips) for name, chips in self.quota.items()}
        return {"": int(self.quota)}

    @property
    def borrows(self) -> dict[str, int]:
        """What it may borrow, of the names of ``quotas``; any number of those that are not there."""
        if self.borrow is None:
            return {}
        if isinstance(self.borrow, dict):
            return {name: int(chips) for name, chips in self.borrow.items()}
        return dict.fromkeys(self.quotas, int(self.borrow))

    @property
    def by_name(self) -> bool:
        """Whether its quota is by system."""
        return isinstance(self.quota, dict)


class WorkLimit(Section):
    """Limits of some work, of all tenants together."""

    max_running: PositiveCount | None = Field(default=None, description="admitted jobs at a time")
    max_chips: PositiveCount | None = Field(
        default=None, description="chips that its admitted jobs may have together"
    )


class ClassTerms(WorkLimit):
    """A class of jobs: who goes first, who may be stopped, what that costs, how many there may be."""

    priority: Count = Field(default=Whole(0), description="the greater, the earlier and the safer")
    preemptible: Flag = Field(default=True, description="jobs of a higher class may stop it")
    grace: DurationMs = Field(default=Whole(0), description="from the notice to the stop")
    checkpoint: PositiveDurationMs | None = Field(
        default=None,
        description="work between checkpoints, since the last of which a stop without a grace loses all; it"
        " loses nothing where absent",
    )
    stall: PositiveDurationMs = Field(
        default=Whole(1), description="time that a checkpoint takes, where there are any; at least 1 ms"
    )
    restart: DurationMs = Field(default=Whole(0), description="time lost when a stopped job goes on")


class Drain(Section):
    """Maintenance of the whole machine."""

    at: DurationMs = Field(description="after the first submission")
    lasts: PositiveDurationMs
    grace: DurationMs | None = Field(
        default=None,
        description="after it running jobs are checkpointed and stopped; they run on where absent",
    )


class ReservationTerms(Section):
    """Whole scale-up domains that are kept for some jobs for a while; for nobody where it names neither."""

    at: DurationMs = Field(description="begins, after the first submission")
    lasts: PositiveDurationMs
    chips: PositiveCount = Field(description="rounded up to whole scale-up domains")
    type: str | None = Field(default=None, description="where there are several: the chip type")
    tenants: list[str] | None = Field(default=None, description="whose jobs may use it")
    classes: list[str] | None = Field(
        default=None, description="whose jobs may use it; of both where both are"
    )
    announced: DurationMs = Field(
        default=Whole(0), description="jobs heed it from then on, after the first submission"
    )
    flex: Flag = Field(
        default=False, description="jobs that may use it may start before it begins and run past its end"
    )
    evict: Flag = Field(
        default=False, description="other jobs that are still there when it begins are stopped"
    )


class Governance(Section):
    """What ``--tenants`` describes."""

    tenants: ByKey[str, TenantTerms] = Field(default_factory=dict)
    others: TenantTerms = Field(default_factory=TenantTerms, description="every tenant that is not named")
    reclaim: Flag = Field(
        default=True, description="jobs admitted beyond a quota are stopped for tenants within theirs"
    )
    classes: ByKey[str, ClassTerms] = Field(default_factory=dict)
    drains: list[Drain] = Field(default_factory=list)
    reservations: list[ReservationTerms] = Field(default_factory=list)


@dataclass(frozen=True)
class GovernanceFile:
    """A file of governance and where its keys stand."""

    terms: Governance
    tree: Mapping

    def problem(self, path: Sequence[str | int], what: str, hint: str) -> Problem:
        """A problem at the key of a path."""
        return locate(self.tree, path).key_at.problem(what, hint)

    def check_names(self, tenants: Iterable[str], classes: Iterable[str]) -> None:
        """Raise StudyError for tenants and classes that a trace does not have."""
        known = {"tenants": tuple(tenants), "classes": tuple(classes)}
        named: list[tuple[tuple[str | int, ...], str, str]] = []
        named += [(("tenants", name), "tenants", name) for name in self.terms.tenants]
        named += [(("classes", name), "classes", name) for name in self.terms.classes]
        for number, row in enumerate(self.terms.reservations):
            here = ("reservations", number)
            named += [((*here, "tenants"), "tenants", name) for name in row.tenants or ()]
            named += [((*here, "classes"), "classes", name) for name in row.classes or ()]
        problems = []
        for path, section, name in named:
            if name not in known[section]:
                given = known[section]
                hint = did_you_mean(name, given) if given else f"the trace names no {section}"
                kind = {"tenants": "tenant", "classes": "class"}[section]
                problems.append(self.problem(path, f"the trace has no {kind} {shown(name)}", hint))
        if problems:
            raise StudyError(limited(problems))

    def check_quotas(self, types: Sequence[str]) -> None:
        """Raise StudyError for quotas of chip types that are not among ``types``."""
        problems = []
        rows = [(("tenants", name), row) for name, row in self.terms.tenants.items()]
        for here, row in [*rows, (("others",), self.terms.others)]:
            for kind in row.quotas if row.by_name else ():
                if kind not in types:
                    hint = did_you_mean(kind, types) if types else "describe them with --types FILE.yaml"
                    what = f"there is no chip type {shown(kind)}"
                    problems.append(self.problem((*here, "quota", kind), what, hint))
        if problems:
            raise StudyError(limited(problems))

    def check_reservations(self, chips: int, domain: int) -> None:
        """Raise StudyError for reservations that ``chips`` in domains of ``domain`` cannot keep."""
        problems = []
        for number, row in enumerate(self.terms.reservations):
            here = ("reservations", number)
            if row.type is not None:
                what = "there is one chip type only"
                problems.append(self.problem((*here, "type"), what, "leave it out, or add --types FILE.yaml"))
            if not domain:
                what = "reservations take whole scale-up domains, and the machine has none"
                problems.append(self.problem(here, what, "say --domain D, the chips of one"))
            elif (taken := self._taken(number, domain)) > chips:
                what = f"{taken:,} chips are reserved when this begins, the machine has {chips:,}"
                problems.append(self.problem((*here, "chips"), what, "reserve fewer, or at another time"))
        if problems:
            raise StudyError(limited(problems))

    def check_reserved_types(self, types: AnyMapping[str, int]) -> None:
        """Raise StudyError for reservations that chip types cannot keep; ``types``: the chips of each."""
        problems = []
        for number, row in enumerate(self.terms.reservations):
            here = ("reservations", number)
            if row.type is None:
                problems.append(
                    self.problem(here, "of which chip type is this", f"add type: {next(iter(types))}")
                )
            elif row.type not in types:
                what = f"there is no chip type {shown(row.type)}"
                problems.append(self.problem((*here, "type"), what, did_you_mean(row.type, tuple(types))))
            elif (taken := self._taken(number, 1)) > (chips := types[row.type]):
                what = (
                    f"{taken:,} chips of {shown(row.type)} are reserved when this begins, there are {chips:,}"
                )
                problems.append(self.problem((*here, "chips"), what, "reserve fewer, or at another time"))
        if problems:
            raise StudyError(limited(problems))

    def parted(self, types: AnyMapping[str, int]) -> set[str]:
        """Chip types of which a reservation keeps a part only; ``types``: the chips of each."""
        kept = self.terms.reservations
        return {row.type for row in kept if row.type is not None and int(row.chips) < types[row.type]}

    def _taken(self, number: int, domain: int) -> int:
        """Chips of its type that are reserved when a reservation begins, in whole domains."""
        row = self.terms.reservations[number]
        same = [o for o in self.terms.reservations if o.type == row.type]
        windows = [(int(o.at), int(o.at) + int(o.lasts), -(-int(o.chips) // domain) * domain) for o in same]
        return reserved_at(int(row.at), windows)


def read_governance(path: Path) -> GovernanceFile:
    """Read and check a file of governance. Raises StudyError with all its problems and their places."""
    terms, root = read_section(path, Governance)
    found = GovernanceFile(terms, root)
    problems = []
    for place, what, hint in wrong_tenants(terms.tenants, terms.others):
        problems.append(found.problem(place, what, hint))
    for name, row in terms.classes.items():
        if (row.max_chips or 0) > MOST_CHIPS:
            what, hint = f"{row.max_chips:,} chips", f"write at most {MOST_CHIPS:,}"
            problems.append(found.problem(("classes", name, "max_chips"), what, hint))
    for number, drain in enumerate(terms.drains[1:], 1):
        before = terms.drains[number - 1]
        if drain.at < before.at + before.lasts:
            what = "this drain begins before the one above it is over"
            problems.append(found.problem(("drains", number), what, "write them in order of time, apart"))
    for number, kept in enumerate(terms.reservations):
        if kept.announced > kept.at:
            what = "this reservation is announced after it begins"
            hint = f"write at most {DURATION.show(kept.at)}"
            problems.append(found.problem(("reservations", number, "announced"), what, hint))
    if problems:
        raise StudyError(limited(problems))
    return found


Wrong = tuple[tuple[str, ...], str, str]
"""A path, what is wrong there, what to write instead."""


def wrong_tenants(tenants: AnyMapping[str, TenantTerms], others: TenantTerms | None) -> list[Wrong]:
    """Terms that do not go together."""
    found: list[Wrong] = []
    members: dict[str, list[str]] = {}
    for name, row in tenants.items():
        if row.cohort is not None:
            members.setdefault(row.cohort, []).append(name)
            if row.quota is None:
                what = f"{shown(name)} shares a cohort without a quota"
                found.append((("tenants", name, "cohort"), what, "add quota: 64"))
        found += _wrong_figures(("tenants", name), shown(name), row)
    for cohort, names in members.items():
        at = ("tenants", names[0], "cohort")
        if len(names) == 1:
            what = f"{shown(names[0])} is alone in the cohort {shown(cohort)}, which has nothing to lend it"
            found.append((at, what, "name the cohort of another tenant, or leave it out"))
        elif not any(any(tenants[name].quotas.values()) for name in names):
            what = f"the cohort {shown(cohort)} has no quota to lend"
            found.append((at, what, "give one of its tenants a quota above 0"))
        split = [name for name in names if tenants[name].by_name]
        if split and len(split) < len(names):
            what = f"in the cohort {shown(cohort)} only some quotas are by name"
            found.append((at, what, f"write them all as {shown(split[0])} does, or as one number each"))
    if others is not None:
        if others.cohort is not None:
            what = "tenants that are not named cannot share a cohort"
            found.append((("others", "cohort"), what, "name each of them under tenants"))
        found += _wrong_figures(("others",), "who is not named", others)
    return found


def _wrong_figures(here: tuple[str, ...], who: str, row: TenantTerms) -> list[Wrong]:
    """Figures of one tenant that are out of bounds, or belong to nothing."""
    found: list[Wrong] = []
    if row.borrow is not None and row.cohort is None:
        found.append(((*here, "borrow"), f"{who} borrows from nobody", "add cohort: NAME, or leave it out"))
    for key in ("quota", "borrow"):
        value = getattr(row, key) or 0
        for path, chips in value.items() if isinstance(value, dict) else [("", value)]:
            at = (*here, key, *([path] if path else []))
            if chips > MOST_CHIPS:
                found.append((at, f"{chips:,} chips", f"write at most {MOST_CHIPS:,}"))
            elif key == "borrow" and path and path not in row.quotas:
                what = f"{who} borrows chips of {shown(path)}, of which it has no quota"
                found.append((at, what, f"add {path} to its quota, which may be 0"))
    if row.share > MOST_SHARE:
        what = f"a share of {float(row.share):g}"
        found.append(((*here, "share"), what, f"write at most {MOST_SHARE:g}"))
    return found


def most_by_name(tenants: AnyMapping[str, TenantTerms]) -> dict[str, dict[str, int]]:
    """Chips of the largest job that each tenant with a quota may ever have, by the names of ``quotas``."""
    together: dict[tuple[str, str], int] = {}
    for row in tenants.values():
        for kind, quota in row.quotas.items():
            if row.cohort is not None:
                together[row.cohort, kind] = together.get((row.cohort, kind), 0) + quota
    found: dict[str, dict[str, int]] = {}
    for name, row in tenants.items():
        if row.quota is not None:
            found[name] = {}
        for kind, quota in row.quotas.items():
            most = quota
            if row.cohort is not None:
                most = together[row.cohort, kind]
                most = min(most, quota + row.borrows[kind]) if kind in row.borrows else most
            found[name][kind] = most
    return found
