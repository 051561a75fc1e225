"""Conditions of strategy rules: ``backlog > 2w``, ``utilisation > 85% for 30d``, joined by ``or``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from capsim.spec import quantities as forms

Measure = Literal["backlog", "utilisation"]
_TERM: Final = re.compile(r"\s*(\w+)\s*([<>])\s*([^<>]+?)(?:\s+for\s+(.+?))?\s*")
EXAMPLE: Final = "`backlog > 2w`, `utilisation > 85% for 30d`, or several joined by `or`"


@dataclass(frozen=True)
class Condition:
    """One comparison; the rule fires when any of its conditions holds.

    Attributes:
        measure: ``backlog`` (waiting work over the fleet's speed, ms) or ``utilisation`` (0 to 1).
        above: whether the measure must be above the threshold (else below).
        threshold: ms for a backlog, a share for a utilisation.
        lasting: ms for which it must have held; 0 where one review is enough.
    """

    measure: Measure
    above: bool
    threshold: float
    lasting: int = 0


def parse_condition(text: Any) -> tuple[Condition, ...]:
    """The conditions of a rule's ``when``.

    Raises ValueError with what is wrong.
    """
    return tuple(_term(part) for part in re.split(r"\s+or\s+", str(text).strip()))


def _term(text: str) -> Condition:
    found = _TERM.fullmatch(text)
    if found is None:
        raise ValueError(f"{forms.shown(text)} is no condition")
    name, sign, limit, lasting = found.groups()
    if name == "backlog":
        measure: Measure = "backlog"
        threshold = _read(forms.DURATION, limit)
    elif name in ("utilisation", "utilization"):
        measure = "utilisation"
        threshold = _read(forms.FRACTION, limit)
    else:
        raise ValueError(f"a rule cannot watch {forms.shown(name)}")
    return Condition(measure, sign == ">", threshold, int(_read(forms.DURATION, lasting)) if lasting else 0)


def _read(form: forms.Form, text: str) -> float:
    try:
        return form.read(text)
    except ValueError as error:
        raise ValueError(f"{forms.shown(text)} {error}, write {form.example}") from None
