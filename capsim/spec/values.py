"""The values of a study: numbers with a unit, and where they come from.

A value is written plain (``$38B``), with its source (``{value: $38B, source: ..., as_of: 2025-11-03,
confidence: secondary}``) or as a range (``{low: 1, mid: 2.7, high: 5, confidence: assumed}``; ``value`` may
stand for ``mid``, and without either the middle is taken). A range stands for a triangular distribution
between ``low`` and ``high`` with its mode at ``mid``; the number itself is ``mid``.

After loading a value is a plain number in the unit its type names (see `capsim.units`).
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import (
    BeforeValidator,
    Discriminator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    WrapValidator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from capsim.spec import quantities as forms
from capsim.spec.nodes import plain
from capsim.units import DAY_MS, HOUR_MS

Confidence = Literal["measured", "vendor", "secondary", "derived", "recalled", "assumed"]
"""How far a number can be trusted, best first."""

CONFIDENCES: tuple[str, ...] = get_args(Confidence)
MOST_KNOWN = 4_096
"""Plain values that one kind of quantity remembers."""
_WRITTEN = ("source", "as_of", "confidence", "low", "high")
PROVENANCE_KEYS = frozenset({"value", "low", "mid", "high", "source", "as_of", "confidence"})


class _Sourced:
    """What a value carries besides its number; None where the study does not say."""

    low: float | None = None
    high: float | None = None
    source: str | None = None
    as_of: datetime.date | None = None
    confidence: Confidence | None = None

    @property
    def ranged(self) -> bool:
        """Whether the value is a range and thus a distribution."""
        return self.low is not None

    def provenance(self) -> dict[str, Any]:
        """The fields that were given, by name."""
        return dict(vars(self))


class Value(_Sourced, float):
    """A number with its provenance; behaves as a float."""

    def __new__(cls, number: float, **provenance: Any) -> Value:
        """``provenance``: any of low, high, source, as_of, confidence."""
        value = float.__new__(cls, number)
        value.__dict__.update(provenance)
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (type(self), float(self), self.__dict__))


class Whole(_Sourced, int):
    """A whole number with its provenance; behaves as an int."""

    def __new__(cls, number: int, **provenance: Any) -> Whole:
        """``provenance``: any of low, high, source, as_of, confidence."""
        value = int.__new__(cls, number)
        value.__dict__.update(provenance)
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (type(self), int(self), self.__dict__))


class Day(datetime.date):
    """A date with its provenance; behaves as a `datetime.date`."""

    source: str | None = None
    as_of: datetime.date | None = None
    confidence: Confidence | None = None

    @classmethod
    def of(cls, day: datetime.date, **provenance: Any) -> Day:
        """The day with any of source, as_of, confidence."""
        value = cls(day.year, day.month, day.day)
        value.__dict__.update(provenance)
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore_day, (datetime.date(self.year, self.month, self.day), self.__dict__))


def _restore(kind: Any, number: float, provenance: dict[str, Any]) -> Any:
    return kind(number, **provenance)


def _restore_day(day: datetime.date, provenance: dict[str, Any]) -> Day:
    return Day.of(day, **provenance)


def is_value(node: Any) -> bool:
    """Whether a mapping is one value with its provenance, not a mapping of names."""
    return isinstance(node, dict) and bool(node) and node.keys() <= PROVENANCE_KEYS


def problem(what: str, hint: str, *place: str) -> PydanticCustomError:
    """A validation error of our own; ``place`` leads from the value to the key that is meant."""
    return PydanticCustomError("study", "{what}", {"what": what, "hint": hint, "place": place})


class Quantity:
    """How one kind of value is read, written and described; used as ``Annotated[Value, Quantity(form)]``."""

    def __init__(
        self,
        form: forms.Form,
        *,
        least: float | None = None,
        above: float | None = None,
        most: float | None = None,
    ) -> None:
        """Bounds in the unit of the form: at least, above, at most."""
        self.form = form
        self.least = least
        self.above = above
        self.most = most
        self.kind: type[Value] | type[Whole] = Whole if form.whole else Value
        # Large files say the same thing many times; plain values are alike and may be one object.
        self._known: dict[str, Value | Whole] = {}

    def _number(self, raw: Any, *place: str) -> float | int:
        """The number of a scalar in the unit of this kind."""
        try:
            number = self.form.read(raw)
        except ValueError as error:
            raise problem(f"{forms.shown(raw)} {error}", f"write {self.form.example}", *place) from None
        if not self._within(number):
            raise problem(f"{forms.shown(raw)} is out of bounds", f"write {self._bounds()}", *place)
        return number

    def _within(self, number: float) -> bool:
        return (
            (self.least is None or number >= self.least)
            and (self.above is None or number > self.above)
            and (self.most is None or number <= self.most)
        )

    def _bounds(self) -> str:
        named = (("at least", self.least), ("more than", self.above), ("at most", self.most))
        return " and ".join(f"{words} {self.form.show(bound)}" for words, bound in named if bound is not None)

    def read(self, raw: Any) -> Value | Whole:
        """A value from YAML (text or a mapping) or from a program (a number in the unit of this kind)."""
        if isinstance(raw, str):
            return self._known.get(raw) or self._from_text(raw)
        if isinstance(raw, self.kind):
            self._number(raw)
            return raw
        if isinstance(raw, dict):
            return self._from_mapping(raw)
        number: Any = self._number(raw)
        return self.kind(number)

    def _from_text(self, raw: str) -> Value | Whole:
        number: Any = self._number(raw)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        value = self._known[raw] = self.kind(number)
        return value

    def _from_mapping(self, raw: dict[Any, Any]) -> Value | Whole:
        for key in raw:
            if key not in PROVENANCE_KEYS:
                raise problem(
                    f"unknown key {forms.shown(key)} in a value",
                    forms.did_you_mean(key, PROVENANCE_KEYS),
                    str(key),
                )
        numbers = {
            key: self._number(raw[key], key)
            for key in ("value", "low", "mid", "high")
            if raw.get(key) is not None
        }
        provenance = read_provenance(raw)
        if "value" in numbers and "mid" in numbers:
            raise problem("both `value` and `mid` are given", "keep one of them", "mid")
        if ("low" in numbers) != ("high" in numbers):
            raise problem(
                "a range needs both `low` and `high`", f"write {{low: {self.form.sample}, high: ...}}"
            )
        middle = numbers.get("value", numbers.get("mid"))
        if "low" in numbers:
            low, high = numbers["low"], numbers["high"]
            if middle is None:
                middle = (low + high) / 2 if not self.form.whole else (int(low) + int(high)) // 2
            if not low <= middle <= high:
                raise problem("the range is not in order", "write low <= mid <= high")
            provenance["low"], provenance["high"] = low, high
        if middle is None:
            raise problem("a value without a number", f"write {{value: {self.form.sample}, source: ...}}")
        number: Any = middle
        return self.kind(number, **provenance)

    def write(self, value: Any) -> Any:
        """The value as it may stand in a study: a text, or a mapping where it carries provenance."""
        provenance = value.provenance() if isinstance(value, _Sourced) else {}
        if not provenance:
            return self.form.write(value)
        written: dict[str, Any] = {"value": self.form.write(value)}
        for key in _WRITTEN:  # in one order, whoever made the value
            if (item := provenance.get(key)) is not None:
                written[key] = self.form.write(item) if key in ("low", "high") else str(item)
        return written

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(self.write)
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return forms.json_schema(self.form)


def read_provenance(raw: dict[Any, Any]) -> dict[str, Any]:
    """The checked `source`, `as_of` and `confidence` of a value's mapping."""
    provenance: dict[str, Any] = {}
    if raw.get("source") is not None:
        if not isinstance(raw["source"], str | int | float):
            raise problem("a source is text", "write source: where the number stands", "source")
        provenance["source"] = str(raw["source"])
    if raw.get("as_of") is not None:
        try:
            provenance["as_of"] = forms.read_date(raw["as_of"])
        except ValueError as error:
            raise problem(
                f"{forms.shown(raw['as_of'])} {error}", f"write {forms.DATE_EXAMPLE}", "as_of"
            ) from None
    if raw.get("confidence") is not None:
        if raw["confidence"] not in CONFIDENCES:
            raise problem(
                f"{forms.shown(raw['confidence'])} is no confidence",
                f"write one of {', '.join(CONFIDENCES)}",
                "confidence",
            )
        provenance["confidence"] = str(raw["confidence"])
    return provenance


