"""Names of published tables to entries of the catalog: chips with the system they stand in, and models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml

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

    def system(self, chip: str) -> System | None:
        """The first system of the catalog built from a chip: the way the chip is usually measured."""
        return next((system for system in self.systems.values() if system.chip == chip), None)


def fold(name: str) -> str:
    """A name without case, spaces, dashes, dots and underscores."""
    return "".join(c for c in name.lower() if c.isalnum())


def _section(name: str) -> dict[str, Any]:
    text = resources.files("capsim.catalog").joinpath(f"data/catalog/{name}.yaml").read_text(encoding="utf-8")
    return dict(yaml.load(text, Loader=yaml.CSafeLoader)[name])


@lru_cache(maxsize=1)
def known() -> Known:
    """The catalog that comes with capsim, read once a process."""
    chips = {name: Chip.model_validate(raw) for name, raw in _section("chips").items()}
    systems = {name: System.model_validate(raw) for name, raw in _section("systems").items()}
    models = {name: ModelCard.model_validate(raw) for name, raw in _section("models").items()}
    return Known(
        chips,
        systems,
        models,
        {fold(alias): name for name, chip in chips.items() for alias in (*chip.aliases, name)},
        {fold(alias): name for name, card in models.items() for alias in (*card.aliases, name)},
    )
