"""Spot capacity: reclaimed after a notice, and given back later."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from capsim.compile.lots import Lot
from capsim.compile.portfolio import placement_unit
from capsim.control.context import Context, LotState


def start_spot(ctx: Context) -> None:
    """Start the interruptions of every spot offer in the portfolio."""
    places: dict[str, list[int]] = {}
    for index, place in enumerate(ctx.places()):
        if ctx.prepared.study.offers[place.offer].interruptions is not None:
            places.setdefault(place.offer, []).append(index)
    for offer, sites in places.items():
        ctx.reclaimed[offer] = []
        ctx.env.process(_interruptions(ctx, offer, sites))


def _interruptions(ctx: Context, offer: str, sites: list[int]) -> Generator[Any, Any, None]:
    """At each reclaim jobs are checkpointed within the notice and requeued, and replicas are lost."""
    spec = ctx.prepared.study.offers[offer].interruptions
    assert spec is not None
    notice = int(spec.notice or 0)
    share = 1.0 if spec.share is None else float(spec.share)
    for told, back in ctx.draws.reclaims(offer):
        yield ctx.until(told)
        if int(ctx.cluster.chips()["active"][sites].sum()) == 0:
            continue
        if share < 1.0:
            yield from _take_part(ctx, offer, share, notice, back)
            continue
        for site in sites:
            ctx.cluster.drain(site, grace=notice)
        yield ctx.until(told + notice)
        out = ctx.cluster.chip_time()["out"]
        for site in sites:
            ctx.cluster.site_down(site)
            ctx.reclaimed_out[site] = (ctx.reclaimed_out.get(site, (0, -1))[0], int(out[site]))
        ctx.reclaimed[offer].append((ctx.now, min(back, ctx.end)))
        ctx.log("spot", offer, f"reclaimed for {(back - ctx.now) / 3.6e6:.1f} h")
        yield ctx.until(back)
        away = reclaimed_ms(ctx)
        for site in sites:
            ctx.reclaimed_out[site] = (away[site], -1)
            ctx.cluster.site_up(site)
            ctx.cluster.undrain(site)


def _take_part(ctx: Context, offer: str, share: float, notice: int, back: int) -> Generator[Any, Any, None]:
    """A share of the units of each lot leaves, those that are filled last, and is back at an instant.

    Chips of a contract that ends meanwhile do not come back.
    """
    taken: list[tuple[Lot, int]] = []
    for lot in ctx.prepared.portfolio.lots:
        if lot.offer == offer and ctx.lots[lot.key].status == "delivered":
            there = ctx.cluster.active_domains(ctx.tranche[lot.key])
            units = min(round(share * there), there - 1)
            if units > 0:
                ctx.cluster.reclaim(ctx.tranche[lot.key], units, grace=notice)
                taken.append((lot, units))
    if not taken:
        return
    yield ctx.until(ctx.now + notice)
    size = {lot.key: placement_unit(ctx.prepared.study.systems[lot.system]) for lot, _ in taken}
    for lot, units in taken:
        ctx.lots[lot.key].reclaimed.append((ctx.now, min(back, ctx.end), units * size[lot.key]))
    chips = sum(units * size[lot.key] for lot, units in taken)
    ctx.log("spot", offer, f"{chips:,} chips reclaimed for {(back - ctx.now) / 3.6e6:.1f} h")
    yield ctx.until(back)
    for lot, units in taken:
        if ctx.lots[lot.key].status == "delivered":
            ctx.cluster.restore(ctx.tranche[lot.key], units)


def reclaimed_ms(ctx: Context) -> dict[int, int]:
    """Chip-ms that spot capacity was away until now, by place: chips that were broken then are not in it.

    Where only a share leaves, whole units do, broken or not.
    """
    found: dict[int, int] = {}
    if ctx.reclaimed_out:
        out = ctx.cluster.chip_time()["out"]
        found = {
            site: closed + (int(out[site]) - since if since >= 0 else 0)
            for site, (closed, since) in ctx.reclaimed_out.items()
        }
    for p, place in enumerate(ctx.places()):
        states = [ctx.lots[ctx.prepared.portfolio.lots[i].key] for i in place.lots]
        parts = [(state, part) for state in states for part in state.reclaimed]
        if parts:
            found[p] = sum(chips * _gone(ctx, state, begin, end) for state, (begin, end, chips) in parts)
    return found


def _gone(ctx: Context, state: LotState, begin: int, end: int) -> int:
    """How long until now a part of a lot was away while its contract lasted, ms."""
    last = state.ended if state.ended >= 0 else ctx.now
    return max(min(end, last) - begin, 0)
