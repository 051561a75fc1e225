"""Conditions of strategies: ``backlog > 2w``, ``utilisation > 85% for 30d``, ``price of h100-1y < $2/h``.

Comparisons are joined by ``and`` and ``or``; ``and`` binds tighter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from capsim.spec import quantities as forms
from capsim.spec.values import TextKind, problem

_TERM: Final = re.compile(r"\s*(\w+)(?:\s+of\s+(\S+))?\s*([<>]=?)\s*([^<>=]+?)(?:\s+for\s+(.+?))?\s*")
EXAMPLE: Final = "`backlog > 2w`, `utilisation > 85% for 30d`, or several joined by `and`, `or`"
#: what can be watched, with the form of its limit; a date's limit is a day
MEASURES: Final[dict[str, forms.Form | None]] = {
    "backlog": forms.DURATION,
    "utilisation": forms.FRACTION,
    "price": forms.USD_PER_HOUR,
    "demand": forms.FRACTION,
    "delay": forms.DURATION,
    "spent": forms.USD,
    "chips": forms.COUNT,
    "date": None,
}
#: measures of something: `price of MARKET` always, `delay of OFFER` and `chips of OFFER` if wanted
NAMED: Final = {"price": "market", "delay": "offer", "chips": "offer"}


class ConditionError(ValueError):
    """What is wrong with a condition; `hint` says what to write."""

    def __init__(self, what: str, hint: str = f"write {EXAMPLE}") -> None:
        super().__init__(what)
        self.hint = hint


@dataclass(frozen=True)
class Condition:
    """One comparison.

    Attributes:
        measure: one of `MEASURES`; docs/study.md says what each is.
        above: whether the measure must be above the threshold (else below).
        threshold: ms for durations, shares, USD per hour, USD, chips; the ordinal of a day for a date.
        lasting: ms for which it must have held; 0 where one review is enough.
        of: market or offer that is watched; empty for the strategy as a whole.
        equal: whether the threshold itself counts.
    """

    measure: str
    above: bool
    threshold: float
    lasting: int = 0
    of: str = ""
    equal: bool = False

    def met(self, value: float) -> bool:
        """Whether a value of the measure is on the right side of the threshold."""
        if value == self.threshold:
            return self.equal
        return (value > self.threshold) == self.above


def parse_condition(text: Any) -> tuple[tuple[Condition, ...], ...]:
    """The alternatives of a condition, each a tuple of comparisons that must hold together.

    Raises ConditionError with what is wrong.
    """
    alternatives = re.split(r"\s+or\s+", str(text).strip())
    return tuple(tuple(_term(part) for part in re.split(r"\s+and\s+", one)) for one in alternatives)


def comparisons(text: Any) -> tuple[Condition, ...]:
    """All comparisons of a condition. Raises ConditionError."""
    return tuple(condition for alternative in parse_condition(text) for condition in alternative)


class ConditionKind(TextKind):
    """A condition as it is written, refused where it cannot be read; `words` may stand in its place."""

    example = EXAMPLE

    def __init__(self, *words: str) -> None:
        self.words = words

    def read(self, raw: Any) -> str:
        """The condition as written; refused where it cannot be read."""
        text = super().read(raw)
        if text not in self.words:
            try:
                parse_condition(text)
            except ConditionError as error:
                words = "".join(f"`{word}`, " for word in self.words)
                raise problem(str(error), error.hint.replace("write ", f"write {words}", 1)) from None
        return text


ConditionText = Annotated[str, ConditionKind()]
RenewalText = Annotated[str, ConditionKind("always", "never")]


def _term(text: str) -> Condition:
    found = _TERM.fullmatch(text)
    if found is None:
        raise ConditionError(f"{forms.shown(text)} is no condition")
    name, of, sign, limit, lasting = found.groups()
    name = "utilisation" if name == "utilization" else name
    if name not in MEASURES:
        hint = forms.did_you_mean(name, MEASURES)
        raise ConditionError(f"a strategy cannot watch {forms.shown(name)}", hint)
    if of is not None and name not in NAMED:
        raise ConditionError(f"{name} is that of the whole strategy", f"leave out `of {of}`")
    if of is None and name == "price":
        raise ConditionError("a price of which market?", "write `price of MARKET < $2/h`")
    form = MEASURES[name]
    threshold = _read(form, limit) if form is not None else _day(limit)
    last = int(_read(forms.DURATION, lasting)) if lasting else 0
    return Condition(name, sign[0] == ">", threshold, last, of or "", len(sign) == 2)


def _read(form: forms.Form, text: str) -> float:
    try:
        return form.read(text)
    except ValueError as error:
        raise ConditionError(f"{forms.shown(text)} {error}", f"write {form.example}") from None


def _day(text: str) -> float:
    try:
        return float(forms.read_date(text).toordinal())
    except ValueError as error:
        raise ConditionError(f"{forms.shown(text)} {error}", f"write {forms.DATE_EXAMPLE}") from None