class DateKind:
    """Reads dates; with provenance the result is a `Day`."""

    @staticmethod
    def read(raw: Any) -> datetime.date:
        if isinstance(raw, dict):
            for key in raw:
                if key not in ("value", "source", "as_of", "confidence"):
                    raise problem(
                        f"unknown key {forms.shown(key)} in a date", "write {value: 2026-04-01, source: ...}"
                    )
            return Day.of(DateKind._day(raw.get("value"), "value"), **read_provenance(raw))
        return DateKind._day(raw)

    @staticmethod
    def _day(raw: Any, *place: str) -> datetime.date:
        try:
            return forms.read_date(raw)
        except ValueError as error:
            raise problem(f"{forms.shown(raw)} {error}", f"write {forms.DATE_EXAMPLE}", *place) from None

    @staticmethod
    def write(day: Any) -> Any:
        if isinstance(day, Day) and vars(day):
            return {"value": day.isoformat()} | {k: str(v) for k, v in vars(day).items() if v is not None}
        return day.isoformat()

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(self.write)
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return forms.date_json_schema()


class TextKind:
    """Text, also where it looks like a number or a date; `example` says what to write."""

    example: ClassVar[str] = "a text"

    def read(self, raw: Any) -> str:
        """The text; refused where it is none."""
        if isinstance(raw, bool) or not isinstance(raw, str | int | float | datetime.date):
            raise problem(
                f"{forms.shown(raw)} is not text", "write text, in quotes where it holds `: ` or ` #`"
            )
        return str(raw)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"not": {"type": ["object", "array", "null"]}}


