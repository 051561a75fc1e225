"""Nested merges: included files under a study, cases and ``--set`` over it.

The later mapping wins key by key; lists and values replace what was there. ``null`` removes a key. In cases
and ``--set`` the key ``*`` matches every key at its level, and a mapping laid over a list addresses the
list's entries by their ``name`` (or their number from 0). What ``--set`` writes replaces what it names. A
price replaces a price that is stated otherwise, since exactly one statement may stand.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from capsim.errors import Problem
from capsim.spec.nodes import Mapping, Mark, Sequence
from capsim.spec.quantities import did_you_mean
from capsim.spec.values import is_value

Path = tuple[str, ...]
_PRICES = frozenset({"total", "per_chip_hour", "per_kw_month", "per_chip"})


class NewKey(NamedTuple):
    """A key that an overlay added where the base had none, with what the base knows there."""

    at: Mark
    known: tuple[str, ...]


class Overlay:
    """Lays trees over a tree; collects problems and remembers the keys that were new."""

    def __init__(self, *, changes: bool) -> None:
        """``changes``: the trees are cases or ``--set`` (``*`` and list addresses work), not files."""
        self.changes = changes
        self.problems: list[Problem] = []
        self.new_keys: dict[Path, NewKey] = {}

    def merge(self, base: Mapping, over: Mapping, path: Path = ()) -> Mapping:
        """The base with ``over`` laid over it; neither is changed."""
        merged = base.copy()
        if self.changes and "*" in over:
            if not base:
                self.problems.append(
                    over.keys_at["*"].problem("`*` matches nothing here", "name the key to add")
                )
            for key in base:
                self._entry(merged, key, over, "*", path)
        for key in over:
            if not (self.changes and key == "*"):
                self._entry(merged, key, over, key, path)
        return merged

    def _entry(self, merged: Mapping, key: str, over: Mapping, source: str, path: Path) -> None:
        """Lay ``over[source]`` over ``merged[key]``."""
        value = over[source]
        if key not in merged:
            self._new(merged, over, key, path)
            return
        old = merged[key]
        if value is None:
            merged.drop(key)
        elif isinstance(old, Mapping) and isinstance(value, Mapping) and not _replaces(old, value):
            merged.put(key, self.merge(old, value, (*path, key)), merged.keys_at[key], merged.values_at[key])
        elif self.changes and isinstance(old, Sequence) and isinstance(value, Mapping) and not value.whole:
            merged.put(key, self._items(old, value, (*path, key)), merged.keys_at[key], merged.values_at[key])
        else:
            merged.put(key, value, over.keys_at[source], over.values_at[source])

    def _new(self, merged: Mapping, over: Mapping, key: str, path: Path) -> None:
        value = over[key]
        if self.changes and isinstance(value, Mapping):
            self.new_keys[(*path, key)] = NewKey(over.keys_at[key], tuple(merged))
        merged.put_from(over, key, value)

    def _items(self, old: Sequence, value: Mapping, path: Path) -> Sequence:
        """A list with some entries changed by name or number."""
        merged = Sequence(old.at)
        merged.extend(old)
        merged.items_at.extend(old.items_at)
        names = [_name(item) for item in old]
        for key, change in value.items():
            chosen = [i for i, name in enumerate(names) if key in ("*", name, str(i))]
            if not chosen:
                known = [name for name in names if name is not None] or range(len(old))
                self.problems.append(
                    value.keys_at[key].problem(f"`{'.'.join(path)}` has no `{key}`", did_you_mean(key, known))
                )
            for i in chosen:
                item = merged[i]
                if isinstance(item, Mapping) and isinstance(change, Mapping) and not _replaces(item, change):
                    merged[i] = self.merge(item, change, (*path, str(i)))
                else:
                    merged[i], merged.items_at[i] = change, value.values_at[key]
        if None in merged:
            kept = [(item, at) for item, at in zip(merged, merged.items_at, strict=True) if item is not None]
            merged[:] = [item for item, _ in kept]
            merged.items_at[:] = [at for _, at in kept]
        return merged


def _name(item: Any) -> str | None:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else None


def _replaces(old: Mapping, new: Mapping) -> bool:
    """Whether the new mapping is one value (or one price) that stands for the whole old one."""
    if new.whole or is_value(old) or is_value(new):
        return True
    return bool(new) and new.keys() <= _PRICES and old.keys() <= _PRICES and not new.keys() & old.keys()
