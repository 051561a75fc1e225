"""Files of records that a study names: where they are, and their digests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from capsim.errors import Problem
from capsim.spec.demand import Traced
from capsim.spec.explain import locate
from capsim.spec.includes import Source
from capsim.spec.nodes import Mapping
from capsim.spec.quantities import shown
from capsim.spec.study import Study

_PIECE = 1 << 20


def with_traces(study: Study, tree: Mapping) -> tuple[Study, list[Source], list[Problem]]:
    """The study with every trace file found and hashed; the files; what is wrong.

    A path is taken from the folder of the file that states it; one of an option or a case of the command
    line from the working folder.
    """
    sources: list[Source] = []
    problems: list[Problem] = []

    def found(item: Any, *path: str | int) -> Any:
        if not isinstance(item, Traced):
            return item
        at = locate(tree, (*path, "trace")).value_at
        folder = Path(at.file).parent if Path(at.file).is_file() else Path()
        file = folder / item.trace
        try:
            digest = _digest(file)
        except FileNotFoundError:
            problems.append(
                at.problem(f"{file}: there is no such file", f"paths start at {folder.resolve()}")
            )
            return item
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            problems.append(at.problem(f"{shown(item.trace)} cannot be read ({reason})", "name a trace file"))
            return item
        if item.sha256 not in (None, digest):
            where = locate(tree, (*path, "sha256")).value_at
            problems.append(where.problem(f"{file} has another content", f"its digest is {digest}"))
        sources.append(Source(str(file), digest))
        return item.found_at(str(file), digest)

    demand = study.demand
    update: dict[str, Any] = {"research": found(demand.research, "demand", "research")}
    update["inference"] = [
        service.model_copy(
            update={"requests": found(service.requests, "demand", "inference", index, "requests")}
        )
        for index, service in enumerate(demand.inference)
    ]
    if not sources and not problems:
        return study, [], []
    return study.model_copy(update={"demand": demand.model_copy(update=update)}), sources, problems


def _digest(file: Path) -> str:
    """The sha256 (hex) of a file's content."""
    content = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            content.update(piece)
    return content.hexdigest()
