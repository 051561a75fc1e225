"""Walking the values of a study: where they come from, which are ranges, and studies with other values."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pydantic_core import PydanticCustomError

from capsim.errors import InputError
from capsim.spec.base import Section
from capsim.spec.offers import Offer, Quantity
from capsim.spec.paths import join_path, split_path
from capsim.spec.references import used_names
from capsim.spec.solving import solved
from capsim.spec.study import Study
from capsim.spec.values import Day, Value, Whole

STATED: Final = "stated"
"""Stands for the confidence of a plain number: the study's author states it without a source."""


class Sourced(NamedTuple):
    """A value and the names that lead to it."""

    path: tuple[str | int, ...]
    value: Value | Whole | Day


def values_of(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[Sourced]:
    """Every number (and sourced date) at and below a node, in the order of the schema."""
    if isinstance(node, Value | Whole | Day):
        yield Sourced(path, node)
    elif isinstance(node, Section):
        for name, field in type(node).model_fields.items():
            value = getattr(node, name)
            if value is not None:
                yield from values_of(value, (*path, field.alias or name))
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from values_of(value, (*path, _key(key)))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from values_of(value, (*path, getattr(value, "name", index)))


def _key(key: Any) -> str:
    return key.isoformat() if isinstance(key, datetime.date) else str(key)


def used_values(study: Study) -> Iterator[Sourced]:
    """The values that can matter: catalog entries and offers that nothing names are left out."""
    used = used_names(study)
    for name, field in type(study).model_fields.items():
        value = getattr(study, name)
        if name in ("cases", "prices", "cross_check"):
            continue
        if name in used:
            value = {key: item for key, item in value.items() if key in used[name]}
        yield from values_of(value, (field.alias or name,))


def ranged(study: Study) -> list[tuple[str, Value | Whole]]:
    """Every used value that is a range, with its path, in the order of the schema."""
    return [
        (join_path(path), value)
        for path, value in used_values(study)
        if isinstance(value, Value | Whole) and value.ranged
    ]


class Provenance(NamedTuple):
    """How many values have which confidence, and the paths and sources of those that are assumed."""

    counts: Counter[str]
    assumed: list[tuple[str, Value | Whole | Day]]


def provenance(study: Study) -> Provenance:
    """Count the confidences of the used values; plain numbers count as `STATED`."""
    counts: Counter[str] = Counter()
    assumed = []
    for path, value in used_values(study):
        confidence = value.confidence or STATED
        counts[confidence] += 1
        if confidence == "assumed":
            assumed.append((join_path(path), value))
    return Provenance(counts, assumed)


def with_values(study: Study, changes: Mapping[str, float]) -> Study:
    """The study with other numbers in the units of the schema; sources stay, ranges collapse.

    Paths are those of `ranged`; a date is its ordinal day. Offers that solve for chips or term are solved
    anew, unless the changes state these. Raises KeyError for a path that leads to no number, InputError for
    numbers that solve for nothing.
    """
    tree: dict[str, Any] = {}
    for path, number in changes.items():
        branch = tree
        *holders, last = split_path(path)
        for name in holders:
            branch = branch.setdefault(name, {})
        branch[last] = number
    changed = _changed(study, tree, ())
    assert isinstance(changed, Study)
    return changed


def _changed(node: Any, changes: Any, path: tuple[str, ...]) -> Any:
    """A copy of the node with the changes below it; what does not change is shared."""
    if not isinstance(changes, dict):
        if isinstance(node, datetime.date):
            day = datetime.date.fromordinal(round(changes))
            return Day.of(day, **vars(node)) if isinstance(node, Day) else day
        if not isinstance(node, Value | Whole):
            raise KeyError(join_path(path))
        kept = {key: item for key, item in node.provenance().items() if key not in ("low", "high")}
        return Whole(round(changes), **kept) if isinstance(node, Whole) else Value(float(changes), **kept)
    if isinstance(node, Section):
        fields = {field.alias or name: name for name, field in type(node).model_fields.items()}
        update = {
            fields[_known(name, fields, path)]: _changed(getattr(node, fields[name]), change, (*path, name))
            for name, change in changes.items()
        }
        changed = node.model_copy(update=update)
        return _solved(changed, path, set(update)) if isinstance(changed, Offer) else changed
    if isinstance(node, dict):
        keys = {_key(key): key for key in node}
        twin: Any = dict(node)
    elif isinstance(node, list):
        keys = {str(index): index for index in range(len(node))}
        keys |= {item.name: index for index, item in enumerate(node) if hasattr(item, "name")}
        twin = list(node)
    else:
        raise KeyError(join_path(path))
    for name, change in changes.items():
        key = keys[_known(name, keys, path)]
        twin[key] = _changed(node[key], change, (*path, name))
    return twin


def _solved(offer: Offer, path: tuple[str, ...], stated: set[str]) -> Offer:
    """The offer with what its price and value come to now, unless that is among what is stated."""
    if offer.solve is None:
        return offer
    free = {"term"} if offer.solve.unknown == "term" else {"quantity", "default"}
    if free & stated:
        return offer
    plain = offer.model_copy(update=dict.fromkeys(free))
    try:
        return plain.model_copy(update=solved(plain, Quantity))
    except PydanticCustomError as error:
        raise InputError(f"{join_path(path)}: {error.message()}") from None


def _known(name: str, names: Mapping[str, Any], path: tuple[str, ...]) -> str:
    if name not in names:
        raise KeyError(join_path((*path, name)))
    return name
