"""Evaluation bursts: while a named run trains, its checkpoints are evaluated by short jobs on research chips.

A burst is one elastic gang of the kernel: it starts on the chips of one job and takes up to those of all jobs
of the burst, so it runs as long as so many small jobs side by side would.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from capsim.control.context import Context
from capsim.control.training import RunState, TrainingRuns
from capsim.spec.demand import Evaluation
from capsim.tables import JOB, RUNNING


@dataclass
class Evaluations:
    """Submits the bursts and remembers their kernel jobs, by named run.

    ``cls``: kernel class of the bursts, -1 without any.
    """

    ctx: Context
    training: TrainingRuns
    cls: int
    jobs: dict[str, list[int]] = field(default_factory=dict)

    @property
    def spec(self) -> Evaluation | None:
        """What the study says of the bursts."""
        research = self.ctx.prepared.study.demand.research
        return research.evaluation if research is not None else None

    def start(self) -> None:
        """Start one control process for all runs, if the study has bursts."""
        if self.spec is not None and self.cls >= 0:
            self.ctx.env.process(self._run(self.spec))

    def _run(self, spec: Evaluation) -> Generator[Any, Any, None]:
        every = int(spec.every)
        row = np.zeros(1, JOB)
        row["run"], row["requested"] = int(spec.duration), 2 * int(spec.duration)
        row["size_min"], row["cls"] = int(spec.chips), self.cls
        row["size_max"] = row["size_ref"] = int(spec.chips) * int(spec.jobs)
        for at in range(every, self.ctx.end, every):
            yield self.ctx.until(at)
            for name, state in self.training.runs.items():
                if self._trains(state):
                    row["tenant"] = self.ctx.tenants.get(name, 0)
                    job = self.ctx.cluster.submit(row[0], watched=False)
                    self.jobs.setdefault(name, []).append(job)

    def _trains(self, state: RunState) -> bool:
        """Whether a gang of the run is running now."""
        states = self.ctx.cluster.runs["state"]
        return any(states[job] == RUNNING for job in state.pending)


def most_bursts(spec: Evaluation | None, runs: int, end: int) -> int:
    """The most bursts that can be submitted before ``end`` ms."""
    return 0 if spec is None else runs * (end // int(spec.every) + 1)
