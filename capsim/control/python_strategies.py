"""Strategies written in Python: a function that sees the state at every review and returns actions."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from capsim.compile.calendar import MS_DAY
from capsim.control import measures
from capsim.control.actions import Buy, Exercise, Other, Resell, act
from capsim.control.context import Context
from capsim.control.deliveries import Deliveries
from capsim.control.purchases import Purchases
from capsim.errors import CapsimError
from capsim.spec.conditions import Condition
from capsim.spec.strategies import PythonStrategy
from capsim.spec.user_code import load_function, told

Action = Buy | Other


@dataclass(frozen=True)
class View:
    """What a strategy in Python sees at a review; nothing of it can be changed but `memory`.

    Attributes:
        date: today.
        backlog: days of work of all working chips that wait in the research queue.
        utilisation: share of the working chips in use at the last decision of the autoscaler.
        demand: tokens asked for in the last four weeks over those of four weeks a quarter before.
        prices: today's price by market, USD per chip-hour.
        chips: delivered chips by offer.
        ordered: chips by offer that are under contract and not there yet.
        delays: days by which the latest tranche of an offer is late, as far as is known.
        spent: USD of rent, purchases and shells so far, at the prices signed.
        memory: a dict of the strategy's own, empty at the start of every run. What is kept elsewhere
            (globals) would make a run depend on others in the same process.
    """

    date: datetime.date
    backlog: float
    utilisation: float
    demand: float
    prices: Mapping[str, float]
    chips: Mapping[str, int]
    ordered: Mapping[str, int]
    delays: Mapping[str, float]
    spent: float
    memory: dict[str, Any]


Decide = Callable[[View], "list[Action] | None"]


def start_python(
    ctx: Context, deliveries: Deliveries, spec: PythonStrategy, purchases: list[Purchases]
) -> None:
    """Start the reviews of a strategy in Python. Raises CapsimError where its code cannot be loaded."""
    who = f"strategy {ctx.prepared.strategy}: {spec.call}"
    try:
        decide = load(*spec.source, spec.sha256)
    except Exception as error:
        raise CapsimError(f"{who} cannot be loaded: {told(error, spec.source[0])}") from error
    ctx.env.process(_review(ctx, deliveries, spec, purchases, decide))


@lru_cache(maxsize=64)
def load(place: str, name: str, digest: str | None) -> Decide:
    """The function `name` of a file or an importable module; a file is loaded once a process and content."""
    found: Decide = load_function(place, name, "strategy")
    return found


def _review(
    ctx: Context,
    deliveries: Deliveries,
    spec: PythonStrategy,
    purchases: list[Purchases],
    decide: Decide,
) -> Generator[Any, Any, None]:
    memory: dict[str, Any] = {}
    who = f"strategy {ctx.prepared.strategy}: {spec.call}"
    at = int(spec.review)
    while at < ctx.end:
        yield ctx.until(at)
        at += int(spec.review)
        today = ctx.prepared.calendar.day(ctx.now)
        try:
            answer: Any = decide(view(ctx, memory))
            actions = list(answer or ()) if isinstance(answer, Iterable | None) else None
        except Exception as error:
            raise CapsimError(f"{who} failed on {today}: {told(error, spec.source[0])}") from error
        if actions is None:
            raise CapsimError(f"{who} on {today}: returns {answer!r}; return a list of actions, or nothing")
        for action in actions:
            wrong = _refused(action, ctx, spec, purchases)
            if wrong:
                raise CapsimError(f"{who} on {today}: {wrong}")
            if isinstance(action, Buy):
                _buy(action, purchases, spec.call)
            else:
                act(ctx, deliveries, action, spec.call)


def view(ctx: Context, memory: dict[str, Any]) -> View:
    """The state of a run as a strategy in Python sees it now."""
    offers = list(dict.fromkeys(lot.offer for lot in ctx.prepared.portfolio.lots))
    coming = dict.fromkeys(offers, 0)
    for lot in ctx.prepared.portfolio.lots:
        if ctx.lots[lot.key].status == "planned":
            coming[lot.offer] += lot.chips
    return View(
        date=ctx.prepared.calendar.day(ctx.now),
        backlog=_now(ctx, "backlog") / MS_DAY,
        utilisation=_now(ctx, "utilisation"),
        demand=_now(ctx, "demand"),
        prices=MappingProxyType({name: measures.price(ctx, name) for name in ctx.prices}),
        chips=MappingProxyType({name: int(measures.chips(ctx, name)) for name in offers}),
        ordered=MappingProxyType(coming),
        delays=MappingProxyType({name: measures.delay(ctx, name) / MS_DAY for name in offers}),
        spent=_now(ctx, "spent"),
        memory=memory,
    )


def _now(ctx: Context, name: str) -> float:
    return measures.measure(ctx, Condition(name, True, 0.0))


def _buy(action: Buy, purchases: list[Purchases], why: str) -> None:
    """Orders of the first matching purchases, until there are as many chips or a limit is reached."""
    left = action.chips
    for mine in purchases:
        if mine.buy.offer == action.offer and action.chip in (None, mine.buy.chip):
            while left > 0 and mine.order(why):
                left -= int(mine.buy.quantity)


def _refused(action: object, ctx: Context, spec: PythonStrategy, purchases: list[Purchases]) -> str:
    """Why an action makes no sense for the strategy; empty where it does."""
    if not isinstance(action, Action):
        return f"{action!r:.80} is no action; return a list of Buy, Terminate, Exercise, Renew or Resell"
    if isinstance(action, Buy):
        if any(p.buy.offer == action.offer and action.chip in (None, p.buy.chip) for p in purchases):
            return ""
        return f"buys {action.offer!r}, which is not in its may_buy"
    if isinstance(action, Exercise):
        listed = action.option in spec.may_exercise
        return "" if listed else f"exercises {action.option!r}, which is not in its may_exercise"
    if action.offer not in {lot.offer for lot in ctx.prepared.portfolio.lots}:
        return f"{type(action).__name__} of {action.offer!r}, which it does not hold"
    if isinstance(action, Resell) and not all(
        0.0 <= share <= 1.0 for share in (action.share, action.discount, action.haircut)
    ):
        return "shares of Resell are between 0 and 1"
    return ""
