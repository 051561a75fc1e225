"""Dated prices of a chip-hour, and how list prices moved: two CSV tables, read when asked for.

`prices.csv` holds what providers ask or asked, by region and kind. `price_history.csv` holds the changes of
list prices of AWS and Azure instances as generated files of public repositories show them; it gives levels
and one large step (June 2025), not the parameters of a price process.
"""

from __future__ import annotations

import csv
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from capsim.catalog.library import DATA, Catalog, names
from capsim.errors import InputError
from capsim.spec.hardware import Price
from capsim.spec.quantities import did_you_mean, read_date

HISTORY_SOURCE = {
    "aws": "github:aws/karpenter-provider-aws pkg/providers/pricing",
    "azure": "github:Azure/karpenter-provider-azure pkg/providers/pricing",
}
"""Where the rows of a provider in `price_history.csv` come from; each row names the commit."""


@dataclass(frozen=True)
class ListPrice:
    """A list price of an instance from a date on.

    Attributes:
        chips: chips of the instance.
        usd_per_chip_hour: on-demand price a chip, USD an hour.
        as_of: first day on which the price was seen.
        commit: commit of the source's repository.
    """

    provider: str
    region: str
    instance: str
    chip: str
    chips: int
    as_of: datetime.date
    usd_per_chip_hour: float
    commit: str

    @property
    def source(self) -> str:
        """The file and commit that shows the price."""
        return f"{HISTORY_SOURCE[self.provider]}@{self.commit}"


@dataclass(frozen=True)
class Summary:
    """Prices of one chip and kind: how many, from where to where, how recent."""

    chip: str
    kind: str
    rows: int
    least: float
    median: float
    most: float
    latest: datetime.date


@cache
def prices() -> tuple[Price, ...]:
    """All dated prices, in the order of the file."""
    found = []
    with (DATA / "prices.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            sku = row.pop("sku")
            note = "; ".join(part for part in (sku, row.pop("note")) if part)
            given = {key: text for key, text in row.items() if text}
            found.append(Price.model_validate(given | {"note": note}))
    return tuple(found)


@cache
def price_history() -> tuple[ListPrice, ...]:
    """All list prices of instances with the day from which each was seen, in the order of the file."""
    with (DATA / "price_history.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            ListPrice(
                provider=row["provider"],
                region=row["region"],
                instance=row["instance"],
                chip=row["chip"],
                chips=int(row["chips"]),
                as_of=read_date(row["as_of"]),
                usd_per_chip_hour=float(row["usd_per_chip_hour"]),
                commit=row["commit"],
            )
            for row in csv.DictReader(file)
        )


Dated = TypeVar("Dated", Price, ListPrice)


def matching(rows: Sequence[Dated], catalog: Catalog, name: str | None) -> list[Dated]:
    """The rows of a chip (by name or alias) or of a provider; all rows where the name is None.

    Raises InputError with the closest name where nothing matches.
    """
    if name is None:
        return list(rows)
    chip = catalog.resolve("chips", name)
    found = [row for row in rows if row.chip == chip or row.provider == name.casefold()]
    if not found:
        known = {row.provider for row in rows} | {row.chip for row in rows}
        known |= {other for key in known & catalog.chips.keys() for other in names(key, catalog.chips[key])}
        raise InputError(f"there is no price of the chip or provider `{name}`; {did_you_mean(name, known)}")
    return found


def summarise(rows: Sequence[Price]) -> list[Summary]:
    """Prices by chip and kind, in the order of first appearance."""
    groups: dict[tuple[str, str], list[Price]] = {}
    for row in rows:
        groups.setdefault((row.chip, row.kind), []).append(row)
    found = []
    for (chip, kind), members in groups.items():
        ordered = sorted(float(row.usd_per_chip_hour) for row in members)
        middle = len(ordered) // 2
        median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
        latest = max(row.as_of for row in members)
        found.append(Summary(chip, kind, len(ordered), ordered[0], median, ordered[-1], latest))
    return found
