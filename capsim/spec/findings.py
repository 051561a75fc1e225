"""What a check of a study reports: an error, a named warning, or a line of information."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from capsim.errors import Problem

Level = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a named check; ``where`` says which place of the input is meant."""

    check: str
    level: Level
    where: Problem

    @property
    def text(self) -> str:
        """What is found, and the hint, without the place."""
        return self.where.what + (f"; {self.where.hint}" if self.where.hint else "")

    def __str__(self) -> str:
        return f"{self.where} [{self.check}]"
