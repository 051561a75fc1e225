"""Power for chips that come without a site: whichever of chips and shells is later gates."""

from __future__ import annotations

from dataclasses import dataclass

from capsim.compile.lots import Lot
from capsim.compile.portfolio import placement_unit
from capsim.control.context import Context

ROUNDING = 1e-6  # kW; sums of shells and chips are not exact


@dataclass
class Feed:
    """The shells that host the same systems.

    Attributes:
        hosts: systems that it can hold; empty: any.
        free_kw: critical IT power that no chip uses yet.
    """

    hosts: tuple[str, ...]
    free_kw: float = 0.0


class PowerFeeds:
    """Connects waiting chips to free power, first come first served, whole placement units at a time."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.feeds: list[Feed] = []
        self.waiting: list[tuple[Lot, int]] = []
        self.connected: list[tuple[Lot, Feed, int]] = []
        self.lost: dict[str, int] = {}  # chips that lost their power for good and are still held, by lot

    def bring(self, hosts: list[str], kw: float) -> None:
        """A shell is there: `kw` of critical IT power for the systems it hosts."""
        self._feed(tuple(hosts)).free_kw += kw
        self.connect()

    def withdraw(self, hosts: list[str], kw: float) -> None:
        """A shell goes back; if its power is in use, the chips connected last lose it for good."""
        feed = self._feed(tuple(hosts))
        feed.free_kw -= kw
        while feed.free_kw < -ROUNDING:
            last = max(i for i, (_, source, _) in enumerate(self.connected) if source is feed)
            lot, _, chips = self.connected.pop(last)
            unit = placement_unit(self.ctx.prepared.study.systems[lot.system])
            gone = min(chips, -int(feed.free_kw // (unit * lot.kw)) * unit)
            feed.free_kw += gone * lot.kw
            if gone < chips:
                self.connected.insert(last, (lot, feed, chips - gone))
            self.ctx.cluster.retire(self.ctx.tranche[lot.key], gone // unit, kill=True)
            self.ctx.lots[lot.key].powered.append((self.ctx.now, -gone))
            self.lost[lot.key] = self.lost.get(lot.key, 0) + gone
            self.ctx.log("power", lot.offer, f"{gone:,} {lot.system} lose their power")

    def wait(self, lot: Lot) -> None:
        """Chips that need a shell are on site."""
        self.waiting.append((lot, lot.chips))
        self.connect()

    def leave(self, lot: Lot) -> None:
        """A lot's chips are gone: what they used is free again."""
        self.waiting = [(other, chips) for other, chips in self.waiting if other.key != lot.key]
        for other, feed, chips in self.connected:
            if other.key == lot.key:
                feed.free_kw += chips * lot.kw
        self.connected = [entry for entry in self.connected if entry[0].key != lot.key]
        self.connect()

    def give_up(self, lot: Lot, units: int) -> int:
        """Up to `units` of a lot go to others, those without power first; power that they used is free again.

        Returns:
            Placement units that went.
        """
        unit = placement_unit(self.ctx.prepared.study.systems[lot.system])
        dark = min(units, self.lost.get(lot.key, 0) // unit)
        if dark:
            self.lost[lot.key] -= dark * unit
        for index, (other, chips) in enumerate(self.waiting):
            if other.key == lot.key:
                more = min(units - dark, chips // unit)
                self.waiting[index] = (other, chips - more * unit)
                dark += more
        self.waiting = [entry for entry in self.waiting if entry[1]]
        working = 0
        if units > dark:
            working = self.ctx.cluster.retire(self.ctx.tranche[lot.key], units - dark, kill=True)
        left = working * unit
        for index in range(len(self.connected) - 1, -1, -1):
            other, feed, chips = self.connected[index]
            if other.key == lot.key and left:
                part = min(chips, left)
                feed.free_kw += part * lot.kw
                self.connected[index] = (other, feed, chips - part)
                self.ctx.lots[lot.key].powered.append((self.ctx.now, -part))
                left -= part
        self.connected = [entry for entry in self.connected if entry[2]]
        self.connect()
        return dark + working

    def connect(self) -> None:
        """Give free power to waiting chips."""
        if not self.waiting:
            return
        ctx = self.ctx
        left: list[tuple[Lot, int]] = []
        for lot, chips in self.waiting:
            unit = placement_unit(ctx.prepared.study.systems[lot.system])
            for feed in self.feeds:
                if feed.hosts and lot.system not in feed.hosts:
                    continue
                units = min(chips // unit, int(feed.free_kw // (lot.kw * unit)))
                if units > 0:
                    ctx.cluster.activate(ctx.tranche[lot.key], units)
                    ctx.lots[lot.key].powered.append((ctx.now, units * unit))
                    feed.free_kw -= units * unit * lot.kw
                    self.connected.append((lot, feed, units * unit))
                    chips -= units * unit
            if chips:
                left.append((lot, chips))
        self.waiting = left

    def _feed(self, hosts: tuple[str, ...]) -> Feed:
        for feed in self.feeds:
            if feed.hosts == hosts:
                return feed
        self.feeds.append(Feed(hosts))
        return self.feeds[-1]
