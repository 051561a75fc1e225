"""Collecting what named checks find, each with its place in the study's files."""

from __future__ import annotations

from capsim.spec.findings import Finding
from capsim.spec.loader import Loaded


class Report:
    """The findings of one named check; places are given as paths into the study."""

    def __init__(self, check: str, loaded: Loaded) -> None:
        self.check = check
        self.findings: list[Finding] = []
        self._loaded = loaded

    def error(self, what: str, hint: str, *path: str | int) -> None:
        """Something that must be changed before the study can run."""
        self.findings.append(Finding(self.check, "error", self._loaded.place(*path).problem(what, hint)))

    def warning(self, what: str, hint: str, *path: str | int) -> None:
        """Something that is probably not meant; an error where the checks are strict."""
        self.findings.append(Finding(self.check, "warning", self._loaded.place(*path).problem(what, hint)))

    def info(self, what: str, *path: str | int) -> None:
        """A figure or a rounding that the user should know."""
        self.findings.append(Finding(self.check, "info", self._loaded.place(*path).problem(what)))
