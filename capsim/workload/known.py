"""Names of published tables to entries of the catalog: chips with the system they stand in, and models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from capsim.catalog.library import load_catalog
from capsim.spec.hardware import Chip, ModelCard, System


@dataclass(frozen=True)
class Known:
    """The catalog's chips, systems and models, with every alias to its name."""

    chips: Mapping[str, Chip]
    systems: Mapping[str, System]
    models: Mapping[str, ModelCard]
    chip_names: Mapping[str, str]
    model_names: Mapping[str, str]

    def chip(self, name: str) -> str | None:
        """The catalog's name of a chip, or None."""
        return self.chip_names.get(fold(name))

    def model(self, name: str) -> str | None:
        """The catalog's name of a model, or None."""
        return self.model_names.get(fold(name))

    def name_of(self, card: ModelCard) -> str:
        """The catalog's name of a card of this shape, or an empty text."""
        key = (card.params_b_active, card.params_b_total, card.layers, card.hidden)
        for name, other in self.models.items():
            if (other.params_b_active, other.params_b_total, other.layers, other.hidden) == key:
                return name
        return ""

    def system(self, chip: str) -> System | None:
        """The first system of the catalog built from a chip: the way the chip is usually measured."""
        return next((system for system in self.systems.values() if system.chip == chip), None)


def fold(name: str) -> str:
    """A name without case, spaces, dashes, dots and underscores."""
    return "".join(c for c in name.lower() if c.isalnum())


@lru_cache(maxsize=1)
def known() -> Known:
    """The catalog that comes with capsim, read once a process."""
    catalog = load_catalog()
    return Known(
        catalog.chips,
        catalog.systems,
        catalog.models,
        {fold(alias): name for name, chip in catalog.chips.items() for alias in (*chip.aliases, name)},
        {fold(alias): name for name, card in catalog.models.items() for alias in (*card.aliases, name)},
    )
