"""Tenants and limits as the kernel takes them, from their terms in a study or in a file of a replay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from capsim.kernel.governance import ClassLimit, Tenant
from capsim.spec.governance import TenantTerms, WorkLimit


def kernel_tenants(terms: Sequence[TenantTerms], kinds: Sequence[str]) -> list[Tenant]:
    """The kernel's tenants, in the order of the terms; cohorts are numbered as they come.

    ``kinds``: names of the flavors.
    """
    cohorts = {name: i for i, name in enumerate(dict.fromkeys(r.cohort for r in terms if r.cohort))}
    flavor = {name: i for i, name in enumerate(kinds)}
    found = []
    for row in terms:
        quota: int | dict[int, int] | None = row.quotas.get("")
        borrow: int | dict[int, int] | None = row.borrows.get("")
        if row.by_name:
            quota = {flavor[name]: chips for name, chips in row.quotas.items()}
            borrow = {flavor[name]: chips for name, chips in row.borrows.items()} or None
        found.append(
            Tenant(
                share=float(row.share),
                quota=quota,
                cohort=None if row.cohort is None else cohorts[row.cohort],
                borrow=borrow,
                max_running=None if row.max_running is None else int(row.max_running),
            )
        )
    return found


def flavors_of(terms: Sequence[TenantTerms], systems: Sequence[str]) -> dict[str, list[int]]:
    """Pools of each flavor by the name of its system, from that of each pool; none where no tenant asks.

    Systems that tenants name and no pool is of come last, without pools.
    """
    named = [name for row in terms if row.by_name for name in row.quotas]
    if not any(row.by_name for row in terms):
        return {}
    found: dict[str, list[int]] = {name: [] for name in dict.fromkeys((*systems, *named))}
    for pool, system in enumerate(systems):
        found[system].append(pool)
    return found


def kernel_limits(
    limits: Iterable[tuple[Sequence[int], WorkLimit | None]],
) -> dict[int | tuple[int, ...], ClassLimit]:
    """The kernel's limits of classes, from the classes of each kind of work and what limits it."""
    return {
        tuple(classes): ClassLimit(
            None if terms.max_running is None else int(terms.max_running),
            None if terms.max_chips is None else int(terms.max_chips),
        )
        for classes, terms in limits
        if classes and terms is not None and (terms.max_running or terms.max_chips)
    }