@dataclass(frozen=True)
class NameOf:
    """Says what a text is the name of; whether there is one is a matter of the references."""

    kind: str

    @property
    def example(self) -> str:
        """What to write."""
        return f"the name of {'an' if self.kind[0] in 'aeiou' else 'a'} {self.kind}"


class FlagKind:
    """YAML 1.2 booleans: `true` and `false` only (`on` and `yes` are text)."""

    @staticmethod
    def read(raw: Any) -> bool:
        if isinstance(raw, bool):
            return raw
        if raw in ("true", "True", "TRUE"):
            return True
        if raw in ("false", "False", "FALSE"):
            return False
        raise problem(f"{forms.shown(raw)} is neither true nor false", "write true or false")

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "boolean"}


def _distinct(raw: Any, handler: Any) -> Any:
    """Two spellings of one key (``2026`` and ``2026-01-01``) would silently drop a value."""
    read = handler(raw)
    if isinstance(raw, dict) and len(read) != len(raw):
        raise problem("two keys mean the same", "keep one of them")
    return read


Key = TypeVar("Key")
Item = TypeVar("Item")

Date = Annotated[datetime.date, DateKind()]
Text = Annotated[str, TextKind()]
OfferName = Annotated[str, NameOf("offer")]
ModelName = Annotated[str, NameOf("model")]
StrategyName = Annotated[str, NameOf("strategy")]
Flag = Annotated[bool, FlagKind()]
AnyMapping = Annotated[dict[str, Any], BeforeValidator(plain)]
"""A nested mapping that is kept as it was written."""

ByKey = Annotated[dict[Key, Item], WrapValidator(_distinct)]
"""A mapping whose keys are typed (dates, numbers), each once."""


def _one_or_named(raw: Any) -> str:
    return "by_name" if isinstance(raw, dict) and not is_value(raw) else "one"


OneOrByName = Annotated[
    Annotated[Item, Tag("one")] | Annotated[dict[str, Item], Tag("by_name")], Discriminator(_one_or_named)
]
"""One value, or a value for each name."""


def _one_or_many(raw: Any) -> str:
    return "many" if isinstance(raw, list) else "one"


Texts = Annotated[Annotated[str, Tag("one")] | Annotated[list[str], Tag("many")], Discriminator(_one_or_many)]
"""One name, or several in a list."""


