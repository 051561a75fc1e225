"""A YAML file of one section that is no study: read by the same rules for numbers, units and errors."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from capsim.errors import Problem, StudyError
from capsim.spec.base import Section
from capsim.spec.explain import explain, limited
from capsim.spec.nodes import Mapping, parse

MOST_CHIPS = 2**30
"""Chips that one number of such a file may stand for."""

Found = TypeVar("Found", bound=Section)


def read_section(path: Path, schema: type[Found]) -> tuple[Found, Mapping]:
    """The file's section, and its nodes, which know their places.

    Raises StudyError with all problems that the schema finds, or if the file cannot be read or is no YAML.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        problem = Problem(str(path), 0, 0, f"cannot be read ({error.strerror or error})", "name a YAML file")
        raise StudyError([problem]) from None
    parsed = parse(data, str(path))
    if parsed.problems:
        raise StudyError(limited(parsed.problems))
    try:
        return schema.model_validate(parsed.root), parsed.root
    except ValidationError as error:
        raise StudyError(limited(explain(error, parsed.root, schema, {}))) from None
