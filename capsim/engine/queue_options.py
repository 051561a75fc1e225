"""Settings of a replay's queue: options of the orders, shares of the tenants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from capsim.engine.replay_policies import SHARING, ReplayPolicy
from capsim.errors import InputError
from capsim.spec.governance import TenantTerms
from capsim.spec.quantities import DURATION, NUMBER, Form, did_you_mean

FORMS: dict[str, Form] = {
    "recalculate": DURATION,
    "half_life": DURATION,
    "thresholds": DURATION,
    "promote": NUMBER,
    "exempt": DURATION,
    "slack": NUMBER,
}
"""How each option is written; thresholds are chip-time, so ``10h`` is ten hours of one chip."""


@dataclass(frozen=True)
class QueueOptions:
    """``options`` by order (see ``capsim.policies.orders.OPTIONS``), ``shares`` by tenant (default 1)."""

    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)

    def check_used(
        self, policies: Sequence[ReplayPolicy], tenants: Mapping[str, TenantTerms] | None = None
    ) -> None:
        """Raise InputError for options and shares that none of the policies looks at, or are said twice.

        ``tenants``: those of a file of --tenants.
        """
        orders = {policy.order for policy in policies}
        problems = [
            f"--order-option {order}.{option}: no policy here has the order {order}; name one or leave it out"
            for order, own in self.options.items()
            for option in own
            if order not in orders
        ]
        if self.shares and not any(policy.shared or policy.weighted for policy in policies):
            able = ", ".join((*SHARING, "gavel-max-min"))
            problems.append(f"--share: no policy here looks at shares; name one of {able}")
        problems += [
            f"--share: {name!r} has its terms in the file of --tenants; write its share there"
            for name in self.shares
            if name in (tenants or {})
        ]
        if problems:
            raise InputError("\n".join(problems))

    def check_tenants(self, tenants: Sequence[str]) -> None:
        """Raise InputError for shares of tenants that the trace does not have."""
        unknown = [name for name in self.shares if name not in tenants]
        if unknown:
            hint = did_you_mean(unknown[0], tenants) or "capsim trace info names the largest"
            raise InputError(f"--share: the trace has no tenant {unknown[0]!r}; {hint}")

    def policy(self, replay: ReplayPolicy, preemption: bool = False, by_class: bool = False) -> Any:
        """The kernel's policy. Least attained service preempts, as Tiresias does; others where asked to."""
        from capsim.kernel.api import Policy

        return Policy(
            order=replay.order,
            by_class=by_class,
            backfill=replay.backfill,
            preemption=replay.preempts or preemption,
            placement=replay.placement,
            order_options=self.options.get(replay.order, {}) if isinstance(replay.order, str) else {},
        )


def read_queue_options(options: Sequence[str], shares: Sequence[str]) -> QueueOptions:
    """``ORDER.OPTION=VALUE`` and ``TENANT=NUMBER`` as written. Raises InputError with all that are wrong."""
    from capsim.policies.orders import OPTIONS

    found: dict[str, dict[str, Any]] = {}
    weights, problems = dict[str, float](), list[str]()
    for text in options:
        name, _, value = text.partition("=")
        order, _, option = name.strip().partition(".")
        if option not in OPTIONS.get(order, {}):
            known = [f"{o}.{n}" for o, own in OPTIONS.items() for n in own]
            problems.append(f"--order-option {text}: write ORDER.OPTION=VALUE, one of {', '.join(known)}")
            continue
        try:
            found.setdefault(order, {})[option] = _value(option, value)
        except ValueError as error:
            problems.append(f"--order-option {text}: {error}; write {FORMS[option].example}")
    for text in shares:
        name, equals, value = text.rpartition("=")
        try:
            weights[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals or not name.strip() or not 0.0 < weights.get(name.strip(), 0.0) < 1e9:
            problems.append(f"--share {text}: write TENANT=NUMBER with a number above 0")
    if problems:
        raise InputError("\n".join(problems))
    return QueueOptions(found, weights)


def _value(option: str, text: str) -> Any:
    """An option's value in the kernel's units. Raises ValueError that says what is wrong with it."""
    read = [FORMS[option].read(part.strip()) for part in text.split(",")]
    if option == "thresholds":
        if read != sorted(set(read)):
            raise ValueError("thresholds must increase")
        return tuple(int(value) for value in read)
    if len(read) > 1:
        raise ValueError("is a list; one value is wanted")
    value = int(read[0]) if FORMS[option] is DURATION else float(read[0])
    if value < 0:
        raise ValueError("must not be negative")
    return value
