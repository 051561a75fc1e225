"""Decisions of a strategy while a run lasts: trigger rules, ramps, and strategies in Python."""

from __future__ import annotations

from collections.abc import Generator
from itertools import pairwise
from typing import Any

from capsim.compile.calendar import Calendar
from capsim.control.actions import Exercise, Other, Renew, Resell, Terminate, act
from capsim.control.context import Context
from capsim.control.deliveries import Deliveries
from capsim.control.measures import WINDOW, Watch, token_demand
from capsim.control.purchases import Purchases
from capsim.control.python_strategies import start_python
from capsim.spec.strategies import Ramp, Rule


def start_decisions(ctx: Context, deliveries: Deliveries) -> None:
    """Start one review process a rule, a ramp, and a strategy in Python."""
    strategy = ctx.prepared.study.strategies[ctx.prepared.strategy]
    found = {
        purchase.path: Purchases(ctx, deliveries, number, purchase.buy)
        for number, purchase in enumerate(strategy.purchases())
    }
    for index, rule in enumerate(strategy.rules):
        ctx.env.process(_review(ctx, deliveries, rule, found.get(("rules", index, "buy"))))
    for index, ramp in enumerate(strategy.ramp):
        ctx.env.process(_ramp(ctx, ramp, found["ramp", index]))
    if strategy.python is not None:
        mine = [found["python", "may_buy", i] for i in range(len(strategy.python.may_buy))]
        start_python(ctx, deliveries, strategy.python, mine)


def _review(
    ctx: Context, deliveries: Deliveries, rule: Rule, purchases: Purchases | None
) -> Generator[Any, Any, None]:
    """Ask at every review, and act while the condition holds: after a pause, and so often at most."""
    watch, acted, paused = Watch(ctx, rule.when), 0, 0
    at = int(rule.review)
    while at < ctx.end and (rule.times is None or acted < int(rule.times)):
        yield ctx.until(at)
        at += int(rule.review)
        if not watch.holds() or ctx.now < paused:
            continue
        if purchases is not None and not purchases.room:
            return
        done = purchases.order(rule.when) if purchases is not None else _do(ctx, deliveries, rule)
        if done:
            acted, paused = acted + 1, ctx.now + int(rule.cool_down or 0)


def _do(ctx: Context, deliveries: Deliveries, rule: Rule) -> bool:
    """The action of a rule that does not buy."""
    action: Other
    if rule.terminate is not None:
        action = Terminate(rule.terminate)
    elif rule.exercise is not None:
        action = Exercise(rule.exercise)
    elif rule.renew is not None:
        action = Renew(rule.renew)
    else:
        spec = rule.resell
        assert spec is not None
        action = Resell(spec.offer, float(spec.share), float(spec.discount or 0), float(spec.haircut or 0))
    return act(ctx, deliveries, action, rule.when)


def _ramp(ctx: Context, ramp: Ramp, purchases: Purchases) -> Generator[Any, Any, None]:
    """At every review order what the target, a lead time from now, asks beyond what is under contract."""
    at = 0
    while at + int(ramp.lead) < ctx.end:
        yield ctx.until(at)
        at += int(ramp.review)
        due = ctx.now + int(ramp.lead)
        wanted = target_chips(ramp, ctx.prepared.calendar, due)
        if ramp.with_demand:
            first = token_demand(ctx, WINDOW)
            wanted *= token_demand(ctx, ctx.now) / first if first > 0 else 1.0
        while purchases.under_contract(due) < wanted - 0.5 and purchases.order("ramp"):
            pass


def target_chips(ramp: Ramp, calendar: Calendar, at: int) -> float:
    """Chips that a ramp wants at an instant: lines between its dates, none before, the last after."""
    points = sorted((calendar.ms(day), float(chips)) for day, chips in ramp.target.items())
    if at < points[0][0]:
        return 0.0
    for (begin, low), (end, high) in pairwise(points):
        if at < end:
            return low + (high - low) * (at - begin) / (end - begin)
    return points[-1][1]
