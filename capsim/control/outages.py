"""Whole-site outages and planned maintenance of an offer's sites."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from capsim.control.context import Context


def start_outages(ctx: Context) -> None:
    """Start the outage and maintenance processes of every offer in the portfolio."""
    places: dict[str, list[int]] = {}
    for index, place in enumerate(ctx.places()):
        places.setdefault(place.offer, []).append(index)
    for offer, sites in places.items():
        if found := ctx.draws.outages(offer):
            ctx.env.process(_outages(ctx, offer, sites, found))
        if ctx.prepared.study.offers[offer].reliability.maintenance is not None:
            ctx.env.process(_maintenance(ctx, offer, sites))


def _outages(
    ctx: Context, offer: str, sites: list[int], found: list[tuple[int, int]]
) -> Generator[Any, Any, None]:
    for begin, end in found:
        yield ctx.until(begin)
        if int(ctx.cluster.chips()["active"][sites].sum()) == 0:
            continue
        for site in sites:
            ctx.cluster.site_down(site)
        ctx.log("outage", offer, f"site down for {(end - begin) / 3.6e6:.1f} h")
        yield ctx.until(end)
        for site in sites:
            ctx.cluster.site_up(site)


def _maintenance(ctx: Context, offer: str, sites: list[int]) -> Generator[Any, Any, None]:
    spec = ctx.prepared.study.offers[offer].reliability.maintenance
    assert spec is not None
    every, duration = int(spec.every), int(spec.duration)
    at = every
    while at < ctx.end:
        yield ctx.until(at)
        for site in sites:
            ctx.cluster.drain(site, grace=0)
        yield ctx.until(at + duration)
        for site in sites:
            ctx.cluster.undrain(site)
        at += every
