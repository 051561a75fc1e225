"""Which ways to lay a model out over chips are worth trying: tensor, expert and pipeline parallelism.

Tensor and expert parallelism stay inside the scale-up domain as long as the model fits there. What does not
fit is spread over domains: a mixture by experts over the scale-out network, a dense model by pipeline stages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from capsim.errors import InputError
from capsim.spec.hardware import Chip, System
from capsim.workload.roofline import Replica, constants_for, engine_of
from capsim.workload.shape import Shape

# Domains that one replica may span (DeepSeek decodes on 18 nodes of 8; assumed to be the most).
MOST_DOMAINS = 16
# Chips that one replica uses inside a domain: collectives over more than 64 are not measured.
MOST_TENSOR = 64


@dataclass(frozen=True)
class Layout:
    """Tensor-, expert- and pipeline-parallel degrees; ``split`` = attention is data parallel (EP engines)."""

    tp: int
    ep: int = 1
    pp: int = 1
    split: bool = False

    @property
    def chips(self) -> int:
        """Chips of one replica."""
        return max(self.tp, self.ep) * self.pp

    def __str__(self) -> str:
        """As people write it, e.g. `TP8`, `EP16 with data-parallel attention`."""
        parts = [f"TP{self.tp}"] if not self.split else []
        if self.ep > 1:
            parts.append(f"EP{self.ep}")
        if self.pp > 1:
            parts.append(f"PP{self.pp}")
        return " ".join(parts) + (" with data-parallel attention" if self.split else "")


@dataclass(frozen=True)
class SplitLayout:
    """Replicas that compute prompts beside replicas that decode, as one unit."""

    prefill: Layout
    decode: Layout
    prefills: int
    decodes: int

    @property
    def chips(self) -> int:
        """Chips of the unit."""
        return self.prefills * self.prefill.chips + self.decodes * self.decode.chips

    def __str__(self) -> str:
        """Prompt replicas | decode replicas, e.g. `2xTP8 | 1xEP32`."""
        return f"{self.prefills}x{self.prefill} | {self.decodes}x{self.decode}"


def kv_factor(precision: str, engine: str) -> float:
    """Bytes of the KV cache over its 16-bit size: engines that run 8- or 4-bit arithmetic keep 8 bit."""
    return 0.5 if precision in {"fp8", "fp4", "int8"} and engine == "graph" else 1.0


def stage_shape(shape: Shape, stages: int) -> Shape:
    """The share of a model in one of ``stages`` equal pipeline stages."""
    if stages == 1:
        return shape
    return replace(
        shape,
        active=shape.active / stages,
        total=shape.total / stages,
        layers=shape.layers / stages,
        kv_bytes=shape.kv_bytes / stages,
        expert_params=shape.expert_params / stages,
    )


def replica_of(shape: Shape, chip: Chip, system: System | None, precision: str, layout: Layout) -> Replica:
    """One pipeline stage of a replica (the whole replica where there is one stage).

    Its link is the scale-up network while the stage stays inside a domain, else the scale-out network.
    """
    engine = engine_of("", chip.stack)
    chips = max(layout.tp, layout.ep)
    outside = system is not None and chips > system.domain
    if outside and not chip.scaleout_gbs:
        raise InputError("a layout over several domains needs the chip's scaleout_gbs")
    return Replica(
        stage_shape(shape, layout.pp),
        chip,
        precision,
        chips,
        constants_for(engine, shape),
        expert_parallel=layout.ep,
        split_requests=layout.split,
        kv_bytes_factor=kv_factor(precision, engine),
        link_gbs=float(chip.scaleout_gbs) if outside and chip.scaleout_gbs else None,
        domains=max(1.0, chips / system.domain) if system is not None else 1.0,
    )


def degrees(domain: int) -> list[int]:
    """Chips to try inside a domain: powers of two, and the whole domain where it is small."""
    found, size = [], 1
    while size <= min(domain, MOST_TENSOR):
        found.append(size)
        size *= 2
    if domain <= MOST_TENSOR and domain not in found:
        found.append(domain)
    return found


def inside_domain(shape: Shape, domain: int) -> Iterator[Layout]:
    """Layouts within one scale-up domain."""
    for chips in degrees(domain):
        yield Layout(tp=chips)
        if shape.moe and chips > 1 and chips <= shape.experts:
            yield Layout(tp=chips, ep=chips)
            yield Layout(tp=1, ep=chips, split=True)


def over_domains(shape: Shape, domain: int) -> Iterator[Layout]:
    """Layouts over several domains, for models that no domain holds."""
    domains = 2
    while domains <= MOST_DOMAINS:
        if shape.moe and domains * domain <= shape.experts:
            yield Layout(tp=1, ep=domains * domain, split=True)
        else:
            yield Layout(tp=domain, pp=domains)
        domains *= 2
