"""Spot capacity: reclaimed after a notice, and given back later."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from capsim.control.context import Context


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
    for told, back in ctx.draws.reclaims(offer):
        yield ctx.until(told)
        if int(ctx.cluster.chips()["active"][sites].sum()) == 0:
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


def reclaimed_ms(ctx: Context) -> dict[int, int]:
    """Chip-ms that spot capacity was away until now, by place: chips that were broken then are not in it."""
    if not ctx.reclaimed_out:
        return {}
    out = ctx.cluster.chip_time()["out"]
    return {
        site: closed + (int(out[site]) - since if since >= 0 else 0)
        for site, (closed, since) in ctx.reclaimed_out.items()
    }
