"""From files to a study: read, merge, check against the schema, apply the decision date."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from capsim.errors import Problem, StudyError
from capsim.spec.as_of import apply_as_of
from capsim.spec.canonical import study_digest
from capsim.spec.explain import explain, limited, locate
from capsim.spec.findings import Finding
from capsim.spec.includes import Source, find_study, read_files
from capsim.spec.merge import Overlay
from capsim.spec.nodes import Mapping, Mark, no_collection
from capsim.spec.overrides import parse_set
from capsim.spec.quantities import DATE_EXAMPLE, did_you_mean, read_date, shown
from capsim.spec.references import wrong_references
from capsim.spec.strategy_code import with_strategy_code
from capsim.spec.study import Study
from capsim.spec.traces import with_traces

VERSION = 1
"""The version of the study language, `capsim:` in a study."""
_NOT_IN_CASES = ("cases", "include", "capsim")


@dataclass(frozen=True)
class Loaded:
    """A study that passed the schema, as of its decision date and with one case applied.

    Attributes:
        study: the study; offers hidden by the decision date are left out.
        tree: the merged tree with the places of every entry.
        file: the study's file, as the user named it.
        case: the case applied, None for none.
        hidden: offers announced after the decision date, with the date.
        findings: what the decision date leaves out or warns about.
        sources: the files read, with their digests.
    """

    study: Study
    tree: Mapping = field(repr=False)
    file: str
    case: str | None
    hidden: dict[str, datetime.date]
    findings: tuple[Finding, ...]
    sources: tuple[Source, ...]

    def place(self, *path: str | int) -> Mark:
        """Where an entry stands (its key, for entries of mappings)."""
        return locate(self.tree, path).key_at

    @property
    def marks(self) -> Mapping:
        """The tree with the places of every entry."""
        return self.tree

    @cached_property
    def digest(self) -> str:
        """The sha256 of the study's canonical content."""
        return study_digest(self.study)


@dataclass(frozen=True)
class Draft:
    """A study's merged files before a case is chosen."""

    file: str
    tree: Mapping = field(repr=False)
    sets: tuple[Mapping, ...]
    as_of: datetime.date | None
    sources: tuple[Source, ...]

    @property
    def cases(self) -> tuple[str, ...]:
        """Names of the cases, ``base`` first."""
        found = self.tree.get("cases")
        names = [name for name in found if name != "base"] if isinstance(found, Mapping) else []
        return ("base", *names)

    def resolve(self, case: str | None = None) -> Loaded:
        """The study with a case and the ``--set`` options applied.

        Raises StudyError with every problem.
        """
        overlay = Overlay(changes=True)
        tree = self._with_case(overlay, case)
        for change in self.sets:
            tree = overlay.merge(tree, change)
        if self.as_of is not None:
            at = Mark("--as-of", 1, 1)
            tree = tree.copy()
            tree.put("as_of", self.as_of.isoformat(), at, at)
        study, problems = _validated(tree, overlay)
        problems += overlay.problems
        if study is None or problems:
            raise StudyError(limited(problems))
        study, traces, wrong = with_traces(study, tree)
        study, codes, unfound = with_strategy_code(study, tree)
        wrong += unfound
        dated = apply_as_of(study, tree, self.file)
        for item in wrong_references(dated.study, dated.hidden):
            place = locate(tree, item.path)
            wrong.append((place.key_at if item.at_key else place.value_at).problem(item.what, item.hint))
        if wrong:
            raise StudyError(limited(wrong))
        return Loaded(dated.study, tree, self.file, case, dated.hidden, tuple(dated.findings),
                      (*self.sources, *traces, *codes))  # fmt: skip

    def _with_case(self, overlay: Overlay, case: str | None) -> Mapping:
        if case is None:
            return self.tree
        cases = self.tree.get("cases")
        if not isinstance(cases, Mapping) or case not in cases:
            if case == "base":
                return self.tree
            raise StudyError(
                [Problem("--case", 1, 1, f"there is no case {shown(case)}", did_you_mean(case, self.cases))]
            )
        changes = cases[case]
        if changes is None:
            return self.tree
        if not isinstance(changes, Mapping):
            at = cases.values_at[case]
            raise StudyError(
                [at.problem(f"the case {shown(case)} is no mapping", "write {} or the keys that change")]
            )
        for key in _NOT_IN_CASES:
            if key in changes:
                at = changes.keys_at[key]
                raise StudyError(
                    [at.problem(f"a case cannot change `{key}`", "write it in the study itself")]
                )
        return overlay.merge(self.tree, changes)


def _validated(tree: Mapping, overlay: Overlay) -> tuple[Study | None, list[Problem]]:
    """The tree as a study, or its problems."""
    version = tree.get("capsim")
    if isinstance(version, str) and version != str(VERSION):
        at = tree.values_at["capsim"]
        what = f"{shown(version)} is not a version of the study language that this capsim reads"
        return None, [at.problem(what, f"write capsim: {VERSION}")]
    try:
        with no_collection():
            return Study.model_validate(tree), []
    except ValidationError as error:
        return None, explain(error, tree, Study, overlay.new_keys)


def read_study(
    path: str | Path, *, sets: Sequence[str] = (), as_of: str | datetime.date | None = None
) -> Draft:
    """Read a study's files and options; cases are applied by `Draft.resolve`.

    Raises StudyError with the problems of all files and options.
    """
    problems: list[Problem] = []
    changes = []
    for number, argument in enumerate(sets, start=1):
        try:
            changes.append(parse_set(argument, number))
        except StudyError as error:
            problems += error.problems
    date: datetime.date | None = None
    if as_of is not None:
        try:
            date = read_date(as_of)
        except ValueError as error:
            problems.append(Problem("--as-of", 1, 1, f"{shown(as_of)} {error}", f"write {DATE_EXAMPLE}"))
    file = find_study(path)
    tree, reader = read_files(file, str(file))
    problems += reader.problems
    if problems or tree is None:
        raise StudyError(limited(problems))
    return Draft(str(file), tree, tuple(changes), date, tuple(reader.sources))


def load_study(
    path: str | Path,
    *,
    sets: Sequence[str] = (),
    case: str | None = None,
    as_of: str | datetime.date | None = None,
) -> Loaded:
    """Load a study with ``--set`` options, one of its cases and a decision date applied, in this order:
    included files, the file, the case, the options, ``as_of``.

    Raises StudyError with every problem as ``file:line:column: what is wrong; what to write instead``.
    """
    return read_study(path, sets=sets, as_of=as_of).resolve(case)
