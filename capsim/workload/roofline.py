"""Step and prefill time of one serving replica: a roofline with a few calibrated constants.

A decode step of B sequences at a context on t chips takes

    max(products, weights read) + KV read + activations + expert dispatch + link + layers x latency + host

Matrix products 2 N_active B / (t peak eta_c); weights read W_touched(B) / (t BW eta_mem); KV read
B context kv / (ways BW eta_kv); activations and expert dispatch are traffic of the residual stream through
memory; link is the all-reduce of tensor parallelism (2 a layer) or the all-to-all of expert parallelism.
The form is models.md's; the last constants of each line below were added because saturated engines need them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from capsim.spec.hardware import Chip
from capsim.workload.hardware_view import peak_16, peak_at
from capsim.workload.shape import Shape

# Memory that weights and KV cache may fill (models.md).
MEMORY_SHARE = 0.9
# Bytes of an activation on a link and in memory.
ACTIVATION_BYTES = 2.0


@dataclass(frozen=True)
class Constants:
    """Efficiencies (shares of a peak), latencies (s) and traffic factors of one serving engine.

    Attributes:
        compute, memory, kv, attention, link: shares of the peak that each kind of work reaches.
        latency: seconds a layer, whatever the batch.
        busy: how many times `latency` comes on top at large batches, with half of it at 256 sequences.
        host_token, host_request: seconds of host work a decoded token and a request.
        most: largest number of running sequences of an engine.
        activations: reads and writes of the residual stream a layer.
        dispatch: reads and writes of the residual stream a layer and chosen expert.
        all_to_all: all-to-all traffic over the ideal one.
        host_layer: seconds a layer of an engine that launches from Python, concurrent with the device.
        lone_prompt: time of a prompt to its first token over its share of a saturated engine.
        request_ways: power of the chips by which data-parallel attention divides host work, raises `most`.
    """

    compute: float
    memory: float
    kv: float
    attention: float
    link: float
    latency: float
    busy: float
    host_token: float
    host_request: float
    most: float
    activations: float
    dispatch: float = 0.0
    all_to_all: float = 1.0
    host_layer: float = 0.0
    lone_prompt: float = 1.0
    request_ways: float = 0.6


# Fitted to logarithms of max-load rows of TensorRT-LLM (perf-overview.md v1.0 and later, H100 to GB200) and
# of aiconfigurator 0.12 step-time estimates (A100 to GB300), 2026-11; attention is models.md's 0.472; a lone
# prompt is the median ratio of those estimates at one request, prompts of 128 tokens left aside.
DENSE = Constants(
    compute=0.85,
    memory=0.92,
    kv=0.92,
    attention=0.472,
    link=0.55,
    latency=78e-6,
    busy=2.7,
    host_token=1.4e-6,
    host_request=2.1e-4,
    most=2048,
    activations=63.0,
    lone_prompt=2.7,
)
MOE = replace(
    DENSE,
    compute=0.36,
    memory=0.68,
    kv=0.47,
    latency=80e-6,
    busy=0.8,
    host_token=1.8e-6,
    activations=22.0,
    dispatch=22.0,
    all_to_all=2.4,
    request_ways=0.37,
)
# A mixture over several domains: a token goes to at most four of them, 8-bit values out and 16-bit ones back,
# hidden behind the work of a second half-batch (DeepSeek-V3 technical report, section 3.2; DeepEP).
MOST_DOMAINS_OF_TOKEN = 4
WIDE_BYTES = 3.0
# Neuron (transformers-neuronx on Trn1 and Inf2): compiled graphs, no host in the loop; memory and latency
# fitted to its published rows, compute between its first-token times (0.15) and Trn1 training MFU (0.29).
NEURON = replace(
    DENSE,
    lone_prompt=1.0,
    memory=0.6,
    kv=0.6,
    compute=0.25,
    attention=0.25,
    latency=130e-6,
    busy=0.0,
    host_request=0.0,
)
# vLLM of 2023 (Splitwise): kernels launched one by one from Python; fitted to its published rows.
EAGER = replace(DENSE, lone_prompt=1.0, host_layer=3.7e-4, busy=0.0, attention=0.3, host_request=0.0)

_ENGINES: Mapping[str, Constants] = {"neuron": NEURON, "eager": EAGER}


def engine_of(framework: str, stack: str) -> str:
    """The kind of engine behind a framework's name: `neuron`, `eager` (Python-launched) or `graph`."""
    if stack == "neuron":
        return "neuron"
    return "eager" if "2023" in framework else "graph"


def constants_for(engine: str, shape: Shape) -> Constants:
    """The constants of an engine for a shape."""
    base = MOE if shape.moe else DENSE
    own = _ENGINES.get(engine)
    if own is None:
        return base
    if not shape.moe:
        return own
    return replace(own, compute=own.compute * MOE.compute / DENSE.compute, dispatch=MOE.dispatch)


