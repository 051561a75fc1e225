"""Named checks of a loaded study: what `capsim check` prints and every other command runs first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from capsim.compile.check_contracts import closed_books, exclusivity, holdable, lots
from capsim.compile.check_delivery import delivery_terms, placement
from capsim.compile.check_dispatch import dispatch
from capsim.compile.check_governance import governance
from capsim.compile.check_prices import price_terms
from capsim.compile.check_summary import conversion, cross_check, provenance_counts
from capsim.compile.check_traces import traces
from capsim.compile.check_work import chip_time_overflow, dates, gangs, limits, scale_up, shares_sum
from capsim.compile.checkpoints import checkpoints
from capsim.compile.findings import Report
from capsim.errors import StudyError
from capsim.spec.findings import Finding
from capsim.spec.loader import Loaded

CHECKS: Final[dict[str, Callable[[Loaded, Report], None]]] = {
    "shares-sum": shares_sum,
    "dates": dates,
    "scale-up": scale_up,
    "gangs": gangs,
    "checkpoints": checkpoints,
    "delivery-terms": delivery_terms,
    "placement": placement,
    "dispatch": dispatch,
    "price-terms": price_terms,
    "traces": traces,
    "governance": governance,
    "closed-books": closed_books,
    "holdable": holdable,
    "lots": lots,
    "exclusivity": exclusivity,
    "conversion": conversion,
    "chip-time-overflow": chip_time_overflow,
    "limits": limits,
    "cross-check": cross_check,
    "provenance": provenance_counts,
}
"""Every check by its name; `references` and `as-of` belong to loading."""

TELLING: Final = frozenset({"cross-check", "provenance"})
"""Checks that find no error and no warning: they only tell what the study rests on."""


def run_checks(loaded: Loaded, names: Sequence[str] | None = None, *, telling: bool = True) -> list[Finding]:
    """Findings of the named checks (all where None), the decision date's first.

    Without ``telling`` the checks that only tell (`TELLING`) are left out, which is faster.
    """
    findings = list(loaded.findings) if names is None else []
    for name in CHECKS if names is None else names:
        if name in TELLING and not telling:
            continue
        report = Report(name, loaded)
        CHECKS[name](loaded, report)
        findings += report.findings
    return findings


def require_sound(loaded: Loaded, *, strict: bool = False) -> list[Finding]:
    """Run every check; the findings that are no errors.

    Raises StudyError with the errors, warnings included where ``strict``.
    """
    findings = run_checks(loaded)
    levels = ("error", "warning") if strict else ("error",)
    wrong = [finding for finding in findings if finding.level in levels]
    if wrong:
        raise StudyError([finding.where for finding in wrong])
    return findings
