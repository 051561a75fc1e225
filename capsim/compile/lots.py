"""Lots and shells: what the delivery process delivers, the kernel lays out and the accounting bills."""

from __future__ import annotations

from dataclasses import dataclass

#: first index of the lots of an offer that are no tranches or orders; see `Lot.index`
SUBSTITUTES, OPTIONS, RULES = 500, 1000, 2000


@dataclass(frozen=True)
class Lot:
    """A dated number of chips of one system under one offer.

    Attributes:
        key: ``offer/index/system``; draws that belong to the lot use it.
        offer: name of the offer.
        index: number of the tranche or order within the offer, from 0 on; `name` is what people read.
        system: name of the system.
        chips: chips to be delivered, a multiple of the system's domain.
        planned: planned delivery, ms (may be before the horizon: then it is there at the start).
        ends: end of the contract for this lot, ms; None when it runs `term` from delivery.
        term: ms from delivery; None when it never ends within the study.
        new_build: delivered from a site that is yet to be built.
        price_hour: USD per chip-hour (0 for bought chips and for the base fleet).
        price_chip: USD per chip bought.
        kw: critical IT power of a chip, kW.
        prepaid: share of its value that is paid in advance.
        decide: ms at which it was decided (porting and premiums fall due then).
        contingent: laid out for a rule, an option that may be exercised, or a late tranche's
            substitute; delivered only when that happens.
        option: ``offer.option`` that brings it, where one does.
        instead_of: keys of the lots that leave, or never come, because of this one.
    """

    key: str
    offer: str
    index: int
    system: str
    chips: int
    planned: int
    ends: int | None
    term: int | None
    new_build: bool
    price_hour: float
    price_chip: float
    kw: float
    decide: int = 0
    prepaid: float = 0.0
    contingent: bool = False
    option: str = ""
    instead_of: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`2`, the number of a tranche; `bought 1` by a rule, `substitute 1`; or the name of an option."""
        if self.option:
            return self.option.rpartition(".")[2]
        for first, words in ((RULES, "bought"), (SUBSTITUTES, "substitute")):
            if self.index >= first:
                return f"{words} {self.index - first + 1}"
        return str(self.index + 1)

    @property
    def words(self) -> str:
        """`tranche 2`, `bought 1`, `substitute 1`, `option more`: the name, as a sentence says it."""
        kind = "option " if self.option else "tranche " if self.index < SUBSTITUTES else ""
        return f"{kind}{self.name}"

    @property
    def stands_in(self) -> bool:
        """Whether these chips stand in for a tranche that is late, as long as it is awaited."""
        return bool(self.instead_of) and self.option == ""

    def planned_end(self, horizon_end: int) -> int:
        """When the lot leaves if it is on time; lots without an end stay to the horizon's end."""
        if self.ends is not None:
            return self.ends
        return horizon_end if self.term is None else self.planned + self.term


@dataclass(frozen=True)
class Shell:
    """A dated amount of powered shell: power without chips.

    Attributes:
        kw: critical IT power, kW.
        price_kw_month: USD per kW of critical IT power and month.
    """

    key: str
    offer: str
    index: int
    kw: float
    planned: int
    term: int | None
    new_build: bool
    price_kw_month: float

    @property
    def size(self) -> str:
        """Its power in words: `207 MW`, `3.5 MW`, `400 kW`."""
        if self.kw < 1000.0:
            return f"{self.kw:,.0f} kW"
        return f"{self.kw / 1000:,.1f} MW" if self.kw < 10_000.0 else f"{self.kw / 1000:,.0f} MW"