@dataclass(frozen=True)
class Replica:
    """One model instance on ``chips`` chips at a precision.

    ``expert_parallel`` > 1 spreads experts; ``split_requests``: attention is data parallel (each chip
    holds the KV cache of its own sequences), as large mixtures are served. ``link_gbs`` is the slowest link
    that the replica's collectives cross.
    """

    shape: Shape
    chip: Chip
    precision: str
    chips: float
    constants: Constants
    expert_parallel: float = 1.0
    split_requests: bool = False
    kv_bytes_factor: float = 1.0
    link_gbs: float | None = None
    domains: float = 1.0
    speed: float = 1.0

    @property
    def kv_token(self) -> float:
        """KV bytes of one token."""
        return self.shape.kv_bytes * self.kv_bytes_factor

    @property
    def kv_ways(self) -> float:
        """Over how many chips the KV cache divides."""
        return self.chips if self.split_requests else min(self.chips, max(1.0, self.shape.kv_ways))

    def free_bytes(self) -> float:
        """Memory of one chip left for KV cache."""
        weights = self.shape.weight_bytes(self.precision) / self.chips
        return MEMORY_SHARE * float(self.chip.hbm_gb) * 1e9 - weights

    def most_sequences(self, context: float) -> float:
        """Sequences of an average context that memory and the engine allow; 0 where none fits."""
        held = self.kv_token * self.shape.seen(context)
        room = math.floor(max(0.0, self.free_bytes()) * self.kv_ways / held) if held > 0 else math.inf
        limit = self.constants.most * (
            self.chips**self.constants.request_ways if self.split_requests else 1.0
        )
        return float(min(room, math.floor(limit)))

    def step_seconds(self, batch: float, context: float) -> float:
        """Seconds of one decode step of ``batch`` sequences with an average context of ``context`` tokens."""
        c, s, t = self.constants, self.shape, self.chips
        bandwidth = float(self.chip.hbm_tbs) * 1e12
        products = 2.0 * s.active * batch / (t * self._peak() * c.compute)
        weights = s.touched_bytes(self.precision, batch) / (t * bandwidth * c.memory)
        cache = batch * s.seen(context) * self.kv_token / (self.kv_ways * bandwidth * c.kv)
        each = batch / t if self.split_requests else batch
        latency = s.layers * c.latency * (1.0 + c.busy * each / (each + 256.0))
        device = max(products, weights) + cache + self._stream(batch) + latency
        device = self._with_link(device + c.host_token * batch / self._host_ways(), batch)
        return math.hypot(device, s.layers * c.host_layer) / self.speed

    def prefill_seconds(self, tokens: float, requests: float = 1.0) -> float:
        """Seconds of the prompt phase of ``requests`` prompts of ``tokens`` tokens each."""
        c, s, t = self.constants, self.shape, self.chips
        products = 2.0 * s.active * tokens / (t * self._peak() * c.compute)
        pairs = tokens * min(tokens, 2.0 * s.seen(tokens))
        attention = 2.0 * s.layers * s.attention_width * pairs / (t * peak_16(self.chip) * 1e12 * c.attention)
        each = (
            products
            + attention
            + self._stream(tokens)
            + self._link(tokens)
            + c.host_request / self._host_ways()
        )
        return requests * each / self.speed

    def first_token_seconds(self, tokens: float, requests: float = 1.0) -> float:
        """Seconds from an idle replica to the first token of ``requests`` prompts that arrive together."""
        c, s = self.constants, self.shape
        work = self.prefill_seconds(tokens, requests) * self.speed * c.lone_prompt
        read = s.touched_bytes(self.precision, tokens) / (
            self.chips * float(self.chip.hbm_tbs) * 1e12 * c.memory
        )
        return math.hypot(max(work, read), s.layers * max(c.latency, c.host_layer)) / self.speed

    def throughput(self, input_length: float, output_length: float, batch: float) -> float:
        """Output tokens/s of the replica with ``batch`` sequences running all the time."""
        if batch <= 0:
            return 0.0
        decode = output_length * self.step_seconds(batch, input_length + output_length / 2)
        return batch * output_length / (decode + batch * self.prefill_seconds(input_length))

    def prefill_share(self, input_length: float, output_length: float, batch: float) -> float:
        """Share of a saturated replica's time that prompts take."""
        prompts = batch * self.prefill_seconds(input_length)
        return prompts / (
            prompts + output_length * self.step_seconds(batch, input_length + output_length / 2)
        )

    def _peak(self) -> float:
        return peak_at(self.chip, self.precision) * 1e12

    def _host_ways(self) -> float:
        return self.chips**self.constants.request_ways if self.split_requests else 1.0

    def _stream(self, tokens: float) -> float:
        """Traffic of the residual stream through memory: activations, and dispatch to experts."""
        c, s = self.constants, self.shape
        stream = ACTIVATION_BYTES * s.layers * s.hidden * tokens / (float(self.chip.hbm_tbs) * 1e12)
        chosen = s.experts_active if s.moe else 0.0
        ways = self.chips if self.split_requests else math.sqrt(self.chips)
        return stream * (c.activations / ways + c.dispatch * chosen / self.chips)

    def _with_link(self, device: float, tokens: float) -> float:
        """Device time with the collectives of ``tokens``: behind it over domains, on top inside one."""
        link = self._link(tokens)
        return max(device, link) if self.domains > 1 else device + link

    def _link(self, tokens: float) -> float:
        """Collectives: two all-reduces a layer, or the all-to-all to the chosen experts and back."""
        c, s, t = self.constants, self.shape, self.chips
        if t <= 1:
            return 0.0
        bandwidth = (self.link_gbs or float(self.chip.scaleup_gbs)) * 1e9 * c.link
        away = (t - 1) / t
        if self.domains > 1 and self.split_requests:
            copies = min(s.experts_active, self.domains, MOST_DOMAINS_OF_TOKEN) * (1 - 1 / self.domains)
            return s.layers * tokens / t * s.hidden * WIDE_BYTES * copies / bandwidth
        if self.split_requests and self.expert_parallel > 1:
            sent = min(s.experts_active, t) * c.all_to_all / t
            return 2.0 * s.layers * tokens * s.hidden * ACTIVATION_BYTES * sent * away / bandwidth
        return 4.0 * s.layers * tokens * s.hidden * ACTIVATION_BYTES * away / bandwidth
