"""The names of policies of a replay: ``order+backfilling``, as docs/traces.md defines them."""

from __future__ import annotations

from dataclasses import dataclass

from capsim.errors import InputError

POLICIES = ("fcfs", "easy", "conservative")
"""The policies that the exact schedules of the shared truth hold."""

GAVEL = {"gavel-max-min": "max-min", "gavel-throughput": "throughput", "gavel-agnostic": "agnostic"}
"""Gavel's policies, and the objective of each in ``capsim.policies.gavel``."""

SIA = "sia"

IN_ROUNDS = (*GAVEL, SIA)
"""Policies that give out the chips in rounds, on chip types."""

BACKFILLING = ("none", "easy", "conservative")


@dataclass(frozen=True)
class ReplayPolicy:
    """A queue order and a backfilling; ``name`` is what was written, without spaces.

    ``depth``: queued jobs that hold a reservation under conservative backfilling, 0: all.
    """

    name: str
    order: str
    backfill: str
    depth: int = 0

    @property
    def scalar(self) -> bool:
        """Whether a kernel for interchangeable chips alone knows this policy."""
        return self.name in POLICIES or self.depth > 0

    @property
    def preempts(self) -> bool:
        """Whether the order stops running jobs: least attained service does, as in Tiresias."""
        return self.order == "las"

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


def orders() -> tuple[str, ...]:
    """The built-in queue orders (imported here because they load numba)."""
    from capsim.policies.orders import ORDERS

    return tuple(ORDERS)


def parse_policy(text: str) -> ReplayPolicy:
    """The policy of a name such as ``fcfs``, ``easy``, ``sjf+easy``, ``conservative``, ``gavel-max-min`` or
    ``sia``.

    An order alone has no backfilling, a backfilling alone has the order fcfs; ``conservative:N`` limits the
    reservations to N. Raises InputError otherwise.
    """
    name = text.replace(" ", "")
    base, colon, depth = name.partition(":")
    if base == "conservative" and colon:
        if not depth.isdecimal() or int(depth) < 1:
            raise InputError(f"policy {text!r}: write conservative:N with a number of reservations from 1 on")
        return ReplayPolicy(name, "fcfs", base, int(depth))
    if name in POLICIES:
        return ReplayPolicy(name, "fcfs", "none" if name == "fcfs" else name)
    if name in IN_ROUNDS:
        return ReplayPolicy(name, "fcfs", "none")
    order, plus, backfill = name.partition("+")
    known = orders()
    if order not in known or (plus and backfill not in BACKFILLING):
        raise InputError(
            f"unknown policy {text!r}; write an order ({', '.join(known)}), easy or conservative,"
            f" ORDER+easy, or one of {', '.join(IN_ROUNDS)}"
        )
    if order == "fcfs" and backfill in ("easy", "conservative"):
        return ReplayPolicy(backfill, "fcfs", backfill)
    if backfill == "conservative":
        raise InputError(
            f"policy {text!r}: conservative backfilling keeps the order fcfs; write {order}+easy"
        )
    return ReplayPolicy(order if backfill in ("", "none") else name, order, backfill or "none")


def parse_policies(text: str, depth: int | None = None) -> list[str]:
    """Names separated by commas, each checked; InputError names all that are wrong or doubled.

    ``depth`` stands for ``conservative:depth`` in place of ``conservative``.
    """
    names, problems = list[str](), list[str]()
    parts = [part.strip() for part in text.split(",")]
    if depth is not None:
        if "conservative" not in parts:
            problems.append("--depth limits conservative backfilling; name it with --policy conservative")
        parts = [f"{part}:{depth}" if part == "conservative" else part for part in parts]
    for part in parts:
        try:
            name = parse_policy(part).name
        except InputError as error:
            problems.append(str(error))
            continue
        if name in names:
            problems.append(f"policy {name!r} is named twice; name it once")
        names.append(name)
    if problems:
        raise InputError("\n".join(problems))
    return names
