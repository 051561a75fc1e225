"""What every system does for every workload, from the workload models.

The unit of work is the reference chip-hour (GB200e): the work that one chip of the study's reference system
does in an hour at its achieved training rate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from capsim.compile.regions import base_name, routed
from capsim.spec.demand import Research, Service, TrainingRun
from capsim.spec.study import Study
from capsim.workload.calibration import Calibration, shipped
from capsim.workload.demand import expected_sizes
from capsim.workload.disaggregated import serve_split
from capsim.workload.inference import DoesNotFit, Serving, serve
from capsim.workload.reinforcement import phase_flops, split_chips
from capsim.workload.service_requests import request_lengths
from capsim.workload.shape import shape_of
from capsim.workload.training import training_rate

REFERENCE_PRECISION = "fp8"
RATE_CHIPS = 1024  # gang size at which research and reference rates are taken


@dataclass(frozen=True)
class Rate:
    """Achieved training rate of one workload on one system.

    Attributes:
        flops: model FLOP/s per chip.
        mfu: share of the dense peak at the workload's precision.
        log_error: one standard deviation of the model's log error.
        source: where the rate comes from.
    """

    flops: float
    mfu: float
    log_error: float
    source: str


@dataclass(frozen=True)
class RlRate:
    """What the two gangs of an RL phase do on one system.

    Attributes:
        trained: tokens/s that a chip of the trainer gang trains on.
        generated: tokens/s that a chip of the rollout gang generates.
        ratio: tokens generated for each token trained on.
        flops: model FLOP of both gangs for each token trained on.
        trainer_flops: the part of it that is the trainer gang's.
        trainer: share of the chips in the trainer gang, where the study gives it.
        train_error, serve_error: standard deviations of the models' log errors.
        layout: how a replica of the rollout gang is laid out.
    """

    trained: float
    generated: float
    ratio: float
    flops: float
    trainer_flops: float
    trainer: float | None
    train_error: float
    serve_error: float
    layout: str

    def split(self, train_factor: float = 1.0, serve_factor: float = 1.0) -> tuple[float, float]:
        """Share of the chips in the trainer gang and model FLOP/s per chip of both gangs together, at
        speeds that are these factors of the models'."""
        split = split_chips(
            self.trained * train_factor, self.generated * serve_factor, self.ratio, self.trainer
        )
        return split.trainer, split.trained * self.flops


@dataclass(frozen=True)
class ServiceRate:
    """What one replica of a service does on one system.

    Attributes:
        chips: chips a replica.
        tokens: input plus output tokens a second of one replica at the greatest load within the objectives.
        ceiling: the same when saturated, objectives missed.
        log_error: one standard deviation of the model's log error.
        layout: how the model is spread over the chips.
    """

    chips: int
    tokens: float
    ceiling: float
    log_error: float
    layout: str


@dataclass(frozen=True)
class Rates:
    """Rates of all workloads on all systems in use; a missing key means that it cannot run there.

    Attributes:
        training: (run name, system) -> Rate.
        rl: (run name, system) -> RlRate, for runs with an RL phase.
        rl_work: run name -> model FLOP of its RL phase, both gangs.
        research: system -> Rate.
        reference: FLOP/s of one reference chip.
        gb200e: system -> work of a chip in reference chips, for systems that train.
        services: (service name, system) -> ServiceRate.
        spilled: the same for requests from another region, for services that may spill over.
        refusals: (workload, system) -> why it cannot run there.
    """

    training: dict[tuple[str, str], Rate]
    rl: dict[tuple[str, str], RlRate]
    rl_work: dict[str, float]
    research: dict[str, Rate]
    reference: float
    gb200e: dict[str, float]
    services: dict[tuple[str, str], ServiceRate]
    refusals: dict[tuple[str, str], str]
    spilled: dict[tuple[str, str], ServiceRate] = field(default_factory=dict)


