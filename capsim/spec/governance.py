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
    quota: Count | None = Field(
        default=None, description="chips that its admitted jobs may have together; any number where absent"
    )
    cohort: str | None = Field(
        default=None, description="tenants that lend each other what they do not use of their quotas"
    )
    borrow: Count | None = Field(
        default=None, description="chips beyond the quota; all that the cohort has where absent"
    )
    max_running: PositiveCount | None = Field(default=None, description="admitted jobs at a time")


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

    def check_reservations(self, chips: int, domain: int) -> None:
        """Raise StudyError for reservations that ``chips`` in domains of ``domain`` cannot keep."""
        problems = []
        rows = self.terms.reservations
        for number, row in enumerate(rows):
            at = int(row.at)
            together = [o for o in rows if int(o.at) <= at < int(o.at) + int(o.lasts)]
            taken = sum(-(-int(o.chips) // max(domain, 1)) * max(domain, 1) for o in together)
            if not domain:
                what = "reservations take whole scale-up domains, and the machine has none"
                problems.append(
                    self.problem(("reservations", number), what, "say --domain D, the chips of one")
                )
            elif taken > chips:
                what = f"{taken:,} chips are reserved when this begins, the machine has {chips:,}"
                hint = "reserve fewer, or at another time"
                problems.append(self.problem(("reservations", number, "chips"), what, hint))
        if problems:
            raise StudyError(limited(problems))


def read_governance(path: Path) -> GovernanceFile:
    """Read and check a file of governance. Raises StudyError with all its problems and their places."""
    terms, root = read_section(path, Governance)
    found = GovernanceFile(terms, root)
    problems = []
    for name, key, what, hint in wrong_tenants(dict(terms.tenants)):
        problems.append(found.problem(("tenants", name, key), what, hint))
    if terms.others.cohort is not None:
        what, hint = "tenants that are not named cannot share a cohort", "name each of them under tenants"
        problems.append(found.problem(("others", "cohort"), what, hint))
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


def wrong_tenants(tenants: AnyMapping[str, TenantTerms]) -> list[tuple[str, str, str, str]]:
    """Terms that do not go together: (tenant, key, what is wrong, what to write instead)."""
    found: list[tuple[str, str, str, str]] = []
    members: dict[str, list[str]] = {}
    for name, row in tenants.items():
        if row.cohort is not None:
            members.setdefault(row.cohort, []).append(name)
            if row.quota is None:
                what = f"{shown(name)} shares a cohort without a quota"
                found.append((name, "cohort", what, "add quota: 64"))
        if row.borrow is not None and row.cohort is None:
            what = f"{shown(name)} borrows from nobody"
            found.append((name, "borrow", what, "add cohort: NAME, or leave it out"))
        for key in ("quota", "borrow"):
            if (getattr(row, key) or 0) > MOST_CHIPS:
                found.append((name, key, f"{getattr(row, key):,} chips", f"write at most {MOST_CHIPS:,}"))
        if row.share > MOST_SHARE:
            found.append((name, "share", f"a share of {float(row.share):g}", f"write at most {MOST_SHARE:g}"))
    for cohort, names in members.items():
        if len(names) == 1:
            what = f"{shown(names[0])} is alone in the cohort {shown(cohort)}, which has nothing to lend it"
            found.append((names[0], "cohort", what, "name the cohort of another tenant, or leave it out"))
        elif not any(tenants[name].quota for name in names):
            what = f"the cohort {shown(cohort)} has no quota to lend"
            found.append((names[0], "cohort", what, "give one of its tenants a quota above 0"))
    return found


def most_chips(tenants: AnyMapping[str, TenantTerms]) -> dict[str, int]:
    """Chips of the largest job that each tenant with a quota may ever have."""
    together: dict[str, int] = {}
    for row in tenants.values():
        if row.cohort is not None:
            together[row.cohort] = together.get(row.cohort, 0) + int(row.quota or 0)
    found: dict[str, int] = {}
    for name, row in tenants.items():
        if row.quota is not None and row.cohort is None:
            found[name] = int(row.quota)
        elif row.quota is not None and row.cohort is not None:
            most = together[row.cohort]
            found[name] = most if row.borrow is None else min(most, int(row.quota) + int(row.borrow))
    return found
