"""Numbers as people read them: as many digits as mean something, no exponents, `never` where it is never."""

from __future__ import annotations

import math
from dataclasses import dataclass

from capsim.study.context import Context, quarter_of

NONE = "-"


def figure(value: float, significant: int = 3) -> str:
    """`value` with about `significant` digits, thousands separated; `-` for nan."""
    if math.isnan(value):
        return NONE
    if math.isinf(value):
        return "never"
    if value == 0:
        return "0"
    rounded = abs(float(f"{value:.{significant}g}"))  # 0.9999 has the digits of 1
    decimals = max(0, significant - 1 - math.floor(math.log10(rounded)))
    return f"{value:,.{min(decimals, 3)}f}"


def usd(value: float) -> str:
    """Money with its unit: `$1.23T`, `$45.6B`, `$7.8M`, `$1,234`."""
    sign, size = ("-" if value < 0 else ""), abs(value)
    for unit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if size >= unit * 0.9995:
            return f"{sign}${figure(size / unit)}{letter}"
    return f"{sign}${figure(size)}"


def percent(share: float, decimals: int = 0) -> str:
    """A share as a number of percent, without the sign."""
    return NONE if math.isnan(share) else f"{100 * share:.{decimals}f}"


def days(value: float) -> str:
    """Whole days; `never` for infinity."""
    return "never" if math.isinf(value) else NONE if math.isnan(value) else f"{value:.0f}"


def quarter(day: float, context: Context) -> str:
    """The quarter `day` days after the start, `>2030` when that is never within the horizon."""
    if math.isinf(day) or math.isnan(day):
        return f">{(context.date_of(-1 + (context.end - context.start).days)).year}"
    return quarter_of(context.date_of(day))


@dataclass(frozen=True)
class Scale:
    """The unit in which a whole table shows money, so that its columns can be added by eye."""

    unit: float
    name: str
    decimals: int

    @property
    def step(self) -> float:
        """The least amount shown, USD."""
        return self.unit / float(10**self.decimals)

    def money(self, amount: float) -> str:
        """USD in this unit with the unit: `$4.3B`."""
        letter = self.name.removeprefix("$")
        return f"{'-' if amount < 0 else ''}${self.show(abs(amount))}{letter}"

    def show(self, amount: float, sign: bool = False) -> str:
        """USD in this unit; `sign` writes + too."""
        if math.isnan(amount):
            return NONE
        if math.isinf(amount):
            return "inf"
        value = round(amount / self.unit, self.decimals) + 0.0  # no minus zero
        return f"{value:{'+' if sign else ''},.{self.decimals}f}"


def scale_for(largest: float) -> Scale:
    """The scale of a table whose largest amount is `largest` USD: three to five digits of it are shown."""
    size = abs(largest)
    unit, name = next(((u, n) for u, n in ((1e9, "$B"), (1e6, "$M"), (1e3, "$k")) if size >= u), (1.0, "$"))
    return Scale(unit, name, 0 if size >= 1000 * unit else 1 if size >= 10 * unit else 2)
