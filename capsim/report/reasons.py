"""Why the first strategy is first: the bridge, what binds it, what was not chosen, what would flip the order.

Every sentence is made of figures of the results; none is written in advance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from capsim.report.layout import Line, listed, paragraph
from capsim.report.numbers import Scale, figure
from capsim.report.periods import when_it_binds
from capsim.report.ranked import scale_of
from capsim.results.reading import Results
from capsim.study.binding import Binding, binding
from capsim.study.bridge import WORDS, bridge
from capsim.study.context import Context
from capsim.study.figures import Row, Table
from capsim.study.reweighting import UNRANGED, Effect, Flip, flips, weakest
from capsim.study.statistics import mean

#: lines of a bridge below this share of the difference are gathered as `rest` without --wide.
LEAST_LINE = 0.02
#: factors on a price outside of these are left out without --wide.
NEAR_FLIP = (0.2, 5.0)
#: the same with --wide: beyond, a factor on a price says nothing about the deal
WIDE_FLIP = (0.05, 20.0)
ITEMS = 4
#: what the line on the weakest inputs leaves open.
NOT_SIMULATED = "none of these is simulated again, nor are inputs that act inside a run: --sensitivity"


def rival(table: Table) -> Row | None:
    """Whom the first row is explained against: the base, or the second row where the base is first."""
    if table.base is not table.rows[0]:
        return table.base
    return table.rows[1] if len(table.rows) > 1 else None


def reasons(results: Results, context: Context, table: Table, width: int, wide: bool) -> list[Line]:
    """The block of reasons."""
    best = table.rows[0]
    scale = scale_of(table)
    lines: list[Line] = []
    other = rival(table)
    if other is not None:
        lines += _why(results, context, table, other, scale, width, wide)
    bound = [binding_text(b) for b in binding(results, context, best.strategy, table.case)]
    lines += listed("What binds", bound or [f"nothing late, dark or queued in {best.strategy}"], width)
    lines += when_it_binds(results, context, best.strategy, table.case, width)
    if len(table.rows) > 1:
        lines += listed("Not chosen", _not_chosen(results, context, table, scale, wide), width)
        order = [row.strategy for row in table.rows]
        found = flips(results, context, order, table.case)
        low, high = WIDE_FLIP if wide else NEAR_FLIP
        near = [f for f in found if low <= f.factor <= high]
        shown = [flip_text(f, context) for f in (near if wide else near[:ITEMS])]
        lines += listed(
            "What flips it",
            shown or [f"no price of lost work or of one offer between x{low:g} and x{high:g}"],
            width,
        )
    effects = weakest(results, context, best.strategy, table.case)
    if effects:
        texts = [
            effect_text(e, scale, first=i == 0) for i, e in enumerate(effects if wide else effects[:ITEMS])
        ]
        texts += [*(band.words() for band in context.bands), NOT_SIMULATED]
        lines += listed("Weakest input", texts, width)
    return lines


def _why(
    results: Results, context: Context, table: Table, other: Row, scale: Scale, width: int, wide: bool
) -> list[Line]:
    best = table.rows[0]
    found = bridge(results, context, other.strategy, best.strategy, table.case)
    text = found.sentence(scale.show, scale.step, 0.0 if wide else LEAST_LINE, title=scale.money)
    difference = other.difference if other.difference is not None else best.difference
    unsure = difference is not None and not difference.distinct
    unit = " (but the difference cannot be told from chance)" if unsure else ""
    return paragraph("Why", text + unit, width)


def binding_text(found: Binding) -> str:
    """One thing that binds, in words."""
    amount, of = _chips(found.amount), _chips(found.of)
    if found.kind == "delivery":
        late = "" if math.isnan(found.late_p90) else f", P90 {found.late_p90:.0f} d late"
        for share, why in ((found.defaulted, "its supplier defaulted"), (found.unconverted, "no contract")):
            late += f", {why} in {100 * share:.0f} %" if share > 0 else ""
        return f"{found.quarter} delivery of {found.subject}: {amount} of {of} chips not there{late}"
    if found.kind == "power":
        return f"{found.quarter} power for {found.subject}: {amount} of {of} chips dark"
    if found.kind == "broken":
        return f"{found.quarter} repair at {found.subject}: {amount} of {of} chips broken or drained"
    if found.kind == "placement":
        return f"{found.quarter} {found.subject} queues {found.amount:.0f} d for {of} chips"
    if found.kind == "slip":
        never = f", not done in {100 * (1 - found.of):.0f} %" if found.of < 1 else ""
        return f"{found.quarter} {found.subject} {found.amount:.0f} d after its target{never}"
    return f"{found.subject}: {100 * found.amount:.1f} % of tokens unserved"


def _chips(count: float) -> str:
    return f"{figure(count / 1000, 2)}k" if count >= 1000 else f"{count:.0f}"


def _not_chosen(results: Results, context: Context, table: Table, scale: Scale, wide: bool) -> list[str]:
    """The greatest reasons against the other strategies, nearest first, and offers that nobody could hold."""
    best, others = table.rows[0], table.rows[1:]
    least = results.metric("total_npv", best.strategy, table.case)
    chosen: Sequence[Row] = others if wide else [*others[:2], *others[2:][-1:]]
    items = []
    for row in chosen:
        found = bridge(results, context, row.strategy, best.strategy, table.case)
        against = [line for line in found.savings() if line.usd >= scale.step and line.name in WORDS][:2]
        words = ", ".join(f"{WORDS[line.name][1]} {scale.show(line.usd)}" for line in against)
        gap = mean(results.metric("total_npv", row.strategy, table.case) - least)
        half = "" if math.isnan(gap.half) else f" ±{scale.show(gap.half)}"
        items.append(
            f"{row.strategy} {scale.show(gap.value, sign=True)}{half}: {words or 'no line stands out'}"
        )
    if context.unavailable:
        names = list(context.unavailable)
        more = f" and {len(names) - 2} more" if len(names) > 2 and not wide else ""
        items.append(f"no public terms: {', '.join(names if wide else names[:2])}{more}")
    return items


def flip_text(flip: Flip, context: Context) -> str:
    """A price at which another strategy becomes the cheapest, in words."""
    side = "<" if flip.factor < 1 else ">"
    spread = "" if not math.isfinite(flip.half) else f" ±{figure(flip.half, 2)}"
    factor = f"x{figure(flip.factor)}{spread}"
    what, price = _price(flip, context)
    shown = f"{price} ({factor})" if price else factor
    return f"{what} {side} {shown}: {flip.strategy}"


def _price(flip: Flip, context: Context) -> tuple[str, str]:
    if flip.kind == "tokens":
        prices = set(context.token_prices.values())
        one = f"${figure(prices.pop() * flip.factor)}/Mtok" if len(prices) == 1 else ""
        return "a lost token's value", one
    if flip.kind == "research":
        price = context.research_price
        return "lost research", f"${figure(price * flip.factor)}/h" if price is not None else ""
    if flip.kind == "slip":
        return "cost of slip", ""
    price = context.offer_prices.get(flip.subject or "")
    return f"price of {flip.subject}", f"${figure(price * flip.factor)}/h" if price is not None else ""


def effect_text(effect: Effect, scale: Scale, first: bool) -> str:
    """How far an input moves the first strategy's total, in words."""
    assumed = effect.assumed
    low, high = scale.show(effect.low, sign=True), scale.show(effect.high, sign=True)
    if assumed.kind == "discount":
        over = "±2 points, on cash only"
    elif effect.given_range:
        over = "its range"
    else:
        over = f"±{100 * UNRANGED:.0f} %, no range given"
    verb = " moves TOTAL by" if first else ""
    return f"{assumed.label} {assumed.shown}, {over}:{verb} {low}..{high}"
