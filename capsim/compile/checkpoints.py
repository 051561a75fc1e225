"""What a checkpoint costs: its size from the parameters, its time from the storage of the site."""

from __future__ import annotations

from capsim.compile.findings import Report
from capsim.spec.demand import Checkpointing, ResearchStream, TrainingRun
from capsim.spec.loader import Loaded
from capsim.spec.study import Study
from capsim.workload.shape import shape_of
from capsim.workload.training import checkpoint_seconds

RECOVERY_MS = 5 * 60_000
"""Detection and replacement where a study gives no restart: the Llama 3 consistency check needs about 5 min
(facts/reliability.yaml llama3_consistency); assumed for others."""


def storage_gbs(study: Study, offer: str) -> float:
    """Bandwidth of the shared storage of an offer's site, GB/s."""
    given = study.offers[offer].storage
    return float(study.storage if given is None else given)


def checkpoint_times(study: Study, spec: Checkpointing, model: str, offer: str) -> tuple[int, int]:
    """Stall of one checkpoint and restart after a failure, ms, at the site of an offer.

    What the study gives is taken; else a checkpoint is written, and read after a failure, at the full
    bandwidth of the site's storage while the gang waits.
    """
    seconds = checkpoint_seconds(study.models[model], storage_gbs(study, offer))
    stall = round(seconds * 1e3) if spec.stall is None else int(spec.stall)
    restart = RECOVERY_MS + round(seconds * 1e3) if spec.restart is None else int(spec.restart)
    return stall, restart


def checkpoints(loaded: Loaded, report: Report) -> None:
    """Sizes and times of the checkpoints that follow from parameters and storage."""
    study = loaded.study
    work: list[tuple[tuple[str | int, ...], str, TrainingRun | ResearchStream]] = [
        (("demand", "training_runs", i), run.name, run) for i, run in enumerate(study.demand.training_runs)
    ]
    if study.demand.research is not None:
        work.append((("demand", "research"), "research", study.demand.research))
    for path, name, item in work:
        if item.checkpoint.stall is not None and item.checkpoint.restart is not None:
            continue
        size = shape_of(study.models[item.model]).checkpoint_bytes() / 1e12
        sites = {storage_gbs(study, offer) for offer in study.offers if not study.offers[offer].unavailable}
        rates = sorted(sites) or [float(study.storage)]
        times = " to ".join(dict.fromkeys(f"{size * 1e3 / gbs:.3g} s" for gbs in (rates[-1], rates[0])))
        tag = study.storage.confidence or "stated"
        where = (
            f"the storage of its site ({float(study.storage) / 1e3:g} TB/s, {tag}, where an offer says none)"
        )
        report.info(f"{name}: a checkpoint of {size:.3g} TB takes {times} at {where}", *path, "checkpoint")
