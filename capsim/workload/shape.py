"""What the rate models need to know of a model: sizes in parameters, FLOPs and bytes.

A shape comes from a model card or, for a model without one, from parameter counts alone; what is
then missing (layers, widths, experts, KV bytes) is filled by rules of thumb and named in ``guessed``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from capsim.spec.hardware import ModelCard

# Width over depth of published decoders: Llama-3 8B 128, 70B 102, 405B 130; the middle is taken.
ASPECT = 120.0
# Weights of one layer in units of width^2 (4 attention + 8 feed-forward), the GPT-3 paper's rule.
LAYER_WEIGHTS = 12.0
# Width of the keys and values over the width of the model: 8 of 64 heads in Llama-3 70B.
KV_SHARE = 0.125
# Weights and optimiser state of one parameter in a checkpoint: bf16 weight, fp32 master, two Adam moments
# (facts/reliability.yaml checkpoint_facts; NVIDIA's Llama-3.1-8B recipe measures 13.1).
CHECKPOINT_BYTES = 14.0
# Bytes of a stored weight by precision (int8w: 8-bit weights with 16-bit arithmetic).
WEIGHT_BYTES = {"bf16": 2.0, "fp8": 1.0, "int8": 1.0, "int8w": 1.0, "fp4": 0.5625}


@dataclass(frozen=True)
class Shape:
    """A model's sizes.

    Attributes:
        kind: dense, moe or hybrid-moe.
        active, total, expert_params: parameters used by a token, all, in routed experts (counts, not 10^9).
        layers, hidden, attention_width: number, width of the stream, width of all heads together.
        kv_bytes: KV-cache bytes of one token over all layers at 16 bit.
        experts, experts_active: routed experts a layer, and those that a token uses.
        kv_ways: over how many chips tensor parallelism can divide the KV cache (KV heads; 1 where latent).
        window, windowed: tokens that windowed layers see, and their share.
        released_bytes: bytes of a weight as released; precisions wider than that do not widen it.
        guessed: names of what was filled by rules of thumb.
    """

    kind: str
    active: float
    total: float
    layers: float
    hidden: float
    attention_width: float
    kv_bytes: float
    experts: float = 1.0
    experts_active: float = 1.0
    expert_params: float = 0.0
    kv_ways: float = 8.0
    window: float = math.inf
    windowed: float = 0.0
    released_bytes: float = 2.0
    guessed: tuple[str, ...] = ()

    @property
    def moe(self) -> bool:
        """Whether tokens choose experts (plain or hybrid mixtures)."""
        return self.kind != "dense"

    def training_flops(self, seq: float) -> float:
        """Model FLOPs of one training token: 6 N + 6 layers x attention width x seq (causal), models.md."""
        return 6.0 * self.active + 6.0 * self.layers * self.attention_width * seq

    def checkpoint_bytes(self) -> float:
        """Bytes of a full training checkpoint."""
        return CHECKPOINT_BYTES * self.total

    def weight_bytes(self, precision: str) -> float:
        """Bytes of all weights when served at ``precision``."""
        return self.bytes_each(precision) * self.total

    def bytes_each(self, precision: str) -> float:
        """Bytes of one weight when served at ``precision``."""
        return min(WEIGHT_BYTES.get(precision, 2.0), self.released_bytes)

    def seen(self, context: float) -> float:
        """Tokens that a layer sees on average of a context, windows considered."""
        return (1.0 - self.windowed) * context + self.windowed * min(context, self.window)

    def touched_bytes(self, precision: str, batch: float) -> float:
        """Expected bytes of weights that a decode step of ``batch`` tokens reads (every expert only once)."""
        each = self.bytes_each(precision)
        if self.expert_params <= 0 or self.experts <= 1:
            return each * self.total
        reached = 1.0 - (1.0 - self.experts_active / self.experts) ** max(batch, 0.0)
        return float(each * (self.total - self.expert_params + self.expert_params * reached))


def shape_of(card: ModelCard) -> Shape:
    """The shape of a model card."""
    hidden, layers = float(card.hidden), float(card.layers)
    width = float(card.heads * card.head_dim) if card.head_dim else hidden
    experts = float(card.experts or 1)
    active = float(card.experts_active or 1)
    total, params = float(card.params_b_total) * 1e9, float(card.params_b_active) * 1e9
    return Shape(
        kind=card.kind,
        active=params,
        total=total,
        layers=layers,
        hidden=hidden,
        attention_width=width,
        kv_bytes=float(card.kv_bytes_per_token),
        experts=experts,
        experts_active=active,
        expert_params=_expert_params(card, params, total, experts, active),
        kv_ways=_kv_ways(card, hidden),
        window=float(card.window or math.inf),
        windowed=float(card.windowed or 0.0),
        released_bytes=float(card.weight_bytes or 2.0),
    )


def _expert_params(card: ModelCard, active: float, total: float, experts: float, used: float) -> float:
    """Parameters in routed experts: the card's, else from total - active = inside x (1 - used/experts)."""
    if card.kind == "dense" or experts <= used:
        return 0.0
    if card.params_b_experts is not None:
        return float(card.params_b_experts) * 1e9
    return min(total, (total - active) / (1.0 - used / experts))


def _kv_ways(card: ModelCard, hidden: float) -> float:
    """KV heads; 1 where the cache is far smaller than its heads, i.e. one latent vector (DeepSeek's MLA)."""
    heads = float(card.kv_heads or card.heads)
    full = 4.0 * card.layers * heads * float(card.head_dim or hidden / card.heads)
    return 1.0 if card.kv_bytes_per_token < full / 8 and heads > 8 else heads


def shape_from_counts(
    kind: str,
    active_b: float,
    total_b: float | None = None,
    *,
    layers: float | None = None,
    hidden: float | None = None,
    kv_bytes: float | None = None,
) -> Shape:
    """A shape from parameter counts in 10^9; what is not given is guessed from published proportions.

    A mixture without expert counts is taken to choose 8 experts of as many as total / active implies.
    """
    active, total = active_b * 1e9, (total_b or active_b) * 1e9
    guessed = [
        name
        for name, value in (("layers", layers), ("hidden", hidden), ("kv_bytes_per_token", kv_bytes))
        if not value
    ]
    if not hidden and layers:
        hidden = math.sqrt(active / (LAYER_WEIGHTS * layers))
    hidden = hidden or (ASPECT * active / LAYER_WEIGHTS) ** (1 / 3)
    layers = layers or max(1.0, round(hidden / ASPECT))
    kv_bytes = kv_bytes or 2 * 2 * layers * hidden * KV_SHARE
    experts = used = 1.0
    inside = 0.0
    if kind != "dense" and total > active:
        used = 8.0
        experts = max(used * 2, round(used * total / active))
        inside = min(total, (total - active) / (1.0 - used / experts))
        guessed += ["experts"]
    return Shape(
        kind=kind,
        active=active,
        total=total,
        layers=layers,
        hidden=hidden,
        attention_width=hidden,
        kv_bytes=kv_bytes,
        experts=experts,
        experts_active=used,
        expert_params=inside,
        guessed=tuple(guessed),
    )
