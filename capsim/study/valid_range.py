"""Which values of a number leave the study valid: a moved study is checked anew before it is simulated."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from capsim.compile.checks import CHECKS, run_checks
from capsim.errors import InputError
from capsim.spec.base import Section
from capsim.spec.knobs import Knob
from capsim.spec.loader import Loaded
from capsim.spec.paths import join_path, split_path
from capsim.spec.provenance import with_values
from capsim.spec.study import Study

#: checks of a moved study: books are closed against what was announced, which does not move with a trial.
MOVED = tuple(name for name in CHECKS if name not in ("closed-books", "cross-check", "provenance", "traces"))
#: an end of the valid range is found to this share of the number, a date to the day.
PRECISION = 1e-6


def why_invalid(loaded: Loaded, changes: Mapping[str, float]) -> str | None:
    """The first error of a study with some numbers changed; None where it is valid."""
    try:
        study = with_values(loaded.study, changes)
        for section in _sections(study, changes):
            type(section).model_validate(section.model_dump(mode="json", by_alias=True, exclude_none=True))
    except InputError as error:
        return str(error)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        context = first.get("ctx", {})
        return f"{join_path(map(str, first['loc']))}: {context.get('what', first['msg'])}"
    findings = run_checks(dataclasses.replace(loaded, study=study), MOVED)
    return next((finding.where.what for finding in findings if finding.level == "error"), None)


def _sections(study: Study, changes: Mapping[str, float]) -> Iterator[Section]:
    """The parts of a study that changes are in: an offer, a market, all of the demand."""
    for names in dict.fromkeys(split_path(path)[:2] for path in changes):
        part = getattr(study, names[0])
        if isinstance(part, dict):
            part = [part[names[1]]] if names[1] in part else list(part.values())
        for entry in part if isinstance(part, list) else [part]:
            if isinstance(entry, Section):
                yield entry


@dataclass(frozen=True)
class Limit:
    """The last valid value on the way to one end, and what is wrong beyond it."""

    value: float
    above: bool
    why: str


@dataclass
class ValidRange:
    """The values of a number, around the study's own, that leave the study valid.

    Values are taken to be valid without gaps between the study's and the first invalid one that is met.

    Attributes:
        limits: those that were met so far, by whether they are above the study's value.
    """

    loaded: Loaded
    knob: Knob
    limits: dict[bool, Limit] = field(default_factory=dict)
    _valid: set[float] = field(default_factory=set)

    def clamp(self, value: float) -> float:
        """The value, or the last valid one on the way to it; what is met is noted in `limits`."""
        above = value > self.knob.value
        limit = self.limits.get(above)
        if limit is not None:
            value = min(value, limit.value) if above else max(value, limit.value)
        if value == self.knob.value or value in self._valid:
            return value
        why = self._why(value)
        if why is None:
            self._valid.add(value)
            return value
        inner, outer = self.knob.value, value
        while abs(outer - inner) > max(self.knob.finest, PRECISION * max(abs(inner), abs(outer))):
            middle = self.knob.within((inner + outer) / 2)
            if middle in (inner, outer):
                break
            found = self._why(middle)
            inner, outer, why = (middle, outer, why) if found is None else (inner, middle, found)
        self.limits[above] = Limit(inner, above, why)
        self._valid.add(inner)
        return inner

    def _why(self, value: float) -> str | None:
        """What is wrong with a value."""
        alone = self.knob.value != 0 or len(self.knob.leaves) == 1
        changes = self.knob.changes(value) if alone else dict.fromkeys(self.knob.leaves, value)
        return why_invalid(self.loaded, changes)
