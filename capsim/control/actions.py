"""What a strategy can do at a review beside waiting; strategies in Python return these."""

from __future__ import annotations

from dataclasses import dataclass

from capsim.control.context import Context
from capsim.control.deliveries import Deliveries
from capsim.control.early_exits import terminate
from capsim.control.options import exercise, may_exercise
from capsim.control.resale import resell
from capsim.spec.contract_delivery import Letting
from capsim.spec.values import Value


@dataclass(frozen=True)
class Buy:
    """Order at least this many chips under an offer of `may_buy`, within its limits."""

    offer: str
    chips: int
    chip: str | None = None


@dataclass(frozen=True)
class Terminate:
    """Give notice: leave an offer for convenience."""

    offer: str


@dataclass(frozen=True)
class Exercise:
    """Exercise an option, `offer.option`, until its day of decision."""

    option: str


@dataclass(frozen=True)
class Renew:
    """From now on renew the offer's tranches whenever they come to their notice."""

    offer: str


@dataclass(frozen=True)
class Resell:
    """Let a share of an offer's delivered chips to others, or sell them where they were bought."""

    offer: str
    share: float
    discount: float = 0.0
    haircut: float = 0.0


Other = Terminate | Exercise | Renew | Resell


def act(ctx: Context, deliveries: Deliveries, action: Other, why: str) -> bool:
    """Carry out an action now; False where there is nothing left to do it to."""
    if isinstance(action, Terminate):
        return _terminate(ctx, deliveries, action.offer, why)
    if isinstance(action, Exercise):
        if not may_exercise(ctx, action.option):
            return False
        exercise(ctx, deliveries, action.option)
        return True
    if isinstance(action, Renew):
        if action.offer in ctx.renewing:
            return False
        ctx.renewing.add(action.offer)
        ctx.log("rule", action.offer, f"{why}: to be renewed")
        return True
    there = any(
        lot.offer == action.offer and ctx.lots[lot.key].status == "delivered"
        for lot in ctx.prepared.portfolio.lots
    )
    if there:
        spec = Letting(
            offer=action.offer,
            share=Value(action.share),
            discount=Value(action.discount),
            haircut=Value(action.haircut),
        )
        resell(ctx, deliveries.power, spec)
    return there


def _terminate(ctx: Context, deliveries: Deliveries, offer: str, why: str) -> bool:
    if offer in ctx.terminated or offer in ctx.under_notice:
        return False
    right = ctx.prepared.study.offers[offer].termination
    notice = int(right.notice) if right is not None else 0
    ctx.under_notice.add(offer)
    ctx.log("rule", offer, f"{why}: notice is given")

    ctx.env.process(terminate(ctx, deliveries, offer, ctx.now + notice))
    return True
