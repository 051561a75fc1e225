"""Finding and reading the files of a study: the file itself and what it includes, in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import capsim
from capsim.errors import Problem, StudyError
from capsim.spec.merge import Overlay
from capsim.spec.nodes import Mapping, Mark, Parsed, Sequence, no_collection, parse
from capsim.spec.quantities import did_you_mean, shown

PACKAGE: Final = Path(capsim.__file__).parent
BUILTIN: Final = PACKAGE / "catalog" / "data"
"""Where ``builtin:NAME`` finds NAME.yaml or NAME/*.yaml."""
MOST_FILES: Final = 1_000
"""Files that one study may include."""

_parsed_builtins: dict[tuple[str, int, int], Parsed] = {}


class Source(NamedTuple):
    """A file that a study was read from."""

    file: str
    sha256: str


def find_study(name: str | Path) -> Path:
    """The file of a study: a path, or the name of a shipped one (``frontier-lab``, ``news/aws-38b``).

    Raises StudyError where there is none.
    """
    path = Path(name)
    try:
        is_path = path.exists() or bool(path.suffix) or len(path.parts) != 1
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "write the path of a study"
        raise StudyError([Problem(str(name)[:80], 0, 0, f"is no file name ({reason})", hint)]) from None
    shipped = shipped_studies()
    if path.as_posix() in shipped and not path.exists():
        found = shipped[path.as_posix()]
        return found.relative_to(Path.cwd()) if found.is_relative_to(Path.cwd()) else found
    if is_path:
        return path
    hint = did_you_mean(path.name, shipped) if shipped else "write the path of a study"
    raise StudyError([Problem(str(name), 0, 0, "there is no such study", hint)])


def shipped_studies() -> dict[str, Path]:
    """The studies that come with capsim, by name."""
    for folder in (PACKAGE / "configs", PACKAGE.parent / "configs"):
        if folder.is_dir():
            named = {file.stem: file for file in sorted(folder.glob("*.yaml"))}
            return named | {f"news/{f.parent.name}": f for f in sorted(folder.glob("news/*/study.yaml"))}
    return {}


class Reader:
    """Reads a study's files into one tree; later files and the including file win."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.sources: list[Source] = []
        self._open: list[Path] = []
        self._done: set[Path] = set()

    def read(self, path: Path, shown_as: str) -> Mapping | None:
        """The tree of a file with everything it includes; None where it cannot be read."""
        parsed = self._parse(path, shown_as)
        if parsed is None:
            return None
        self.problems.extend(parsed.problems)
        self.sources.append(Source(shown_as, parsed.sha256))
        root = parsed.root
        if "include" not in root:
            return root
        own = root.copy()
        includes, at = own["include"], own.values_at["include"]
        own.drop("include")
        resolved = path.resolve()
        self._open.append(resolved)
        base = Mapping(root.at)
        overlay = Overlay(changes=False)
        for item, item_at in self._items(includes, at):
            for file, name in self._files(item, item_at, path):
                tree = self._included(file, name, item_at)
                if tree is not None:
                    base = overlay.merge(base, tree)
        self._open.pop()
        return overlay.merge(base, own)

    def _items(self, includes: Any, at: Mark) -> list[tuple[str, Mark]]:
        if isinstance(includes, str):
            return [(includes, at)]
        if not isinstance(includes, Sequence):
            self.problems.append(
                at.problem("`include` is no list of files", 'write include: ["builtin:catalog"]')
            )
            return []
        found = []
        for item, item_at in zip(includes, includes.items_at, strict=True):
            if isinstance(item, str) and item:
                found.append((item, item_at))
            else:
                self.problems.append(
                    item_at.problem(f"{shown(item)} is no file name", "write a path or builtin:NAME")
                )
        return found

    def _included(self, file: Path, name: str, at: Mark) -> Mapping | None:
        resolved = file.resolve()
        if resolved in self._open:
            chain = " -> ".join(p.name for p in [*self._open[self._open.index(resolved) :], resolved])
            self.problems.append(
                at.problem(f"the files include each other: {chain}", "remove one of the includes")
            )
            return None
        if resolved in self._done:
            return None
        self._done.add(resolved)
        if len(self._done) > MOST_FILES:
            self.problems.append(at.problem(f"more than {MOST_FILES} included files", "include fewer"))
            return None
        return self.read(file, name)

    def _files(self, item: str, at: Mark, including: Path) -> list[tuple[Path, str]]:
        """The files that one entry of ``include`` means, with the names that messages show."""
        if item.startswith("builtin:"):
            return self._builtin(item, at)
        if "**" in item:
            # It would walk whole disks.
            self.problems.append(at.problem(f"`**` in {shown(item)}", "name the folder"))
            return []
        folder = including.parent
        try:
            if any(sign in item for sign in "*?["):
                if Path(item).is_absolute():
                    folder, pattern = Path(Path(item).anchor), str(Path(item).relative_to(Path(item).anchor))
                else:
                    pattern = item
                files = sorted(file for file in folder.glob(pattern) if file.is_file())
            else:
                file = folder / item
                files = [file] if file.is_file() else []
        except (OSError, ValueError, NotImplementedError, IndexError):
            files = []
        if not files:
            self.problems.append(at.problem(f"no file matches {shown(item)}", self._file_hint(folder, item)))
        return [(file, str(file)) for file in files]

    @staticmethod
    def _file_hint(folder: Path, item: str) -> str:
        try:
            near = [str(f.relative_to(folder)) for f in (folder / item).parent.glob("*.yaml")][:50]
        except (OSError, ValueError):
            near = []
        return did_you_mean(item, near) if near else f"paths start at {folder}"

    def _builtin(self, item: str, at: Mark) -> list[tuple[Path, str]]:
        name = item.removeprefix("builtin:")
        known = sorted(
            {entry.stem for entry in BUILTIN.iterdir() if entry.is_dir() or entry.suffix == ".yaml"}
        )
        known = [entry for entry in known if not entry.startswith(("_", "."))]
        if name not in known:
            self.problems.append(at.problem(f"there is no {shown(item)}", did_you_mean(name, known)))
            return []
        single = BUILTIN / f"{name}.yaml"
        files = [single] if single.is_file() else sorted((BUILTIN / name).glob("*.yaml"))
        return [(file, f"{item}/{file.name}") for file in files]

    def _parse(self, path: Path, shown_as: str) -> Parsed | None:
        """Read and parse one file; the package's own files once in a process."""
        try:
            if not path.is_file():
                what = "is a folder" if path.is_dir() else "there is no such file"
                raise StudyError([Problem(shown_as, 0, 0, what, "write the path of a YAML file")])
            status = path.stat()
            key = (str(path), status.st_mtime_ns, status.st_size)
            if key in _parsed_builtins:
                return _parsed_builtins[key]
            parsed = parse(path.read_bytes(), shown_as)
        except StudyError as error:
            self.problems.extend(error.problems)
            return None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.problems.append(
                Problem(shown_as, 0, 0, f"cannot be read ({reason})", "write the path of a YAML file")
            )
            return None
        if path.is_relative_to(BUILTIN):
            _parsed_builtins[key] = parsed
        return parsed


def read_files(path: Path, shown_as: str) -> tuple[Mapping | None, Reader]:
    """The merged tree of a study's files, and the reader with its problems and sources."""
    reader = Reader()
    with no_collection():
        tree = reader.read(path, shown_as)
    return tree, reader
