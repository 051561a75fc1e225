"""What is paid beside rent and purchases: porting and option premia."""

from __future__ import annotations

from capsim.compile.prepare import Prepared
from capsim.control.context import Context
from capsim.engine.billing.ledger import Ledger

PORTING = "porting"


def ports(prepared: Prepared) -> list[tuple[str, int, float]]:
    """The stacks that are ported for what is held: (family, ms at which the work begins, USD)."""
    held = {place.family for place in prepared.places if place.offer in prepared.portfolio.offers}
    base = {place.family for place in prepared.places if place.offer in prepared.portfolio.base_offers}
    found = []
    for family in sorted(held - base - set(prepared.study.ported)):
        spec = prepared.study.porting.get(family)
        if spec is not None:
            found.append((family, max(prepared.ports[family] - int(spec.time), 0), float(spec.cost)))
    return found


def bill_porting(ledger: Ledger, prepared: Prepared) -> None:
    """Book the one-off cost of each stack that is ported."""
    for family, at, cost in ports(prepared):
        ledger.add_at(f"{PORTING} {family}", "porting", at, cost)


def bill_premiums(ledger: Ledger, ctx: Context, only: str | None = None) -> None:
    """Book the premium of each exercised option on the day of its decision; a slice pays that slice of it.

    Args:
        only: one ``offer.option``, or all.
    """
    offers = ctx.prepared.study.offers
    part = ctx.prepared.study.strategies[ctx.prepared.strategy].share
    for reference, at in ctx.exercised.items():
        if only not in (None, reference):
            continue
        offer_name, _, option_name = reference.rpartition(".")
        option = next(o for o in offers[offer_name].options if o.name == option_name)
        ledger.add_at(
            offer_name, "premium", at, float(option.premium) * (1.0 if part is None else float(part))
        )
