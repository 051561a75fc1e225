"""The text forms of quantities: how each unit is read from a study and written back.

A `Form` reads a scalar into a number in one unit and writes that number as text that reads back the same.
Readers raise ValueError with the rest of a sentence about the scalar ("is not a number").
"""

from __future__ import annotations

import datetime
import difflib
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from capsim.units import BANDWIDTH, DATA, DURATIONS, MONEY_SUFFIXES, POWER, SUFFIXES, YEAR_MS, split_quantity

LARGEST_WHOLE: Final = 2**53
LONGEST_MS: Final = 1_000 * YEAR_MS
DATE_EXAMPLE: Final = "a date such as 2026-04-01, 2026-04 or 2026-Q3"
_DATE: Final = re.compile(r"(\d{4})(?:-(?:[Qq]([1-4])|(\d{1,2})(?:-(\d{1,2}))?))?")


@dataclass(frozen=True)
class Form:
    """One unit: ``from_text(money, number, unit)`` reads, ``suffix`` and ``prefix`` write."""

    unit: str
    sample: str
    from_text: Callable[[bool, float, str], float]
    prefix: str = ""
    suffix: str = ""
    whole: bool = False

    @property
    def example(self) -> str:
        """What to write, for messages."""
        return f"{self.unit} such as {self.sample}"

    def read(self, raw: Any) -> float | int:
        """The number in this form's unit; numbers from programs are in that unit already."""
        if isinstance(raw, bool) or raw is None or isinstance(raw, dict | list | tuple):
            raise ValueError(f"is not {self.unit}")
        if isinstance(raw, int | float):
            number = float(raw)
        else:
            money, number, unit = split_quantity(str(raw))
            if not (number == 0.0 and unit == "" and not money):
                number = self.from_text(money, number, unit)
        if not math.isfinite(number):
            raise ValueError("is not a finite number")
        return _whole(number, raw) if self.whole else number

    def show(self, number: float) -> str:
        """Short text of a number for messages, in the largest unit that it is a whole number of."""
        if number == 0:
            return "0"
        if self.suffix == " ms":
            unit = max((u for u, ms in DURATIONS.items() if number % ms == 0), key=DURATIONS.__getitem__)
            return f"{number / DURATIONS[unit]:g} {unit}"
        if self.prefix == "$" and abs(number) >= 1e6:
            letter = max(
                (s for s, n in MONEY_SUFFIXES.items() if n <= abs(number)), key=MONEY_SUFFIXES.__getitem__
            )
            return f"${number / MONEY_SUFFIXES[letter]:g}{letter}{self.suffix}"
        return f"{self.prefix}{number:g}{self.suffix}"

    def write(self, number: float) -> str:
        """Text that reads back as the same number."""
        text = str(int(number)) if self.whole else repr(float(number))
        if self.prefix and text.startswith("-"):
            return f"-{self.prefix}{text[1:]}{self.suffix}"
        return f"{self.prefix}{text}{self.suffix}"


def _whole(number: float, raw: Any) -> int:
    if isinstance(raw, int):
        number = raw
    if abs(number) > LARGEST_WHOLE:
        raise ValueError("is too large")
    return round(number)


def _suffixed(number: float, unit: str, suffixes: dict[str, float]) -> float:
    if unit in suffixes:
        return number * suffixes[unit]
    raise ValueError(_why_not(unit))


def _why_not(unit: str) -> str:
    if unit == "":
        return "lacks its unit"
    if unit in ("B", "b", "bn", "billion"):
        return f"has the suffix `{unit}`, which is not for plain numbers (10^9 is `G`; `B` is only for $)"
    if unit in ("K", "m", "g", "t"):
        return f"has the suffix `{unit}` (SI suffixes are k M G T)"
    if unit.startswith(","):
        return "has a comma (write 1000 or 1_000)"
    return f"has the unit `{unit[:24]}`"


def _plain(what: str) -> Callable[[bool, float, str], float]:
    def read(money: bool, number: float, unit: str) -> float:
        if money:
            raise ValueError(f"is money, not {what}")
        return _suffixed(number, unit, SUFFIXES)

    return read


def _count(money: bool, number: float, unit: str) -> float:
    if money:
        raise ValueError("is money, not a whole number")
    scaled = _suffixed(number, unit, SUFFIXES)
    nearest = round(scaled)
    # 1.2M is 1200000 up to the rounding of a float product.
    if abs(scaled - nearest) > 1e-9 * max(1.0, abs(scaled)):
        raise ValueError("is not a whole number")
    return float(nearest)


def _fraction(money: bool, number: float, unit: str) -> float:
    if money:
        raise ValueError("is money, not a share")
    if unit == "%":
        return number / 100.0
    if unit == "":
        return number
    raise ValueError(_why_not(unit))


