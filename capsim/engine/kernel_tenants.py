"""Tenants and limits as the kernel takes them, from their terms in a study or in a file of a replay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from capsim.kernel.governance import ClassLimit, Tenant
from capsim.spec.governance import TenantTerms, WorkLimit


def kernel_tenants(terms: Sequence[TenantTerms]) -> list[Tenant]:
    """The kernel's tenants, in the order of the terms; cohorts are numbered as they come."""
    cohorts = {name: i for i, name in enumerate(dict.fromkeys(r.cohort for r in terms if r.cohort))}
    return [
        Tenant(
            share=float(row.share),
            quota=None if row.quota is None else int(row.quota),
            cohort=None if row.cohort is None else cohorts[row.cohort],
            borrow=None if row.borrow is None else int(row.borrow),
            max_running=None if row.max_running is None else int(row.max_running),
        )
        for row in terms
    ]


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
