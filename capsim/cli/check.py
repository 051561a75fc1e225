"""``capsim check``: is a study right, and what does it rest on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capsim.cli.options import AsOf, Case, Json, Sets, StudyFile

if TYPE_CHECKING:
    from capsim.errors import Problem
    from capsim.spec.findings import Finding
    from capsim.spec.loader import Draft, Loaded

CASE_CHECKS = ("closed-books", "lots", "conversion", "exclusivity")
"""Checks whose information is also shown where only a case brings it about."""
ASSUMED_SHOWN = 12
"""Assumed numbers that are listed without ``--all``."""

Strict = Annotated[bool, typer.Option("--strict", help="Warnings are errors.")]
All = Annotated[bool, typer.Option("--all", help="List every assumed number.")]


def register(app: typer.Typer) -> None:
    """Add ``capsim check`` to the application."""
    app.command("check")(check)


def check(
    study: StudyFile,
    sets: Sets = None,
    as_of: AsOf = None,
    case: Case = None,
    strict: Strict = False,
    every: All = False,
    as_json: Json = False,
) -> None:
    """Check a study with all its cases: errors, named warnings, arithmetic and the sources of its numbers."""
    from capsim.errors import StudyError
    from capsim.spec.loader import read_study

    draft = read_study(study, sets=sets or (), as_of=as_of)
    cases = [case] if case is not None else list(draft.cases)
    loaded, findings, problems = _check_cases(draft, cases)
    levels = ("error", "warning") if strict else ("error",)
    problems += [item.where for _, item in findings if item.level in levels]
    if as_json:
        typer.echo(json.dumps(_as_json(loaded, findings, problems), indent=2))
    elif loaded is not None and not problems:
        _print(loaded, draft, findings, every)
    if problems:
        raise StudyError(problems)


def _check_cases(
    draft: Draft, cases: list[str]
) -> tuple[Loaded | None, list[tuple[str, Finding]], list[Problem]]:
    """The first case's study, findings with the case that first shows them, and problems of loading."""
    from capsim.compile.checks import run_checks
    from capsim.errors import StudyError

    first: Loaded | None = None
    findings: dict[tuple[str, Problem], tuple[str, Finding]] = {}
    problems: list[Problem] = []
    for name in cases:
        try:
            loaded = draft.resolve(name)
        except StudyError as error:
            problems += error.problems
            continue
        first = first or loaded
        for item in run_checks(loaded, telling=loaded is first):
            if item.level != "info" or loaded is first or item.check in CASE_CHECKS:
                findings.setdefault((item.check, item.where), (name, item))
    return first, list(findings.values()), problems


def _print(loaded: Loaded, draft: Draft, findings: list[tuple[str, Finding]], every: bool) -> None:
    study = loaded.study
    first = loaded.case
    typer.echo(
        f"{loaded.file}: study {study.name}, {len(study.strategies)} strategies, "
        f"cases {', '.join(draft.cases)}, as of {study.as_of}, digest {loaded.digest[:12]}"
    )
    warnings = [(case, item) for case, item in findings if item.level == "warning"]
    for case, item in warnings:
        typer.echo(f"warning [{item.check}] {item.where}" + (f" (case {case})" if case != first else ""))
    heading = ""
    assumed = 0
    # Stable, so that what a case adds stands below what the study itself has.
    order = list(dict.fromkeys(item.check for _, item in findings))
    for case, item in sorted(findings, key=lambda entry: order.index(entry[1].check)):
        if item.level != "info":
            continue
        assumed += item.text.startswith("assumed: ")
        if item.text.startswith("assumed: ") and assumed > ASSUMED_SHOWN and not every:
            continue
        if item.check != heading:
            heading = item.check
            typer.echo(f"{heading}:")
        typer.echo(f"  {item.text}" + (f" (case {case})" if case != first else ""))
    if assumed > ASSUMED_SHOWN and not every:
        typer.echo(f"  and {assumed - ASSUMED_SHOWN} more assumed numbers (--all lists them)")
    typer.echo(f"no errors, {len(warnings)} warning{'s' if len(warnings) != 1 else ''}")


def _as_json(
    loaded: Loaded | None, findings: list[tuple[str, Finding]], problems: list[Problem]
) -> dict[str, Any]:
    entries = [
        {
            "check": item.check,
            "level": item.level,
            "case": case,
            "file": item.where.file,
            "line": item.where.line,
            "column": item.where.column,
            "what": item.where.what,
            "hint": item.where.hint,
        }
        for case, item in findings
    ]
    result: dict[str, Any] = {
        "ok": not problems,
        "errors": [str(problem) for problem in sorted(set(problems))],
    }
    if loaded is not None:
        from capsim.spec.provenance import provenance

        found = provenance(loaded.study)
        result |= {
            "study": loaded.study.name,
            "digest": loaded.digest,
            "as_of": loaded.study.as_of.isoformat(),
            "hidden_offers": {name: day.isoformat() for name, day in loaded.hidden.items()},
            "sources": [{"file": source.file, "sha256": source.sha256} for source in loaded.sources],
            "provenance": dict(found.counts),
            "assumed": [path for path, _ in found.assumed],
        }
    return result | {"findings": entries}
