"""What came out of each study of the news: sentences made of its figures, one function a study."""

from __future__ import annotations

from collections.abc import Callable

from news_figures import Found, change, gain, listed

Answer = Callable[[Found], list[str]]


def aws_38b(found: Found) -> list[str]:
    """Chips for $38B, and existing capacity against new builds."""
    sizes = ("200k", "230k", "320k", "500k")
    lines = []
    for size in sizes:
        old, new = f"existing-{size}", f"new-{size}"
        lines.append(
            f"**{size} chips**: in all, existing first costs {gain(found.less(old, new))} than new builds: "
            f"cash {change(found.billions('cash_npv', old) - found.billions('cash_npv', new))}, "
            f"work lost and slip {change(_lost(found, old) - _lost(found, new))}."
        )
    lines.append(
        f"From 230k to 500k chips for the same money: {gain(found.less('existing-500k', 'existing-230k'))} "
        f"with existing first, {gain(found.less('new-500k', 'new-230k'))} with new builds."
    )
    beaten = [
        s
        for s in sizes
        if found.billions("total_npv", f"new-{s}") < found.billions("total_npv", "existing-230k")
    ]
    lines.append(
        f"The default (230k, existing first) is beaten on average by new builds of {listed(beaten)}: "
        "enough more chips are worth the wait."
        if beaten
        else "No size of new builds beats the default (230k, existing first) on average."
    )
    idle = found.mean("paid_idle_share", "existing-500k"), found.mean("paid_idle_share", "existing-230k")
    lines.append(
        f"Of the paid chip-hours {100 * idle[0]:.0f} % are idle at 500k and {100 * idle[1]:.0f} % at 230k: "
        "the work of this lab, not the contract, limits what more chips are worth."
    )
    return lines


def _lost(found: Found, strategy: str, case: str = "base") -> float:
    """Work lost and slip, $B."""
    parts = ("lost_tokens_npv", "lost_research_npv", "slip_npv")
    return sum(found.billions(part, strategy, case) for part in parts)


ANSWERS: dict[str, Answer] = {
    "aws-38b": aws_38b,
}