def listed(names: str | list[str]) -> list[str]:
    """The names of `Texts`."""
    return [names] if isinstance(names, str) else names


Number = Annotated[Value, Quantity(forms.NUMBER, least=0.0)]
Count = Annotated[Whole, Quantity(forms.COUNT, least=0)]
HeldChips = Annotated[Whole, Quantity(forms.HELD_CHIPS, least=0)]
PositiveNumber = Annotated[Value, Quantity(forms.NUMBER, above=0.0)]
Multiple = Annotated[Value, Quantity(forms.NUMBER, least=1.0)]
"""How many times as much; at least 1."""
Sigma = Annotated[Value, Quantity(forms.NUMBER, least=0.0, most=5.0)]
"""Standard deviation of a logarithm; beyond 5 a lognormal has no useful mean."""
HourOfDay = Annotated[Value, Quantity(forms.NUMBER, least=0.0, most=24.0)]
PositiveCount = Annotated[Whole, Quantity(forms.COUNT, least=1)]
Fraction = Annotated[Value, Quantity(forms.FRACTION)]
Share = Annotated[Value, Quantity(forms.FRACTION, least=0.0, most=1.0)]
Change = Annotated[Value, Quantity(forms.FRACTION, above=-1.0)]
"""A relative change, e.g. 5% or -10%."""
Pue = Annotated[Value, Quantity(forms.FRACTION, least=1.0, most=10.0)]
"""Facility power over IT power."""
Usd = Annotated[Value, Quantity(forms.USD)]
UsdPerHour = Annotated[Value, Quantity(forms.USD_PER_HOUR, least=0.0)]
UsdPerDay = Annotated[Value, Quantity(forms.USD_PER_DAY, least=0.0)]
UsdPerMtok = Annotated[Value, Quantity(forms.USD_PER_MTOK, least=0.0)]
UsdPerMwh = Annotated[Value, Quantity(forms.USD_PER_MWH, least=0.0)]
UsdPerKwMonth = Annotated[Value, Quantity(forms.USD_PER_KW_MONTH, least=0.0)]
UsdPerChipHour = Annotated[Value, Quantity(forms.USD_PER_CHIP_HOUR, least=0.0)]
Kilowatts = Annotated[Value, Quantity(forms.KILOWATTS, least=0.0)]
Gigabytes = Annotated[Value, Quantity(forms.GIGABYTES, least=0.0)]
UsdPerGb = Annotated[Value, Quantity(forms.USD_PER_GB, least=0.0)]
UsdPerTbMonth = Annotated[Value, Quantity(forms.USD_PER_TB_MONTH, least=0.0)]
GigabytesPerSecond = Annotated[Value, Quantity(forms.BANDWIDTHS, above=0.0)]
Flop = Annotated[Value, Quantity(forms.FLOP, above=0.0)]
TokensPerDay = Annotated[Value, Quantity(forms.TOKENS_PER_DAY, above=0.0)]
DurationMs = Annotated[Whole, Quantity(forms.DURATION, least=0)]
PositiveDurationMs = Annotated[Whole, Quantity(forms.DURATION, least=1)]
AutoscalePeriodMs = Annotated[Whole, Quantity(forms.DURATION, least=6 * HOUR_MS)]
"""The autoscaler decides in the slow calendar: steps finer than 6 h belong to the scheduler."""
ReviewPeriodMs = Annotated[Whole, Quantity(forms.DURATION, least=DAY_MS)]
SignedDurationMs = Annotated[Whole, Quantity(forms.DURATION)]
RatePerYear = Annotated[Value, Quantity(forms.RATE_PER_YEAR, least=0.0)]
HazardPerYear = Annotated[Value, Quantity(forms.GROWTH_PER_YEAR, least=0.0, most=10.0)]
"""Events a year of a process that happens once, e.g. 3%/y."""
GrowthPerYear = Annotated[Value, Quantity(forms.GROWTH_PER_YEAR, above=-1.0, most=100.0)]
FractionPerQuarter = Annotated[Value, Quantity(forms.FRACTION_PER_QUARTER, least=0.0, most=1.0)]
