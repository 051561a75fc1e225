"""The names of policies of a replay: ``order+backfilling``, as docs/traces.md defines them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from capsim.errors import InputError

POLICIES = ("fcfs", "easy", "conservative")
"""The policies that the exact schedules of the shared truth hold."""

GAVEL = {"gavel-max-min": "max-min", "gavel-throughput": "throughput", "gavel-agnostic": "agnostic"}
"""Gavel's policies, and the objective of each in ``capsim.policies.gavel``."""

SIA = "sia"

IN_ROUNDS = (*GAVEL, SIA)
"""Policies that give out the chips in rounds, on chip types."""

BACKFILLING = ("none", "easy", "conservative")


SHARING = ("fair-share", "drf", "themis")
"""Orders that look at the tenants' shares."""

BEST_FIT = "best-fit"


@dataclass(frozen=True)
class ReplayPolicy:
    """A queue order, a backfilling and a placement; ``name`` is what reports call it.

    ``order`` and ``placement`` are built-in names or compiled functions (``capsim.policies.orders``).
    ``depth``: queued jobs that hold a reservation under conservative backfilling, 0: all.
    """

    name: str
    order: str | Callable[..., Any]
    backfill: str
    depth: int = 0
    placement: str | Callable[..., Any] = BEST_FIT

    @property
    def scalar(self) -> bool:
        """Whether a kernel for interchangeable chips alone knows this policy."""
        return self.name in POLICIES or self.depth > 0

    @property
    def preempts(self) -> bool:
        """Whether the order stops running jobs: least attained service does, as in Tiresias."""
        return self.order == "las"

    @property
    def shared(self) -> bool:
        """Whether the order looks at the tenants' shares."""
        return self.order in SHARING

    @property
    def objective(self) -> str:
        """The objective of one of Gavel's policies; empty for another."""
        return GAVEL.get(self.name, "")

    @property
    def weighted(self) -> bool:
        """Whether it is a policy of rounds that looks at the tenants' shares."""
        return self.objective in ("max-min", "agnostic")

    @property
    def rounds(self) -> bool:
        """Whether the chips are given out in rounds."""
        return self.name in IN_ROUNDS


def parse_policy(text: str) -> ReplayPolicy:
    """The policy of a name such as ``fcfs``, ``easy``, ``sjf+easy``, ``easy+spread``, ``conservative``,
    ``gavel-max-min``, ``sia`` or ``own.py:function+easy``.

    An order alone has no backfilling, a backfilling alone has the order fcfs, the placement is best-fit;
    ``conservative:N`` limits the reservations to N. Raises InputError otherwise.
    """
    words = [word.strip() for word in text.split("+")]
    base, colon, depth = words[0].partition(":")
    if base == "conservative" and colon and len(words) == 1:
        if not depth.isdecimal() or int(depth) < 1:
            raise InputError(f"policy {text!r}: write conservative:N with a number of reservations from 1 on")
        return ReplayPolicy(words[0], "fcfs", base, int(depth))
    if words[0] in IN_ROUNDS and len(words) == 1:
        return ReplayPolicy(words[0], "fcfs", "none")
    parts = [_part(word, text) for word in words]
    kinds = [kind for kind, _, _ in parts]
    if kinds not in FORMS:
        raise InputError(f"policy {text!r}: write ORDER, ORDER+BACKFILLING or ORDER+BACKFILLING+PLACEMENT")
    names = {kind: name for kind, name, _ in parts}
    values = {kind: value for kind, _, value in parts}
    order, placement = values.get("order", "fcfs"), values.get("placement", BEST_FIT)
    backfill = names.get("backfilling", "none")
    if backfill == "conservative" and (order != "fcfs" or placement != BEST_FIT):
        raise InputError(
            f"policy {text!r}: conservative backfilling keeps the order fcfs and knows interchangeable chips"
            f" only; write {names.get('order', 'fcfs')}+easy"
        )
    if order == "fcfs" and backfill != "none":
        name = backfill
    else:
        name = "+".join([names["order"], *([backfill] if backfill != "none" else [])])
    if placement != BEST_FIT:
        name += f"+{names['placement']}"
    return ReplayPolicy(name, order, backfill, placement=placement)


FORMS = [
    [*first, *last]
    for first in (["order"], ["backfilling"], ["order", "backfilling"])
    for last in ([], ["placement"])
]
"""What the parts of a name may be, in their order."""


def _part(word: str, text: str) -> tuple[str, str, str | Callable[..., Any]]:
    """What one part of a policy's name is, what reports call it, and the built-in name or function."""
    from capsim.policies.orders import ORDERS, PLACEMENTS
    from capsim.policies.own import offered, own_policy

    kinds = {"order": ORDERS, "backfilling": BACKFILLING, "placement": PLACEMENTS}
    for kind, known in kinds.items():
        if word in known:
            return kind, word, word
    if ":" in word or word in offered():
        own = own_policy(word)
        return own.kind, own.name, own.function
    raise InputError(
        f"unknown policy {text!r}; write an order ({', '.join(ORDERS)}), easy or conservative,"
        f" ORDER+easy, ORDER+easy+PLACEMENT (with --domain: {', '.join(PLACEMENTS)}), file.py:function for"
        f" an order or placement of your own, or one of {', '.join(IN_ROUNDS)}"
    )


def check_machine(policies: Sequence[ReplayPolicy], *, domains: bool, types: bool) -> None:
    """Raise InputError, with all problems, for policies that do not go with the machine.

    ``domains``: it has scale-up domains; ``types``: several chip types.
    """
    problems = []
    for policy in policies:
        if policy.rounds and not types:
            problems.append(f"policy {policy.name} needs chip types; describe them with --types FILE.yaml")
        if policy.backfill == "conservative" and (domains or types):
            problems.append(
                f"conservative backfilling knows {'one type of' if types else 'interchangeable'} chips only;"
                f" leave {'--types' if types else '--domain'} out"
            )
        if policy.placement != BEST_FIT and not domains:
            problems.append(
                f"policy {policy.name}: placement is among scale-up domains; say --domain D, the chips of one"
            )
    if problems:
        raise InputError("\n".join(problems))


def parse_policies(text: str, depth: int | None = None) -> list[ReplayPolicy]:
    """Names separated by commas, each checked; InputError names all that are wrong or doubled.

    ``depth`` stands for ``conservative:depth`` in place of ``conservative``.
    """
    found, problems = list[ReplayPolicy](), list[str]()
    parts = [part.strip() for part in text.split(",")]
    if depth is not None:
        if "conservative" not in parts:
            problems.append("--depth limits conservative backfilling; name it with --policy conservative")
        parts = [f"{part}:{depth}" if part == "conservative" else part for part in parts]
    for part in parts:
        try:
            policy = parse_policy(part)
        except InputError as error:
            problems.append(str(error))
            continue
        if policy.name in [other.name for other in found]:
            problems.append(f"policy {policy.name!r} is named twice; name it once")
        found.append(policy)
    if problems:
        raise InputError("\n".join(problems))
    return found
