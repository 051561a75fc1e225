"""The errors that users see. Everything else that escapes is a defect of capsim itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class CapsimError(Exception):
    """An error with one clear line for the user; the command exits 1."""

    exit_code = 1


class InputError(CapsimError):
    """The input is wrong: the message says where, what is wrong and what to write instead; exit 2."""

    exit_code = 2


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in one place of the input.

    ``line`` and ``column`` count from 1; 0 means that the whole file is meant. ``hint`` says what to
    write instead and may be empty.
    """

    file: str
    line: int
    column: int
    what: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.what}" + (f"; {self.hint}" if self.hint else "")


class StudyError(InputError):
    """A study that cannot be used, with all its problems, one a line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))
