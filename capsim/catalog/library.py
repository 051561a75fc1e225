"""The catalog as Python objects, and finding an entry by any of its names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from capsim.errors import InputError, Problem, StudyError
from capsim.spec.base import Section
from capsim.spec.hardware import Chip, ModelCard, Porting, System
from capsim.spec.markets import Market
from capsim.spec.nodes import parse
from capsim.spec.offers import Offer
from capsim.spec.quantities import did_you_mean

DATA: Final = Path(__file__).parent / "data"
"""Where the catalog's files are."""

_SECTIONS: Final[dict[str, type[Section]]] = {
    "chips": Chip,
    "systems": System,
    "models": ModelCard,
    "porting": Porting,
    "offers": Offer,
    "markets": Market,
}


@dataclass(frozen=True)
class Catalog:
    """Everything built in, by name, in the order of the files."""

    chips: Mapping[str, Chip]
    systems: Mapping[str, System]
    models: Mapping[str, ModelCard]
    porting: Mapping[str, Porting]
    offers: Mapping[str, Offer]
    markets: Mapping[str, Market]

    def entries(self, kind: str) -> Mapping[str, Section]:
        """The entries of a kind: chips, systems, models, porting, offers or markets."""
        found: Mapping[str, Section] = getattr(self, kind)
        return found

    def resolve(self, kind: str, name: str) -> str | None:
        """The catalog's name of an entry that is meant by a name or an alias; None where there is none.

        Case, spaces, dashes and underscores do not matter: ``H100``, ``h100`` and ``h100_sxm`` are one chip.
        """
        entries = self.entries(kind)
        if name in entries:
            return name
        wanted = folded(name)
        for key, entry in entries.items():
            if wanted in {folded(other) for other in names(key, entry)}:
                return key
        return None

    def find(self, kind: str, name: str) -> tuple[str, Section]:
        """The name and entry of a kind by name or alias.

        Raises InputError with the closest name where there is none.
        """
        key = self.resolve(kind, name)
        if key is None:
            thing = "stack" if kind == "porting" else kind.removesuffix("s")
            known = [other for key, entry in self.entries(kind).items() for other in names(key, entry)]
            raise InputError(f"there is no {thing} `{name}` in the catalog; {did_you_mean(name, known)}")
        return key, self.entries(kind)[key]


def names(key: str, entry: Section) -> tuple[str, ...]:
    """An entry's name in the catalog and its aliases."""
    return (key, *getattr(entry, "aliases", ()))


def folded(name: str) -> str:
    """A name without case, spaces, dashes and underscores."""
    return re.sub(r"[\s_-]+", "", name.casefold())


@cache
def load_catalog() -> Catalog:
    """Read the catalog's YAML files, once in a process.

    Raises StudyError where a file of the installation is damaged.
    """
    raw: dict[str, dict[str, Any]] = {kind: {} for kind in _SECTIONS}
    for file in sorted(DATA.glob("*/*.yaml")):
        shown = f"{file.parent.name}/{file.name}"
        parsed = parse(file.read_bytes(), shown)
        problems = list(parsed.problems)
        for kind in _SECTIONS:
            for name, entry in parsed.root.get(kind, {}).items():
                if name in raw[kind]:
                    problems.append(Problem(shown, 0, 0, f"{kind}: `{name}` stands in two files"))
                raw[kind][name] = entry
        if problems:
            raise StudyError(problems)
    return Catalog(**{kind: _validated(section, raw[kind]) for kind, section in _SECTIONS.items()})


def _validated(section: type[Section], entries: dict[str, Any]) -> dict[str, Any]:
    return TypeAdapter(dict[str, section]).validate_python(entries)  # type: ignore[valid-type]