class RateBook:
    """Answers of the workload models for one study; strategies share them, each question is asked once."""

    def __init__(self, study: Study) -> None:
        self.study = study = routed(study)
        self._calibration = shipped().extended(study.calibration)
        self._training: dict[tuple[str, str, str, int], Rate] = {}
        self._rl: dict[tuple[str, str], RlRate | DoesNotFit] = {}
        self._serving: dict[tuple[str, str, bool], Serving | DoesNotFit] = {}

    @cached_property
    def campaign_sizes(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Expected sizes of the study's drawn campaigns and their shares of the work (`expected_sizes`)."""
        horizon, demand = self.study.horizon, self.study.demand
        assert isinstance(demand.research, Research)
        hours = (horizon.end - horizon.start).days * 24
        return expected_sizes(demand.research, horizon.start, hours, float(demand.scale))

    def training(self, model: str, system: str, precision: str, chips: int) -> Rate:
        """The rate of a gang of so many chips of a system."""
        key = (model, system, precision, chips)
        if key not in self._training:
            self._training[key] = _training(self.study, self._calibration, *key)
        return self._training[key]

    def rl(self, run: TrainingRun, system: str) -> RlRate | DoesNotFit:
        """The gangs of a run's RL phase on a system."""
        key = (run.name, system)
        if key not in self._rl:
            rate = self.training(run.model, system, run.precision, int(run.chips.min))
            self._rl[key] = _rl(self.study, self._calibration, run, system, rate)
        return self._rl[key]

    def serving(self, service: Service, system: str, spilled: bool = False) -> Serving | DoesNotFit:
        """A replica of a service of the study on a system; ``spilled``: for requests of another region."""
        # Parts of a service differ by region only; they share the answer.
        key = (base_name(service.name), system, spilled)
        if key not in self._serving:
            late = float(service.spill.latency) if spilled and service.spill is not None else 0.0
            self._serving[key] = _serving(self.study, self._calibration, service, system, late)
        return self._serving[key]


def build_rates(book: RateBook, systems: list[str], rented: Sequence[str] = ()) -> Rates:
    """Every pair of workload and system that the book's study allows.

    Args:
        rented: further systems that are only rented by the hour, for research and services.
    """
    study = book.study
    research_spec = study.demand.research
    reference_model = research_spec.model if research_spec else study.demand.training_runs[0].model
    reference = book.training(reference_model, study.reference, REFERENCE_PRECISION, RATE_CHIPS).flops
    training, rl, rl_work, refusals = {}, {}, {}, {}
    for run in study.demand.training_runs:
        for system in systems:
            if system not in run.systems:
                continue
            training[run.name, system] = book.training(run.model, system, run.precision, int(run.chips.min))
            if run.rl is not None and float(run.rl.share) > 0:
                gangs = book.rl(run, system)
                if isinstance(gangs, DoesNotFit):
                    refusals[f"{run.name} rollouts", system] = gangs.reason
                else:
                    rl[run.name, system] = gangs
                    rl_work[run.name] = _rl_work(book, run)
    research = {}
    if research_spec is not None:
        for system in (*systems, *rented):
            if system in research_spec.systems:
                research[system] = book.training(
                    research_spec.model, system, research_spec.precision, RATE_CHIPS
                )
    gb200e = {}
    for system in systems:
        if not study.chips[study.systems[system].chip].inference_only:
            rate = book.training(reference_model, system, REFERENCE_PRECISION, RATE_CHIPS)
            gb200e[system] = rate.flops / reference
    services, spilled = {}, {}
    for service in study.demand.inference:
        for system in (*systems, *rented):
            if system not in service.systems:
                continue
            found = book.serving(service, system)
            if isinstance(found, DoesNotFit):
                refusals[service.name, system] = found.reason
            else:
                services[service.name, system] = _service_rate(service, found)
            if service.spill is not None:
                away = book.serving(service, system, spilled=True)
                if not isinstance(away, DoesNotFit):
                    spilled[service.name, system] = _service_rate(service, away)
    return Rates(training, rl, rl_work, research, reference, gb200e, services, refusals, spilled)


def best_precision(study: Study, system: str, precision: str) -> str:
    """The precision asked for, or the next wider one that the chip has."""
    peaks = study.chips[study.systems[system].chip].tflops
    order = ["fp4", "fp8", "bf16"]
    for candidate in order[order.index(precision) :] if precision in order else [precision]:
        if candidate in peaks:
            return candidate
    return "bf16" if "bf16" in peaks else next(iter(peaks))


def _training(
    study: Study, calibration: Calibration, model: str, system: str, precision: str, chips: int
) -> Rate:
    spec = study.systems[system]
    chip = study.chips[spec.chip]
    found = training_rate(
        study.models[model],
        spec.chip,
        chip,
        spec,
        best_precision(study, system, precision),
        chips,
        calibration=calibration,
    )
    return Rate(found.flops_per_chip, found.mfu, found.log_error, found.source)


def _rl(
    study: Study, calibration: Calibration, run: TrainingRun, system: str, rate: Rate
) -> RlRate | DoesNotFit:
    """Trainer steps from the training model, rollout tokens from the serving model without objectives."""
    assert run.rl is not None
    spec, rollout = study.systems[system], run.rl.rollout
    inputs, outputs = float(rollout.input_length), float(rollout.output_length)
    found = serve(
        study.models[run.model],
        spec.chip,
        study.chips[spec.chip],
        spec,
        best_precision(study, system, rollout.precision or run.precision),
        input_length=inputs,
        output_length=outputs,
        calibration=calibration,
    )
    if isinstance(found, DoesNotFit):
        return found
    shape, seq, ratio = shape_of(study.models[run.model]), inputs + outputs, float(rollout.generated)
    return RlRate(
        trained=rate.flops / shape.training_flops(seq),
        generated=found.output_tokens_per_s / found.chips,
        ratio=ratio,
        flops=phase_flops(shape, seq, ratio),
        trainer_flops=shape.training_flops(seq),
        trainer=None if run.rl.trainer is None else float(run.rl.trainer),
        train_error=rate.log_error,
        serve_error=found.log_error,
        layout=str(found.layout),
    )


def _rl_work(book: RateBook, run: TrainingRun) -> float:
    """Model FLOP of a run's RL phase: what its share of the pretraining chip-time does on the reference
    system with both gangs keeping up; the same share of FLOP where the reference cannot hold the rollouts.
    """
    assert run.rl is not None
    system = book.study.reference
    gangs = book.rl(run, system)
    efficiency = 1.0
    if not isinstance(gangs, DoesNotFit):
        rate = book.training(run.model, system, run.precision, int(run.chips.min))
        efficiency = replace(gangs, trainer=None).split()[1] / rate.flops
    return float(run.flops) * float(run.rl.share) * efficiency


def _serving(
    study: Study, calibration: Calibration, service: Service, system: str, late: float
) -> Serving | DoesNotFit:
    """A replica of a service; ``late``: ms that the way from another region takes off the first token."""
    spec, slo, layout = study.systems[system], service.slo, service.layout
    inputs, outputs, mix = request_lengths(service)
    ask: Callable[..., Serving | DoesNotFit] = partial(
        serve_split if service.disaggregated else serve,
        study.models[service.model],
        spec.chip,
        study.chips[spec.chip],
        spec,
        best_precision(study, system, service.precision),
        input_length=inputs,
        output_length=outputs,
        cache_hit=float(service.cache_hit),
        ttft_ms=max(float(slo.ttft.p95) - late, 0.0) if slo.ttft else None,
        tpot_ms=float(slo.tpot.p95) if slo.tpot else None,
        calibration=calibration,
        mix=mix,
    )
    if layout is None:
        return ask()
    return ask(layout=(int(layout.tensor), int(layout.expert), int(layout.pipeline)))


def _service_rate(service: Service, serving: Serving) -> ServiceRate:
    inputs, outputs, _ = request_lengths(service)
    tokens = serving.output_tokens_per_s * (1.0 + inputs / outputs)
    ceiling = tokens / max(serving.max_utilisation, 1e-9)
    return ServiceRate(serving.chips, tokens, ceiling, serving.log_error, str(serving.layout))
