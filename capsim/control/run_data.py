"""Where a named run's data and its last checkpoint are, and what it takes to bring them to other sites."""

from __future__ import annotations

from collections.abc import Iterable

from capsim.compile.dispatch import Site, copy_ms, site
from capsim.control.context import Context
from capsim.control.data_copies import copies_of, copy_to, holders, price_from
from capsim.spec.demand import TrainingRun
from capsim.spec.dispatch import Data
from capsim.workload.shape import shape_of


class RunData:
    """The copies of one run's data and checkpoint.

    Attributes:
        data_at: sites that hold or await the data, each with the ms since which.
        checkpoint_at: sites that hold the checkpoint that the run goes on from; none before its first.
    """

    def __init__(self, ctx: Context, spec: TrainingRun, data: Data) -> None:
        study = ctx.prepared.study
        self.ctx, self.data, self.work = ctx, data, ("training", spec.name)
        self.data_at = copies_of(ctx, self.work, data)
        self.checkpoint_at: set[Site] = set()
        self._checkpoint = shape_of(study.models[spec.model]).checkpoint_bytes() / 1e9

    def takes(self, place: int) -> tuple[int, float]:
        """How long bringing what is lacking at a place takes, ms, and its egress, USD."""
        parts = self._lacking(self._site(place))
        gigabytes = sum(size for size, _ in parts)
        usd = sum(size * price_from(self.ctx, self.data, sources) for size, sources in parts)
        awaited = self.data_at.get(self._site(place), 0) - self.ctx.now
        return max(copy_ms(self.data, gigabytes), awaited), usd

    def bring(self, places: Iterable[int]) -> int:
        """Start copying what is lacking at places; how long until all is there, ms (0: nothing lacks)."""
        longest = 0
        for place in places:
            there = self._site(place)
            if parts := self._lacking(there):
                offer = self.ctx.places()[place].offer
                kept = 0.0 if there in self.data_at else float(self.data.size)
                length = copy_to(self.ctx, self.work, self.data, offer, parts, kept)
                longest = max(longest, length)
                self.data_at.setdefault(there, self.ctx.now + length)
                if self.checkpoint_at:
                    self.checkpoint_at.add(there)
            longest = max(longest, self.data_at[there] - self.ctx.now)
        return longest

    def ran_at(self, places: Iterable[int]) -> None:
        """A phase ran at places: the last checkpoint is there, and nowhere else."""
        self.checkpoint_at = {self._site(place) for place in places}

    def _site(self, place: int) -> Site:
        return site(self.ctx.prepared.study, self.ctx.places()[place].offer)

    def _lacking(self, there: Site) -> list[tuple[float, set[Site]]]:
        """Gigabytes that a site lacks, and the sites that hold them: the data, the checkpoint."""
        sources = holders(self.ctx, self.data_at)
        parts = [] if there in self.data_at else [(float(self.data.size), sources)]
        if self.checkpoint_at and there not in self.checkpoint_at:
            parts.append((self._checkpoint, set(self.checkpoint_at)))
        return parts