def _money(*endings: str) -> Callable[[bool, float, str], float]:
    """Money, with one of the endings (such as ``/h``)."""

    def read(money: bool, number: float, unit: str) -> float:
        for ending in endings:
            if unit.endswith(ending) and (ending or "/" not in unit):
                scale = unit[: len(unit) - len(ending)].rstrip()
                if scale in MONEY_SUFFIXES:
                    if not money:
                        raise ValueError("is money without `$`")
                    return number * MONEY_SUFFIXES[scale]
        if not money:
            raise ValueError("lacks the `$` of money")
        if "/" not in unit and endings != ("",) and unit in MONEY_SUFFIXES:
            raise ValueError(f"lacks its `{endings[0]}`")
        if unit in ("b", "bn", "billion", "m", "mn", "million", "K"):
            raise ValueError(f"has the suffix `{unit}` (after $ the suffixes are k M B T)")
        raise ValueError(_why_not(unit))

    return read


def _money_per_chip_hour(money: bool, number: float, unit: str) -> float:
    return _money("/h")(money, number, re.sub(r"/[A-Za-z0-9_]+-h$", "/h", unit))


def _money_per_mwh(money: bool, number: float, unit: str) -> float:
    if unit.endswith("/kWh"):
        return _money("/kWh")(money, number, unit) * 1_000.0
    return _money("/MWh")(money, number, unit)


def _per_time(money: bool, number: float, unit: str, per_ms: int) -> float:
    """A number per unit of time, converted to ``per_ms``."""
    head, slash, time = unit.rpartition("/")
    if not slash or time.strip() not in DURATIONS:
        raise ValueError(_why_not(unit) if unit else "lacks its unit of time")
    # The ratio first: a number that is stated per the wanted time stays exactly as written.
    ratio = per_ms / DURATIONS[time.strip()]
    return _suffixed(number, head.strip(), MONEY_SUFFIXES if money else SUFFIXES) * ratio


def _money_per_day(money: bool, number: float, unit: str) -> float:
    if not money:
        raise ValueError("lacks the `$` of money")
    return _per_time(True, number, unit, DURATIONS["d"])


def _rate_per_year(money: bool, number: float, unit: str) -> float:
    if money:
        raise ValueError("is money, not a rate")
    return _per_time(False, number, unit, DURATIONS["y"])


def _tokens_per_day(money: bool, number: float, unit: str) -> float:
    if money:
        raise ValueError("is money, not tokens")
    return (
        _per_time(False, number, unit, DURATIONS["d"]) if "/" in unit else _suffixed(number, unit, SUFFIXES)
    )


def _flop(money: bool, number: float, unit: str) -> float:
    return _plain("FLOP")(money, number, unit.removesuffix("FLOP").rstrip())


def _power(money: bool, number: float, unit: str) -> float:
    if money:
        raise ValueError("is money, not power")
    return _suffixed(number, unit, POWER)


def _bandwidth(money: bool, number: float, unit: str) -> float:
    if money:
        raise ValueError("is money, not a bandwidth")
    return _suffixed(number, unit, BANDWIDTH)


def _data(money: bool, number: float, unit: str) -> float:
    if money:
        raise ValueError("is money, not an amount of data")
    return _suffixed(number, unit, DATA)


def _duration(money: bool, number: float, unit: str) -> float:
    if money:
        raise ValueError("is money, not a length of time")
    if unit == "m":
        raise ValueError("has the unit `m`, which may be min or mo")
    if unit not in DURATIONS:
        raise ValueError(_why_not(unit))
    milliseconds = number * DURATIONS[unit]
    if abs(milliseconds) > LONGEST_MS:
        raise ValueError("is longer than 1000 years")
    return milliseconds


def _share_per(time: str, growth: bool) -> Callable[[bool, float, str], float]:
    def read(money: bool, number: float, unit: str) -> float:
        kind = unit.replace(" ", "")
        if money:
            raise ValueError("is money, not a share")
        if kind == f"%/{time}":
            return number / 100.0
        if kind == f"/{time}":
            return number
        if growth and kind == f"x/{time}":
            return number - 1.0
        raise ValueError(_why_not(unit) if unit else f"lacks its `/{time}`")

    return read


