"""The run folder: what a comparison leaves on disk, complete or resumable, never silently half-written.

```
runs/3f9a1c-7/
  manifest.json    what was run, by which versions, status, sha256 of every file
  spec.yaml        the resolved study
  parts/           a Parquet file a finished world (case, run), all strategies; its name ends in its sha256
  runs.parquet     a row a strategy x case x run              | merged from the parts
  series.parquet, cash.parquet, events.parquet ...            | at the end
  lock             held while a process writes here
```
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from capsim.errors import CapsimError, InputError
from capsim.results.atomic import TEMPORARY, publish_bytes, publishing, sha256_of
from capsim.results.digest import combined_digest
from capsim.results.lock import FolderLock
from capsim.results.reading import Plan, Results
from capsim.results.schema import TABLES, RunResult

FORMAT = 1
MANIFEST = "manifest.json"
_HASH_DIGITS = 16
#: entries of a manifest that must be equal for results to belong together, with the words for them.
SAME = {"digest": "study", "seed": "seed", "code": "capsim sources"}


@dataclass
class Part:
    """A published part: its file and the strategies in it."""

    path: Path
    case: str
    run: int
    rows: dict[str, Any]  # strategy -> RunRow


@dataclass
class RunFolder:
    """An open run folder, locked by this process. Use as a context manager."""

    path: Path
    manifest: dict[str, Any]
    lock: FolderLock
    parts: dict[tuple[str, int], Part] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    def add(self, results: Sequence[RunResult], digests: Sequence[str]) -> None:
        """Publish the canonical `results` of one world at once, together with what was kept of it before.

        On return they are on disk; a kill at any moment leaves either the old state or the new one.
        """
        from capsim.results.parquet import encode_part, read_part, row_of

        case, run = results[0].case, results[0].run
        old = self.parts.get((case, run))
        merged = dict(zip([r.strategy for r in results], zip(results, digests, strict=True), strict=True))
        if old is not None:
            kept = {
                r.strategy: (r, d) for r, d in read_part(old.path.read_bytes()) if r.strategy not in merged
            }
            merged = kept | merged
        raw = encode_part([r for r, _ in merged.values()], [d for _, d in merged.values()])
        path = self.path / "parts" / _part_name(case, run, raw)
        publish_bytes(path, raw)
        rows = {strategy: row_of(result, digest) for strategy, (result, digest) in merged.items()}
        self.parts[case, run] = Part(path, case, run, rows)
        if old is not None and old.path != path:
            old.path.unlink()

    def rows(self, case: str, run: int) -> dict[str, Any]:
        """Scalars (RunRow) of the finished runs of one world, by strategy."""
        part = self.parts.get((case, run))
        return {} if part is None else part.rows

    def write_manifest(self, **changes: Any) -> None:
        """Update and publish manifest.json."""
        self.manifest.update(changes)
        publish_bytes(self.path / MANIFEST, (json.dumps(self.manifest, indent=1) + "\n").encode())

    def write_text(self, name: str, text: str) -> None:
        """Publish a text file of the folder."""
        publish_bytes(self.path / name, text.encode())

    def merge(self, worlds: Sequence[tuple[str, int]], strategies: Sequence[str]) -> dict[str, str]:
        """Merge the parts of `worlds`, in order, into a Parquet file a table; returns sha256 by name."""
        from capsim.results.parquet import write_runs, write_tables

        rows = [self.parts[world].rows[s] for world in worlds for s in strategies]
        contents = (self.parts[world].path.read_bytes() for world in worlds)
        with ExitStack() as stack:
            sinks = {
                name: stack.enter_context(publishing(self.path / f"{name}.parquet"))
                for name in ("runs", *TABLES)
            }
            write_runs(rows, sinks["runs"])
            write_tables(contents, strategies, sinks)
        return {f"{name}.parquet": sink.digest.hexdigest() for name, sink in sinks.items()}

    def part_hashes(self, worlds: Iterable[tuple[str, int]]) -> dict[str, str]:
        """sha256 of the parts of `worlds`, by file name."""
        return {self.parts[w].path.name: sha256_of(self.parts[w].path) for w in worlds}

    def intact(self) -> bool:
        """Whether every merged file is as the manifest says."""
        return files_intact(self.path, self.manifest)


def open_folder(path: Path, head: dict[str, Any], resume: bool) -> RunFolder:
    """Open `path` for a comparison described by `head` (keys study, digest, seed, code, plan ...).

    A complete folder is moved to `NAME.previous` unless `resume`. Raises InputError where the folder holds
    an unfinished comparison and `resume` is false, or another comparison than `head` and `resume` is true;
    CapsimError where another process writes there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot use {path} as a run folder: {error.strerror}; choose another one with --out"
        ) from error
    _no_foreign_files(path)
    lock = FolderLock(path)
    lock.acquire()
    try:
        old = read_manifest(path)
        if old is not None and not resume:
            lock = _make_room(path, old, lock)
            old = None
        if old is not None:
            _same_comparison(path, old, head)
        folder = RunFolder(path, old if old is not None else {}, lock)
        (path / "parts").mkdir(exist_ok=True)
        _scan(folder)
        folder.write_manifest(
            **{"format": FORMAT, **head, "status": folder.manifest.get("status", "running")}
        )
    except BaseException:
        lock.release()
        raise
    return folder


