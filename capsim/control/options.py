"""Options of contracts: refreshes, swaps, and those whose exercise depends on a condition."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from capsim.control.context import Context
from capsim.control.deliveries import Deliveries
from capsim.control.measures import holds


def start_options(ctx: Context, deliveries: Deliveries) -> None:
    """Decide on each option on its day.

    The chips of a plain expansion without a condition are in the portfolio from the start, and on their way.
    """
    study = ctx.prepared.study
    strategy = study.strategies[ctx.prepared.strategy]
    for reference in strategy.options:
        ctx.env.process(_decide(ctx, deliveries, reference, "always"))
    for reference, condition in strategy.exercise.items():
        ctx.env.process(_decide(ctx, deliveries, reference, condition))


def _option(ctx: Context, reference: str) -> Any:
    offer, _, name = reference.rpartition(".")
    return next(o for o in ctx.prepared.study.offers[offer].options if o.name == name)


def _decide(
    ctx: Context, deliveries: Deliveries, reference: str, condition: str
) -> Generator[Any, Any, None]:
    option, offer = _option(ctx, reference), reference.rpartition(".")[0]
    yield ctx.until(ctx.prepared.calendar.ms(option.decide))
    if not may_exercise(ctx, reference):
        return
    if not holds(ctx, condition):
        ctx.log("option", offer, f"{option.name} is not exercised ({condition})")
        return
    exercise(ctx, deliveries, reference)


def may_exercise(ctx: Context, reference: str) -> bool:
    """Whether ``offer.option`` can be exercised today: its contract lives, and it was not exercised yet."""
    offer = reference.rpartition(".")[0]
    if reference in ctx.exercised or offer in ctx.terminated or ctx.provider(offer) in ctx.defaulted:
        return False
    last = max(ctx.prepared.calendar.ms(_option(ctx, reference).decide), 0)
    return ctx.draws.converts(offer) and ctx.now <= last


def exercise(ctx: Context, deliveries: Deliveries, reference: str) -> None:
    """Exercise ``offer.option`` now: its lots, laid out in the portfolio, are on their way."""
    option, offer = _option(ctx, reference), reference.rpartition(".")[0]
    ctx.exercised[reference] = ctx.now
    ctx.log("option", offer, f"{option.name} exercised, premium {float(option.premium):,.0f} USD")
    for lot in ctx.prepared.portfolio.lots:
        if lot.option != reference:
            continue
        ctx.lots[lot.key].signed = ctx.now
        if not lot.contingent:
            continue
        if option.kind == "swap":
            old = ctx.lots[lot.instead_of[0]]
            if old.status != "planned":
                continue
            old.status = "unused"
        ctx.env.process(deliveries.deliver(lot, lot.planned))
