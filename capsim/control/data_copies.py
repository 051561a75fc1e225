"""Copies of data: a workload with `data` runs only at sites that hold a copy; a copy costs egress and time.

Named runs copy what they lack when they are planned (`capsim.control.training`). Research and services get a
copy at every other site of the strategy when its first chips are there; under `data-gravity` only where the
work of the chips, at the study's price, pays for the copy soon enough.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

from capsim.compile.calendar import MS_DAY, MS_HOUR
from capsim.compile.constraints import Work
from capsim.compile.dispatch import (
    PAYBACK_MS,
    Site,
    amount,
    copy_ms,
    data_of,
    data_sites,
    held_offers,
    leaving_price,
    places_without_data,
    rule_of,
    site,
    storage_price,
)
from capsim.compile.regions import base_name
from capsim.control.context import Context, Copy
from capsim.spec.dispatch import Data

REVIEW = MS_DAY

Worth = Callable[[Work, int], float]
"""USD of the work that a chip-hour does for a workload at a place, at the study's price of lost work."""


def copies_of(ctx: Context, work: Work, data: Data) -> dict[Site, int]:
    """Sites that hold or await a workload's data, each with the ms since which; one for all of one name."""
    home = dict.fromkeys(data_sites(ctx.prepared.study, data), 0)
    return ctx.copies.setdefault(data.name or work, home)


def holders(ctx: Context, copies: Mapping[Site, int]) -> set[Site]:
    """Sites that hold a copy now."""
    return {there for there, since in copies.items() if since <= ctx.now}


def copy_to(
    ctx: Context,
    work: Work,
    data: Data,
    offer: str,
    parts: Iterable[tuple[float, Iterable[Site]]],
    kept: float,
) -> int:
    """Start a copy to the site of an offer now; how long it takes, ms.

    Args:
        parts: gigabytes, and the sites that hold them, of what is copied.
        kept: gigabytes of it that stay there.
    """
    sized = [(gigabytes, gigabytes * price_from(ctx, data, sources)) for gigabytes, sources in parts]
    gigabytes, usd = (float(sum(column)) for column in zip(*sized, strict=True))
    length = copy_ms(data, gigabytes)
    rate = storage_price(ctx.prepared.study, data, offer)
    ctx.data_copies.append(Copy(ctx.now, offer, gigabytes, usd, ctx.now + length, kept, rate))
    ctx.log("egress", work[1], f"{amount(gigabytes)} to {offer}, ${usd:,.0f}, {length / MS_DAY:.1f} d")
    return length


def price_from(ctx: Context, data: Data, sources: Iterable[Site]) -> float:
    """USD per GB of a copy from the cheapest of some sites."""
    return leaving_price(ctx.prepared.study, data, sources, held_offers(ctx.prepared))


def lack_data(ctx: Context) -> None:
    """Note the places at which research and services have no data at the start."""
    study = ctx.prepared.study
    for work, _, data in data_of(study):
        if work[0] != "training":
            ctx.data_at[work] = copies_of(ctx, work, data)
            ctx.without_data[work] = set(places_without_data(ctx.prepared, work))


def readable_from(ctx: Context, work: Work, offer: str) -> int | None:
    """When a workload's data is at the site of an offer, ms; None where it is not."""
    if work not in ctx.data_at:
        return 0
    return ctx.data_at[work].get(site(ctx.prepared.study, offer))


def start_copies(ctx: Context, worth: Worth, admit: Callable[[], None]) -> None:
    """Start a process for research and every service that lacks its data somewhere.

    Args:
        admit: called when more places can be used.
    """
    for work, _, data in data_of(ctx.prepared.study):
        if ctx.without_data.get(work):
            ctx.env.process(_copies(ctx, work, data, worth, admit))


def _copies(
    ctx: Context, work: Work, data: Data, worth: Worth, admit: Callable[[], None]
) -> Generator[Any, Any, None]:
    """Every day: a copy to each site that has chips and no copy yet."""
    study, strategy = ctx.prepared.study, ctx.prepared.study.strategies[ctx.prepared.strategy]
    waiting: dict[Site, list[int]] = {}
    for p in sorted(ctx.without_data[work]):
        waiting.setdefault(site(study, ctx.places()[p].offer), []).append(p)
    frugal = rule_of(strategy, work) == "data-gravity"
    yield ctx.env.timeout(0)  # what is there from the start has been delivered by then
    while waiting:
        chips = ctx.cluster.chips()["active"]
        for there, places in list(waiting.items()):
            if there in ctx.data_at[work]:  # another workload that reads the same data had it copied
                del waiting[there]
                ctx.env.process(_arrive(ctx, work, places, ctx.data_at[work][there], admit))
                continue
            barred = _barred(ctx, work)
            earned = {p: int(chips[p]) * worth(work, p) for p in places if p not in barred}
            best = max(earned, key=lambda p: earned[p], default=-1)
            if best < 0 or earned[best] <= 0.0:
                continue
            usd = float(data.size) * price_from(ctx, data, holders(ctx, ctx.data_at[work]))
            if frugal and usd > sum(earned.values()) * PAYBACK_MS / MS_HOUR:
                continue
            del waiting[there]
            parts = [(float(data.size), holders(ctx, ctx.data_at[work]))]
            offer = ctx.places()[best].offer
            since = ctx.now + copy_to(ctx, work, data, offer, parts, float(data.size))
            ctx.data_at[work][there] = since
            ctx.env.process(_arrive(ctx, work, places, since, admit))
        if ctx.now + REVIEW >= ctx.end:
            return
        yield ctx.env.timeout(REVIEW)


def _barred(ctx: Context, work: Work) -> frozenset[int]:
    """Places where a workload may not run today; of a service by region, those where no part may."""
    parts = [places for (kind, name), places in ctx.forbidden.items() if (kind, base_name(name)) == work]
    return frozenset.intersection(*parts) if parts else frozenset()


def _arrive(
    ctx: Context, work: Work, places: list[int], since: int, admit: Callable[[], None]
) -> Generator[Any, Any, None]:
    """The workload may use places from the day on which a copy is there."""
    yield ctx.until(since)
    ctx.without_data[work].difference_update(places)
    admit()