def _no_foreign_files(path: Path) -> None:
    """Raises InputError where a folder holds what no comparison wrote; nothing is written there."""
    found = [p.name for p in path.iterdir()]  # before the manifest, which another process may just write
    own = all(name in ("lock", "parts") or TEMPORARY in name for name in found)
    if not own and read_manifest(path) is None:
        raise InputError(f"{path} is not a run folder and not empty; choose another one with --out")


def read_manifest(path: Path) -> dict[str, Any] | None:
    """The manifest of a folder; None where there is none. Raises CapsimError where it is damaged."""
    try:
        found = json.loads((path / MANIFEST).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CapsimError(
            f"{path / MANIFEST} is damaged ({error}); choose another folder with --out"
        ) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise CapsimError(f"{path / MANIFEST} is not of format {FORMAT}; choose another folder with --out")
    return found


def files_intact(path: Path, manifest: dict[str, Any]) -> bool:
    """Whether every merged file of a folder is as its manifest says."""
    files: dict[str, str] = manifest.get("files") or {}
    return bool(files) and all(
        (path / name).is_file() and sha256_of(path / name) == digest for name, digest in files.items()
    )


def read_results(path: Path, head: dict[str, Any], plan: Plan) -> Results | None:
    """Results of `plan` from a complete folder of the same comparison `head`; None without them.

    Nothing is written; the folder may hold more strategies, cases and runs than `plan`.
    """
    from capsim.results.parquet import read_runs

    try:
        manifest = read_manifest(path)
    except CapsimError:
        return None
    if manifest is None or manifest.get("status") != "complete":
        return None
    if any(manifest.get(key) != head.get(key) for key in SAME) or not files_intact(path, manifest):
        return None
    found = {row.key: row for row in read_runs(path / "runs.parquet")}
    keys = [(s, case, run) for case, run in plan.worlds for s in plan.strategies]
    if any(key not in found for key in keys):
        return None
    rows = {key: found[key] for key in keys}
    digest = combined_digest(row.digest for row in rows.values())
    return Results(plan, rows, path, digest, sum(row.metrics["seconds"] for row in rows.values()))


def _make_room(path: Path, old: dict[str, Any], lock: FolderLock) -> FolderLock:
    if old.get("status") != "complete":
        done = sum(1 for _ in (path / "parts").glob("*.parquet"))
        raise InputError(
            f"{path} holds an unfinished comparison ({done} of {_planned_worlds(old)} worlds done); "
            "add --resume to finish it, or --out DIR to write elsewhere"
        )
    previous = path.with_name(f"{path.name}.previous")
    shutil.rmtree(previous, ignore_errors=True)
    os.rename(path, previous)
    path.mkdir()
    fresh = FolderLock(path)
    fresh.acquire()
    lock.release()
    return fresh


def _planned_worlds(manifest: dict[str, Any]) -> int:
    plan = manifest.get("plan", {})
    return len(plan.get("cases", [])) * int(plan.get("runs", 0))


def _same_comparison(path: Path, old: dict[str, Any], head: dict[str, Any]) -> None:
    for key, what in SAME.items():
        if old.get(key) != head.get(key):
            raise InputError(
                f"cannot resume {path}: its {what} is {old.get(key)}, now it is {head.get(key)}; "
                "delete it or use --out DIR to start a new one"
            )


def _part_name(case: str, run: int, raw: bytes) -> str:
    import hashlib

    label = re.sub(r"[^A-Za-z0-9._]+", "_", case)
    return f"{label}-{run:05d}-{hashlib.sha256(raw).hexdigest()[:_HASH_DIGITS]}.parquet"


def _scan(folder: RunFolder) -> None:
    """Take over what is sound; remove what is torn or damaged and name it."""
    for leftover in [*folder.path.glob(f"*{TEMPORARY}-*"), *(folder.path / "parts").glob(f"*{TEMPORARY}-*")]:
        leftover.unlink()
    for path in sorted((folder.path / "parts").glob("*.parquet")):
        part = _sound_part(path)
        if part is None:
            folder.damaged.append(f"parts/{path.name}")
            path.unlink()
            continue
        other = folder.parts.get((part.case, part.run))
        if other is not None:  # killed between publishing a fuller part and removing the one before
            smaller, part = sorted((other, part), key=lambda p: len(p.rows))
            smaller.path.unlink()
        folder.parts[part.case, part.run] = part


def _sound_part(path: Path) -> Part | None:
    from capsim.results.parquet import read_part_rows

    if not sha256_of(path).startswith(path.stem.rsplit("-", 1)[-1]):
        return None
    try:
        rows = read_part_rows(path.read_bytes())
    except (OSError, ValueError, KeyError):
        return None
    return Part(path, rows[0].case, rows[0].run, {row.strategy: row for row in rows}) if rows else None
