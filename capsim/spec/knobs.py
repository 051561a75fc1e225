"""A number of a study by its path: what it is, how it is read and written, and studies with another one."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from capsim.errors import InputError
from capsim.spec.base import Section
from capsim.spec.paths import join_path, split_path
from capsim.spec.provenance import Sourced, used_values, values_of
from capsim.spec.quantities import DATE_EXAMPLE, closest, read_date
from capsim.spec.study import Study
from capsim.spec.values import Quantity, Value, Whole

#: names under which several numbers are one price by system, or one path by date: they move together.
TOGETHER, SERIES = ("price",), ("mean", "tokens")
#: shares that sum to 1 with those beside them: the others make room in proportion.
SHARES = ("share", "p")
SUM_TOLERANCE = 1e-3
#: days by which a date is moved for a factor by which a number would be.
DAYS = {1.25: 45, 1.6: 91, 2.5: 182, 4.0: 365}
#: dates that are no terms of a deal.
NO_DATES = ("horizon", "as_of", "announced")


@dataclass(frozen=True)
class Knob:
    """One number or date of a study, or several that move with it.

    Attributes:
        path: as the user wrote it.
        value: the study's number, in the unit of the schema, or the ordinal day of its date; the first one's
            where there are several.
        leaves: paths of all numbers that move in proportion, with their numbers.
        quantity: how the number is read and written; None for a date.
        rest: shares that make room, so that the sum stays 1, by path.
        days: first and last day that a date may have, ordinal.
    """

    path: str
    value: float
    leaves: Mapping[str, float]
    quantity: Quantity | None
    rest: Mapping[str, float] = field(default_factory=dict)
    days: tuple[int, int] = (1, 1)

    def changes(self, value: float) -> dict[str, float]:
        """The numbers of all leaves when the first one is `value`; for `with_values`."""
        if len(self.leaves) == 1:
            room = {path: share * (1 - value) / (1 - self.value) for path, share in self.rest.items()}
            return dict.fromkeys(self.leaves, value) | room
        return {path: number * value / self.value for path, number in self.leaves.items()}

    def within(self, value: float) -> float:
        """The nearest number that the schema allows (just above an open bound); for a date a whole day."""
        if self.quantity is None:
            return float(min(max(round(value), self.days[0]), self.days[1]))
        least, above, most = self.quantity.least, self.quantity.above, self.quantity.most
        if least is not None:
            value = max(value, least)
        if above is not None and value <= above:
            value = above + 1e-6 * max(abs(self.value - above), 1e-6)
        return value if most is None else min(value, most)

    def around(self, factor: float) -> tuple[float, float]:
        """Values below and above the study's: divided and multiplied, or so many days before and after."""
        if self.quantity is None:
            return self.within(self.value - DAYS[factor]), self.within(self.value + DAYS[factor])
        return self.within(self.value / factor), self.within(self.value * factor)

    @property
    def finest(self) -> float:
        """A bracket no wider than this is a point; 0 where nothing but the number's size says so."""
        return 1.0 if self.quantity is None else 0.0

    @property
    def unit(self) -> str:
        """The unit in words."""
        return "a date" if self.quantity is None else self.quantity.form.unit

    def read(self, text: str, option: str) -> float:
        """A number that the user wrote for it, e.g. `$2.10/h`. Raises InputError that names the option."""
        try:
            if self.quantity is None:
                return self.within(float(read_date(text).toordinal()))
            return float(self.quantity.form.read(text))
        except ValueError as error:
            example = DATE_EXAMPLE if self.quantity is None else self.quantity.form.example
            raise InputError(f"{option} {text!r} {error}; write {example}") from None

    def show(self, value: float) -> str:
        """The number as a study would have it, four digits of it; a date as a date."""
        if self.quantity is None:
            return datetime.date.fromordinal(round(value)).isoformat()
        if self.quantity.form.suffix == " ms":
            return f"{value / 86_400_000:.4g} d"
        return self.quantity.form.show(float(f"{value:.4g}"))


def knob(study: Study, path: str) -> Knob:
    """The number or date at `path`, e.g. `offers.my-offer.price` or `offers."my-offer".tranches.0.at`.

    A path to a price stands for its only number, or for all its prices by system together; one to a price
    path or to tokens for all its dates. Of shares that sum to 1 the others make room. Raises InputError for
    a path that leads to no number or to several, with what to write instead.
    """
    try:
        names = split_path(path)
    except ValueError as error:
        raise InputError(f"--flip {path}: {error}") from None
    found = [
        Sourced(tuple(str(name) for name in one.path), one.value)
        for one in values_of(study)
        if isinstance(one.value, Value | Whole)
    ]
    below = [one for one in found if one.path[: len(names)] == names]
    if not below:
        return _other(study, path, names)
    one_price = names[-1] in TOGETHER and len({one.path[: len(names) + 1] for one in below}) == 1
    if len(below) > 1 and not one_price and names[-1] not in SERIES:
        listed = ", ".join(join_path(one.path) for one in below[:6])
        raise InputError(f"--flip {path}: {len(below)} numbers there; write one of {listed}")
    first = below[0]
    _not_solved(study, path, names)
    quantity = quantity_at(study, first.path)
    if quantity is None:
        raise InputError(f"--flip {path}: not a number that can be changed")
    leaves = {join_path(one.path): float(one.value) for one in below}  # type: ignore[arg-type]
    value = float(first.value)  # type: ignore[arg-type]
    rest = _beside(path, tuple(str(name) for name in first.path), value, found) if len(below) == 1 else {}
    return Knob(path, value, leaves, quantity, rest)


