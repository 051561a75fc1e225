"""A number of a study by its path: what it is, how it is read and written, and studies with another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from capsim.errors import InputError
from capsim.spec.base import Section
from capsim.spec.paths import join_path, split_path
from capsim.spec.provenance import Sourced, used_values, values_of
from capsim.spec.quantities import closest
from capsim.spec.study import Study
from capsim.spec.values import Quantity, Value, Whole

#: names under which several numbers are one price by system: they move together.
TOGETHER = ("price",)


@dataclass(frozen=True)
class Knob:
    """One number of a study, or prices by system that move in proportion.

    Attributes:
        path: as the user wrote it.
        value: the study's number, in the unit of the schema; the first one's where there are several.
        leaves: paths of all numbers that move, with their numbers.
        quantity: how the number is read and written.
    """

    path: str
    value: float
    leaves: Mapping[str, float]
    quantity: Quantity

    def changes(self, value: float) -> dict[str, float]:
        """The numbers of all leaves when the first one is `value`; for `with_values`."""
        if len(self.leaves) == 1:
            return dict.fromkeys(self.leaves, value)
        return {path: number * value / self.value for path, number in self.leaves.items()}

    def within(self, value: float) -> float:
        """The nearest number that the schema allows (just above an open bound)."""
        least, above, most = self.quantity.least, self.quantity.above, self.quantity.most
        if least is not None:
            value = max(value, least)
        if above is not None and value <= above:
            value = above + 1e-6 * max(abs(self.value - above), 1e-6)
        return value if most is None else min(value, most)

    def read(self, text: str, option: str) -> float:
        """A number that the user wrote for it, e.g. `$2.10/h`. Raises InputError that names the option."""
        try:
            return float(self.quantity.form.read(text))
        except ValueError as error:
            raise InputError(f"{option} {text!r} {error}; write {self.quantity.form.example}") from None

    def show(self, value: float) -> str:
        """The number as a study would have it, four digits of it."""
        if self.quantity.form.suffix == " ms":
            return f"{value / 86_400_000:.4g} d"
        return self.quantity.form.show(float(f"{value:.4g}"))


def knob(study: Study, path: str) -> Knob:
    """The number at `path`, e.g. `offers.my-offer.price` or `offers."my-offer".term`.

    A path to a price stands for its only number, or for all its prices by system together. Raises InputError
    for a path that leads to no number or to several, with what to write instead.
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
        near = closest(path, [join_path(one.path) for one in used_values(study)])
        hint = f"did you mean `{near}`?" if near is not None else "write a path such as offers.my-offer.price"
        raise InputError(f"--flip {path}: no number there; {hint}")
    one_price = names[-1] in TOGETHER and len({one.path[: len(names) + 1] for one in below}) == 1
    if len(below) > 1 and not one_price:
        listed = ", ".join(join_path(one.path) for one in below[:6])
        raise InputError(f"--flip {path}: {len(below)} numbers there; write one of {listed}")
    first = below[0]
    if names[:1] == ("offers",) and study.offers[names[1]].solve is not None:
        raise InputError(f"--flip {path}: the offer solves for chips or term; state them in place of `solve`")
    quantity = quantity_at(study, first.path)
    if quantity is None:
        raise InputError(f"--flip {path}: not a number that can be changed")
    leaves = {join_path(one.path): float(one.value) for one in below}  # type: ignore[arg-type]
    return Knob(path, float(first.value), leaves, quantity)  # type: ignore[arg-type]


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