NUMBER: Final = Form("a number", "0.5, 40, 1.2M or 5e26", _plain("a plain number"))
COUNT: Final = Form("a whole number", "72, 500k or 1.2M", _count, whole=True)
HELD_CHIPS: Final = Form("min, max, a list of orders or a number of chips", "230k", _count, whole=True)
FRACTION: Final = Form("a share", "35% or 0.35", _fraction)
USD: Final = Form("money", "$1.5M or $38B", _money(""), prefix="$")
USD_PER_HOUR: Final = Form("money per chip-hour", "$2.10/h", _money("/h", "/chip-h"), prefix="$", suffix="/h")
USD_PER_DAY: Final = Form("money per day", "$20M/d", _money_per_day, prefix="$", suffix="/d")
USD_PER_MTOK: Final = Form("money per million tokens", "$4/Mtok", _money("/Mtok"), prefix="$", suffix="/Mtok")
USD_PER_KW_MONTH: Final = Form(
    "money per kW and month",
    "$148/kW-mo",
    _money("/kW-mo", "/kW-month", "/kW/mo"),
    prefix="$",
    suffix="/kW-mo",
)
USD_PER_MWH: Final = Form("money per MWh", "$65/MWh or $0.065/kWh", _money_per_mwh, prefix="$", suffix="/MWh")
USD_PER_CHIP_HOUR: Final = Form(
    "money per reference chip-hour",
    "$2.50/h or $2.50/gb200e-h",
    _money_per_chip_hour,
    prefix="$",
    suffix="/h",
)
KILOWATTS: Final = Form("power", "300 MW, 4.5 GW or 2.63 kW", _power, suffix=" kW")
BANDWIDTHS: Final = Form("a bandwidth", "2 TB/s or 500 GB/s", _bandwidth, suffix=" GB/s")
GIGABYTES: Final = Form("an amount of data", "20 PB or 500 TB", _data, suffix=" GB")
USD_PER_GB: Final = Form("money per gigabyte", "$0.05/GB", _money("/GB"), prefix="$", suffix="/GB")
USD_PER_TB_MONTH: Final = Form(
    "money per terabyte and month",
    "$20/TB-mo",
    _money("/TB-mo", "/TB-month", "/TB/mo"),
    prefix="$",
    suffix="/TB-mo",
)
FLOP: Final = Form("a number of FLOP", "5e26", _flop)
TOKENS_PER_DAY: Final = Form("tokens per day", "400G/d or 9T", _tokens_per_day)
DURATION: Final = Form(
    "a length of time",
    "50 ms, 2 s, 40 min, 6 h, 5 d, 26w, 6mo, 1q or 7y",
    _duration,
    suffix=" ms",
    whole=True,
)
RATE_PER_YEAR: Final = Form("a rate", "2/y", _rate_per_year, suffix="/y")
GROWTH_PER_YEAR: Final = Form(
    "a change per year", "8%/y, -12%/y or 1.4x/y", _share_per("y", True), suffix="/y"
)
FRACTION_PER_QUARTER: Final = Form("a share per quarter", "10%/q", _share_per("q", False), suffix="/q")


def read_date(raw: Any) -> datetime.date:
    """A date: a day, or the first day of a month (2026-04), quarter (2026-Q3) or year (2026)."""
    if isinstance(raw, datetime.datetime):
        return raw.date()
    if isinstance(raw, datetime.date):
        return raw
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        raise ValueError("is not a date")
    found = _DATE.fullmatch(str(raw).strip())
    if found is None:
        raise ValueError("is not a date")
    year, quarter, month, day = found.groups()
    first_month = 3 * int(quarter) - 2 if quarter else int(month or 1)
    try:
        return datetime.date(int(year), first_month, int(day or 1))
    except ValueError:
        raise ValueError("is not a day of the calendar") from None


def shown(raw: Any) -> str:
    """A scalar as a message shows it."""
    if isinstance(raw, dict):
        return "a mapping"
    if isinstance(raw, list | tuple):
        return "a list"
    if raw is None:
        return "an empty value"
    text = str(raw)
    text = text if len(text) <= 60 else text[:57] + "..."
    return "`" + text.replace("\n", " ").replace("\r", " ") + "`"


def closest(name: Any, known: Iterable[Any]) -> str | None:
    """The known name that was probably meant, or None."""
    names = [str(item) for item in known]
    text = str(name)
    if len(text) > 100:
        return None
    for candidate in names:
        if candidate.lower().replace("_", "-") == text.lower().replace("_", "-"):
            return candidate
    found = difflib.get_close_matches(text, names, n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(name: Any, known: Iterable[Any], *, at_most: int = 12) -> str:
    """The hint for a name that does not exist: the closest one, or the list of what there is."""
    names = sorted(str(item) for item in known)
    found = closest(name, names)
    if found is not None:
        return f"did you mean `{found}`?"
    if not names:
        return "there is none to name"
    rest = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return "write one of " + ", ".join(names[:at_most]) + rest


def json_schema(form: Form) -> dict[str, Any]:
    """JSON Schema of a quantity: a scalar, or a mapping with provenance or a range."""
    return {
        "description": form.unit,
        "examples": [form.sample],
        "anyOf": [{"type": ["string", "number"]}, sourced_json_schema()],
    }


def sourced_json_schema() -> dict[str, Any]:
    """JSON Schema of the mapping form of a quantity."""
    numbers = {key: {"type": ["string", "number"]} for key in ("value", "low", "mid", "high")}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **numbers,
            "source": {"type": ["string", "number"]},
            "as_of": date_json_schema(),
            "confidence": {"enum": ["measured", "vendor", "secondary", "derived", "recalled", "assumed"]},
        },
    }


def date_json_schema() -> dict[str, Any]:
    """JSON Schema of a date. It admits what YAML 1.1 readers make of one: a date object is no JSON type."""
    return {
        "description": DATE_EXAMPLE,
        "not": {"type": ["array", "boolean", "null"]},
        "pattern": r"^\d{4}(-([Qq][1-4]|\d{1,2}(-\d{1,2})?))?$",
        "properties": {"value": {}, "source": {}, "as_of": {}, "confidence": {}},
        "additionalProperties": False,
    }
