"""The base of every section of a study."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A mapping with known keys: an unknown key is an error, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, data: Any) -> Any:
        """A key without a value (``tranches:``) stands for the key's default, where it has one."""
        if isinstance(data, dict) and None in data.values():
            names = {field.alias or name: field for name, field in cls.model_fields.items()}
            return {
                key: value
                for key, value in data.items()
                if value is not None or key not in names or names[key].is_required()
            }
        return data
