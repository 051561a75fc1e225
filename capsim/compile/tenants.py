"""Who the tenants of a study are, and what each may use: research tenants first, then those of named runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from capsim.spec.demand import Research, TracedResearch
from capsim.spec.governance import TenantTerms, most_by_name
from capsim.spec.scheduler import ReservedChips
from capsim.spec.study import Study
from capsim.workload.traced_demand import jobs_of


@dataclass(frozen=True)
class TenantTable:
    """The tenants of a study by the kernel's index.

    Attributes:
        names: research tenants in their own order, then tenants of named runs that are not among them.
        terms: what each may use.
        of_run: tenant of each named run, by its name.
        research: number of research tenants.
    """

    names: tuple[str, ...]
    terms: tuple[TenantTerms, ...]
    of_run: dict[str, int]
    research: int

    def most(self) -> dict[str, dict[str, int]]:
        """Chips of the largest job that each tenant with a quota may ever have, by the quotas' names."""
        return most_by_name(dict(zip(self.names, self.terms, strict=True)))

    def largest(self, systems: Collection[str]) -> dict[str, int]:
        """The same on some of these systems; of a tenant with quotas of none of them, on any."""
        found = {}
        for name, most in self.most().items():
            there = [chips for system, chips in most.items() if system in systems or not system]
            found[name] = max(there, default=0) or max(most.values(), default=0)
        return found


def research_tenants(study: Study) -> tuple[str, ...]:
    """Names of the tenants whose campaigns are drawn, or of those of a trace; numbers from 1 without names.

    Raises InputError for a trace that cannot be read.
    """
    research = study.demand.research
    if isinstance(research, TracedResearch):
        return jobs_of(research.path, research.sha256).tenants
    if not isinstance(research, Research):
        return ()
    count, named = int(research.tenants.count), research.tenants.names or []
    return (*named[:count], *(str(number) for number in range(len(named) + 1, count + 1)))


def reserved_system(study: Study, row: ReservedChips) -> str:
    """The system of which chips are reserved: the offer's only one where the row names none."""
    return row.system or next(iter(study.offers[row.offer].chips))


def run_tenants(study: Study) -> dict[str, str]:
    """The tenant of each named run: the one it names, else its own name."""
    return {run.name: run.tenant or run.name for run in study.demand.training_runs}


def tenant_table(study: Study) -> TenantTable:
    """All tenants of a study with their terms; those that the study does not name have the defaults.

    Terms of `others` are those of research tenants that are not named, never of named runs.
    """
    research, of_run = research_tenants(study), run_tenants(study)
    names = tuple(dict.fromkeys((*research, *of_run.values())))
    spec = study.scheduler
    given, default = spec.tenants or {}, TenantTerms()
    others = spec.others or default
    terms = tuple(
        given.get(name, others if place < len(research) else default) for place, name in enumerate(names)
    )
    place = {name: index for index, name in enumerate(names)}
    return TenantTable(names, terms, {run: place[tenant] for run, tenant in of_run.items()}, len(research))
