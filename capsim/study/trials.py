"""Strategies simulated again with other numbers in the study, on common random numbers, each trial kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.compile.prepare import prepare
from capsim.compile.rates import RateBook
from capsim.engine.prepare import BASE_CASE
from capsim.errors import CapsimError
from capsim.results.atomic import publish_bytes
from capsim.results.versions import code_digest
from capsim.spec.loader import Loaded
from capsim.spec.provenance import with_values
from capsim.study.compare import OnRun
from capsim.study.session import RUNS, Progress, default_workers
from capsim.study.setup import Setup
from capsim.study.workers import Simulate, Task, simulate_all

Reals = NDArray[np.float64]
Changes = Mapping[str, float]
"""Numbers by path, in the units of the schema; empty is the study as it is."""

#: trials that are prepared and simulated together.
AT_ONCE = 16
#: roots of paths that leave demand as it is: its worlds are drawn once for all trials.
SUPPLY = ("offers.",)


@dataclass(frozen=True)
class Trial:
    """One strategy with some numbers changed."""

    strategy: str
    changes: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, strategy: str, changes: Changes) -> Trial:
        """The trial of a strategy with these changes."""
        return cls(strategy, tuple(sorted(changes.items())))


@dataclass
class Trials:
    """Simulates trials and keeps their totals, in memory and in files of `folder`.

    A file is good for one study, case, seed and version of capsim's sources; whatever else is there is
    another trial's.

    Attributes:
        simulate: as for a comparison.
        progress: opens a progress bar for so many runs.
        simulated: runs that were simulated here, not found.
    """

    loaded: Loaded
    simulate: Simulate
    workers: int
    progress: Progress
    folder: Path | None = None
    simulated: int = 0
    _known: dict[Trial, list[float]] = field(default_factory=dict)

    @classmethod
    def of(cls, setup: Setup, workers: int | None, progress: Progress) -> Trials:
        """Trials of the first case of a comparison, kept in `runs/trials`."""
        from capsim.engine.simulate import simulate

        count = workers if workers is not None else default_workers()
        return cls(setup.loaded[setup.plan.cases[0]], simulate, count, progress, RUNS / "trials")

    def lacking(self, trials: Sequence[Trial], runs: int) -> int:
        """Runs that `totals` would have to simulate."""
        return sum(max(runs - len(self._find(trial)), 0) for trial in dict.fromkeys(trials))

    def totals(self, trials: Sequence[Trial], runs: int) -> dict[Trial, Reals]:
        """Total cost of each trial in worlds 0 to `runs` - 1, USD discounted, one value a run.

        Each trial is kept when it is finished: what is interrupted (a CapsimError) goes on there.
        """
        new = [trial for trial in dict.fromkeys(trials) if len(self._find(trial)) < runs]
        if new:
            try:
                with self.progress(self.lacking(new, runs)) as on_run:
                    for begin in range(0, len(new), AT_ONCE):
                        self._simulate(new[begin : begin + AT_ONCE], runs, on_run)
            except KeyboardInterrupt:
                done = sum(len(self._known[trial]) >= runs for trial in new)
                kept = f" are kept in {self.folder}; the same command goes on" if self.folder else ""
                raise CapsimError(f"interrupted: {done} of {len(new)} trials{kept or ' were done'}") from None
        return {trial: np.array(self._known[trial][:runs]) for trial in trials}

    def _simulate(self, trials: Sequence[Trial], runs: int, on_run: OnRun) -> None:
        labels = {f"trial {number}": trial for number, trial in enumerate(trials)}
        prepared = {(t.strategy, label): self._prepared(t, label) for label, t in labels.items()}
        tasks = [
            Task(label, run, (trial.strategy,))
            for label, trial in labels.items()
            for run in range(len(self._known[trial]), runs)
        ]
        tasks.sort(key=lambda task: task.run)
        found: dict[Trial, dict[int, float]] = {trial: {} for trial in trials}
        with closing(simulate_all(tasks, prepared, self.simulate, self.workers)) as finished:
            for one in finished:
                trial = labels[one.result.case]
                found[trial][one.result.run] = one.result.metrics["total_npv"]
                self.simulated += 1
                on_run(1)
                if len(found[trial]) + len(self._known[trial]) == runs:
                    self._known[trial] += [found[trial][run] for run in sorted(found[trial])]
                    self._keep(trial)

    def _prepared(self, trial: Trial, label: str) -> Any:
        study = self.loaded.study
        token = self.loaded.digest
        if trial.changes:
            study = with_values(study, dict(trial.changes))
            if not all(path.startswith(SUPPLY) for path, _ in trial.changes):
                token = f"{token} {trial.changes}"
        return prepare(study, trial.strategy, case=label, token=token, rates=RateBook(study))

    def _find(self, trial: Trial) -> list[float]:
        """Totals that are known, in memory or in a file; a file that cannot be read counts as none."""
        if trial not in self._known:
            self._known[trial] = []
            path = self._path(trial)
            if path is not None and path.is_file():
                try:
                    self._known[trial] = [float(value) for value in json.loads(path.read_bytes())["totals"]]
                except (OSError, ValueError, KeyError, TypeError):
                    self._known[trial] = []
        return self._known[trial]

    def _keep(self, trial: Trial) -> None:
        path = self._path(trial)
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CapsimError(f"cannot keep trials in {path.parent}: {error.strerror}") from error
        record = {
            "strategy": trial.strategy,
            "changes": dict(trial.changes),
            "study": self.loaded.digest,
            "totals": self._known[trial],
        }
        publish_bytes(path, json.dumps(record, indent=1).encode())

    def _path(self, trial: Trial) -> Path | None:
        if self.folder is None:
            return None
        case = self.loaded.case or BASE_CASE
        key = json.dumps([code_digest(), self.loaded.digest, case, trial.strategy, trial.changes])
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:20]}.json"