def _not_solved(study: Study, path: str, names: tuple[str, ...]) -> None:
    """What an offer solves for follows from its price and value: it does not move by itself."""
    offer = study.offers.get(names[1]) if names[:1] == ("offers",) and len(names) > 1 else None
    if offer is None or offer.solve is None:
        return
    free = ("term",) if offer.solve.unknown == "term" else ("quantity", "default")
    if names[2] in free:
        name = join_path(names[:2])
        hint = (
            f"move {name}.price or {name}.solve.value, or state the {offer.solve.unknown} in place of `solve`"
        )
        raise InputError(f"--flip {path}: the offer solves for it; {hint}")


def _beside(path: str, names: tuple[str, ...], value: float, found: list[Sourced]) -> dict[str, float]:
    """The other shares of a sum of 1, by path: of tranches, of delays, of the systems of an offer."""
    if names[-1] in SHARES and len(names) > 2 and names[-2].isdigit():
        head, tail = names[:-2], names[-1:]
    elif len(names) > 1 and names[-2] == "chips" and names[0] == "offers":
        head, tail = names[:-1], ()
    else:
        return {}
    others = {
        join_path(one.path): float(one.value)  # type: ignore[arg-type]
        for one in found
        if one.path != names and one.path[: len(head)] == head and one.path[len(head) + 1 :] == tail
    }
    total = value + sum(others.values())
    if abs(total - 1) > SUM_TOLERANCE:
        return {}
    if value >= 1 - SUM_TOLERANCE:
        raise InputError(f"--flip {path}: the only share; add another, or flip what the offer is held in")
    return others


def _other(study: Study, path: str, names: tuple[str, ...]) -> Knob:
    """A date; or what to write where there is neither a number nor a date. Raises InputError."""
    node, at = _node(study, names)
    if isinstance(node, datetime.date):
        if names[0] in NO_DATES or names[-1] in NO_DATES:
            hint = "move a date of a contract or of the work, such as offers.my-offer.tranches.0.at"
            raise InputError(f"--flip {path}: what all strategies are compared over; {hint}")
        first, last = study.horizon.start.toordinal(), study.horizon.end.toordinal()
        day = float(node.toordinal())
        return Knob(path, day, {join_path(names): day}, None, days=(first, last))
    if at == len(names) and node is None:
        hint = f"state it with --set '{path}=...', and say where to look with --low and --high"
        raise InputError(f"--flip {path}: the study states none there; {hint}")
    if isinstance(node, str):
        raise InputError(f"--flip {path}: {node!r} is no number; state one there")
    near = closest(path, [join_path(one.path) for one in used_values(study)])
    hint = f"did you mean `{near}`?" if near is not None else "write a path such as offers.my-offer.price"
    raise InputError(f"--flip {path}: no number there; {hint}")


def _node(study: Study, names: tuple[str, ...]) -> tuple[Any, int]:
    """What is at the names, and how many of them lead anywhere."""
    node: Any = study
    for number, name in enumerate(names):
        if isinstance(node, Section):
            fields = {field.alias or key: key for key, field in type(node).model_fields.items()}
            if name not in fields:
                return None, number
            node = getattr(node, fields[name])
        elif isinstance(node, dict):
            keys = {key.isoformat() if hasattr(key, "isoformat") else str(key): key for key in node}
            if name not in keys:
                return None, number
            node = node[keys[name]]
        elif isinstance(node, list):
            by_name = {str(index): item for index, item in enumerate(node)}
            by_name |= {str(item.name): item for item in node if hasattr(item, "name")}
            if name not in by_name:
                return None, number
            node = by_name[name]
        else:
            return None, number
    return node, len(names)


def quantity_at(study: Study, path: tuple[str | int, ...]) -> Quantity | None:
    """How the number at a path of `values_of` is read: the quantity of the last schema field on the way."""
    node: Any = study
    found: Quantity | None = None
    for name in path:
        if isinstance(node, Section):
            fields = {field.alias or key: (key, field) for key, field in type(node).model_fields.items()}
            key, field = fields[str(name)]
            found = _quantity([*field.metadata, field.annotation])
            node = getattr(node, key)
        elif isinstance(node, dict):
            keys = {key.isoformat() if hasattr(key, "isoformat") else str(key): key for key in node}
            node = node[keys[str(name)]]
        else:
            by_name = {str(getattr(item, "name", index)): item for index, item in enumerate(node)}
            node = by_name[str(name)]
    return found


def _quantity(parts: Any) -> Quantity | None:
    """The last quantity in an annotation: of a mapping, that of its values."""
    for part in reversed(list(parts)):
        if isinstance(part, Quantity):
            return part
        inner = [*get_args(part), *getattr(part, "__metadata__", ())]
        if inner and (found := _quantity(inner)) is not None:
            return found
    return None
