"""Wrong rules that the tests must notice: ``python -m tests.oracles.mutants`` shows which case kills which.

Each mutant is a switch in a slow scheduler (``scalar.MUTANTS``, ``scheduler.MUTANTS``). A hand-computed case
of ``named`` kills it if its schedule differs from the one worked out by hand, or if a promise is broken.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from tests.oracles import named, scalar, scheduler


@dataclass(frozen=True)
class Kill:
    """A case that a mutant gets wrong, and how."""

    case: str
    how: str


def scalar_kills(mutant: str | None) -> list[Kill]:
    """Cases of one pool that a mutant of ``scalar`` gets wrong."""
    kills = []
    for case in named.SCALAR:
        try:
            starts = tuple(case.run(mutant))
        except AssertionError as error:
            kills.append(Kill(case.name, f"assertion: {error}"))
            continue
        if starts != case.starts:
            kills.append(Kill(case.name, f"starts {starts}, by hand {case.starts}"))
    return kills


def topology_kills(mutant: str | None) -> list[Kill]:
    """Cases with racks and blocks that a mutant of ``scheduler`` gets wrong."""
    kills = []
    for case in named.TOPOLOGY:
        try:
            starts = tuple(life.start for life in scheduler.Scheduler(case.case(), mutant).run())
        except scheduler.PromiseBroken as error:
            kills.append(Kill(case.name, f"promise broken: {error}"))
            continue
        if starts != case.starts:
            kills.append(Kill(case.name, f"starts {starts}, by hand {case.starts}"))
    return kills


def all_kills() -> dict[tuple[str, str], list[Kill]]:
    """Kills by (which scheduler, mutant)."""
    found = {("one pool", name): scalar_kills(name) for name in scalar.MUTANTS}
    return found | {("topology", name): topology_kills(name) for name in scheduler.MUTANTS}


def main() -> int:
    """Print every mutant with what kills it; 1 if one survives or a right rule fails."""
    failed = bool(scalar_kills(None) or topology_kills(None))
    print("rules as they are: " + ("WRONG on a case computed by hand" if failed else "all cases as computed"))
    texts = {("one pool", k): v for k, v in scalar.MUTANTS.items()}
    texts |= {("topology", k): v for k, v in scheduler.MUTANTS.items()}
    for (which, name), kills in all_kills().items():
        failed = failed or not kills
        print(f"\n{which}: {name} — {texts[which, name]}")
        for kill in kills:
            print(f"  killed by “{kill.case}”: {kill.how}")
        if not kills:
            print("  SURVIVES")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
