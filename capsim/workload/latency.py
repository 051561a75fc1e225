"""Latency of a replica by load: percentiles of the micro-simulation, tabulated once and kept on disk.

A table belongs to the replica's step times, its limits and the length mix; its file is named by a hash of all
of them, so that a changed constant never meets an old table. Folder: ``$CAPSIM_CACHE_DIR``, else
``$XDG_CACHE_HOME/capsim``, else ``~/.cache/capsim``, below it ``latency``.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.workload.request_mix import RequestMix
from capsim.workload.roofline import Replica
from capsim.workload.ticks import MOST, PER_CONTEXT, PER_PAIR, PER_PROMPT, TICK

VERSION = 2
# Seconds over which requests arrive at most: half of what 64 bits of ticks hold; in the rest they are served.
CLOCK = 2.0**62 * TICK
# Loads of the table, shares of the saturated rate.
LOADS = (0.05, 0.3, 0.5, 0.65, 0.75, 0.85, 0.9, 0.95, 1.0)
PERCENTILES = (50, 95, 99)
# Prompt tokens that one iteration computes at most, a common default of chunked prefill (assumed); with
# data-parallel attention each chip has its own.
CHUNK = 2048
# Coefficients of variation of prompt and output lengths: Azure LLM trace 2023, 19,366 conversations.
INPUT_SPREAD = 0.96
OUTPUT_SPREAD = 0.77
# Requests simulated a load: enough that the batch turns over several times, within bounds.
FEWEST, TURNS, MOST_REQUESTS = 2000, 6, 16000
WARM_UP = 0.25
STEP_POINTS = 96
FIXED_POINT_ROUNDS = 200


@dataclass(frozen=True)
class Lengths:
    """Mean tokens of a request; ``cache_hit`` is the share of the prompt that need not be computed.

    With a ``mix`` the requests of a trace follow each other as recorded, their lengths and gaps scaled to the
    means and to the load; without one arrivals are Poisson and lengths lognormal.
    """

    inputs: float
    outputs: float
    cache_hit: float = 0.0
    mix: RequestMix | None = None

    @property
    def input_spread(self) -> float:
        """Coefficient of variation of the prompts."""
        return self.mix.input_spread if self.mix else INPUT_SPREAD

    @property
    def output_spread(self) -> float:
        """Coefficient of variation of the answers."""
        return self.mix.output_spread if self.mix else OUTPUT_SPREAD

    @property
    def computed(self) -> float:
        """Mean prompt tokens that are computed, at least one."""
        return max(1.0, self.inputs * (1.0 - self.cache_hit))


@dataclass(frozen=True)
class Engine:
    """A replica as the micro-simulation sees it, in ticks (see `microsim`)."""

    step: NDArray[np.int64]
    constants: NDArray[np.int64]
    lone_prompt: float = 1.0

    def digest(self) -> str:
        """Hash of the content."""
        lone = str(self.lone_prompt).encode()
        return hashlib.sha256(self.step.tobytes() + self.constants.tobytes() + lone).hexdigest()

    def step_at(self, batch: float) -> float:
        """Ticks of a step of ``batch`` sequences on average, 0 to the most, linear between whole ones."""
        below = min(int(batch), len(self.step) - 2)
        first, next_ = float(self.step[below]), float(self.step[below + 1])
        return (next_ - first) * (batch - below) + first

    def lone_excess(self, inputs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Seconds that prompts of ``inputs`` tokens take longer than their share of a busy engine, (n,)."""
        c, n = self.constants, inputs.astype(np.float64)
        return np.asarray((self.lone_prompt - 1.0) * (c[PER_PROMPT] * n + c[PER_PAIR] * n * n) * TICK)


@dataclass(frozen=True)
class Requests:
    """Requests of a run: arrival in ticks, tokens (n,)."""

    arrival: NDArray[np.int64]
    inputs: NDArray[np.int64]
    held: NDArray[np.int64]
    outputs: NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """First token and completion of each request, ticks (n,); iterations, tokens and end of the run."""

    first: NDArray[np.int64]
    finish: NDArray[np.int64]
    iterations: int
    decoded: int
    end: int


@dataclass(frozen=True)
class Latency:
    """Percentiles by load: ``ttft``, ``tpot`` in seconds (loads, percentiles); mean ``batch`` (loads,)."""

    loads: NDArray[np.float64]
    ttft: NDArray[np.float64]
    tpot: NDArray[np.float64]
    batch: NDArray[np.float64]

    def at(self, load: float, percentile: int = 95) -> tuple[float, float, float]:
        """TTFT and TPOT in seconds at a percentile, and the mean batch, interpolated in the load."""
        column = PERCENTILES.index(percentile)
        return (
            float(np.interp(load, self.loads, self.ttft[:, column])),
            float(np.interp(load, self.loads, self.tpot[:, column])),
            float(np.interp(load, self.loads, self.batch)),
        )

    def largest_load(self, ttft_ms: float | None, tpot_ms: float | None, percentile: int = 95) -> float:
        """The largest load up to which both objectives hold; 0 where they do not hold at the lightest."""
        column = PERCENTILES.index(percentile)
        loads = [float(self.loads[-1])]
        for values, limit in ((self.ttft[:, column], ttft_ms), (self.tpot[:, column], tpot_ms)):
            if limit is None:
                continue
            loads.append(_crossing(self.loads, np.maximum.accumulate(values) * 1e3, limit))
        return min(loads)


def _crossing(loads: NDArray[np.float64], values: NDArray[np.float64], limit: float) -> float:
    """Largest load at which a rising curve is at most ``limit``."""
    if values[0] > limit:
        return 0.0
    if values[-1] <= limit:
        return float(loads[-1])
    above = int(np.argmax(values > limit))
    low, high = values[above - 1], values[above]
    return float(loads[above - 1] + (limit - low) / (high - low) * (loads[above] - loads[above - 1]))


def iteration_times(replica: Replica, lengths: Lengths, batch: float, stages: int = 1) -> Engine:
    """The replica's iteration times. ``batch``: most running sequences; pipeline ``stages`` share them."""
    most = max(1, int(batch / stages))
    grid = np.unique(np.round(np.geomspace(1, most, STEP_POINTS)).astype(np.int64))
    seconds = [replica.step_seconds(float(b), 0.0) for b in grid]
    steps = np.interp(np.arange(1, most + 1), grid, seconds) * stages
    idle = replica.shape.layers * replica.constants.latency / replica.speed * stages
    context = lengths.inputs + lengths.outputs / 2
    per_context = (replica.step_seconds(1.0, context) - replica.step_seconds(1.0, 0.0)) / context * stages
    per_prompt, per_pair = _prompt_cost(replica, lengths.computed)
    held = replica.kv_token * max(1e-9, replica.shape.seen(context) / context)
    room = max(1.0, replica.free_bytes()) * replica.kv_ways / held
    ways = replica.chips if replica.split_requests else 1.0
    constants = [
        round(per_context / TICK),
        round(per_prompt * stages / TICK),
        round(per_pair * stages / TICK),
        round(CHUNK * ways),
        round(min(room, 1e12)),
        most,
    ]
    whole = np.concatenate(([idle], steps)) / TICK
    lone = replica.constants.lone_prompt
    return Engine(np.round(whole).astype(np.int64), np.array(constants, dtype=np.int64), lone)


def _prompt_cost(replica: Replica, tokens: float) -> tuple[float, float]:
    """Seconds a prompt token and a squared token (attention) that give the prefill of ``tokens``."""
    whole, double = replica.prefill_seconds(tokens), replica.prefill_seconds(2 * tokens)
    fixed = replica.prefill_seconds(1e-6)
    per_pair = max(0.0, (double - 2 * whole + fixed) / (2 * tokens * tokens))
    return (whole - per_pair * tokens * tokens) / tokens, per_pair


def simulate(engine: Engine, requests: Requests) -> Outcome:
    """Run the micro-simulation."""
    from capsim.workload import microsim

    n, most = len(requests.arrival), int(engine.constants[MOST])
    first, finish = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    heap, stage = np.zeros(most + 1, dtype=np.int64), np.zeros(most + 1, dtype=np.int64)
    totals = np.zeros(3, dtype=np.int64)
    microsim.run(
        requests.arrival,
        requests.inputs,
        requests.held,
        requests.outputs,
        engine.step,
        engine.constants,
        first,
        finish,
        heap,
        stage,
        totals,
    )
    iterations, decoded, end = (int(v) for v in totals)
    return Outcome(first, finish, iterations, decoded, end)


def draw_requests(lengths: Lengths, rate: float, count: int, key: int) -> Requests:
    """Requests at ``rate`` a second with lengths of the given means: those of the mix from a random one on,
    else Poisson arrivals with lognormal lengths."""
    random = np.random.Generator(np.random.Philox(key))
    if lengths.mix is not None:
        at = (int(random.integers(len(lengths.mix.gaps))) + np.arange(count)) % len(lengths.mix.gaps)
        arrival = np.cumsum(lengths.mix.gaps[at] / rate)
        held = _scaled(lengths.mix.inputs[at], lengths.inputs / lengths.mix.mean_input)
        outputs = _scaled(lengths.mix.outputs[at], lengths.outputs / lengths.mix.mean_output)
    else:
        arrival = np.cumsum(random.exponential(1.0 / rate, count))
        held = _lognormal(random, lengths.inputs, INPUT_SPREAD, count)
        outputs = _lognormal(random, lengths.outputs, OUTPUT_SPREAD, count)
    computed = np.clip(np.round(held * (1.0 - lengths.cache_hit)).astype(np.int64), 1, held)
    ticks = np.round(np.minimum(arrival, CLOCK) / TICK).astype(np.int64)
    return Requests(ticks, computed, held, outputs)


def _scaled(tokens: NDArray[np.float64], factor: float) -> NDArray[np.int64]:
    return np.maximum(1, np.round(tokens * factor)).astype(np.int64)


def _lognormal(random: np.random.Generator, mean: float, spread: float, count: int) -> NDArray[np.int64]:
    sigma = math.sqrt(math.log1p(spread * spread))
    values = random.lognormal(math.log(mean) - sigma * sigma / 2, sigma, count)
    return np.maximum(1, np.round(values)).astype(np.int64)


def closed_form_tpot(engine: Engine, lengths: Lengths, rate: float) -> float:
    """Mean seconds a token at ``rate`` requests/s without fluctuations: step(B) stretched by the prompts.

    B follows from Little's law, B = rate x outputs x TPOT; long outputs run longer, so the mean context of
    a running sequence is inputs + outputs (1 + spread^2) / 2. Infinite where prompts alone fill the time.
    Good to 10 % from 30 to 80 % load; nothing for the tails, which the simulation gives.
    """
    c, n = engine.constants, lengths.computed
    prompt = c[PER_PROMPT] * n + c[PER_PAIR] * n * n * (1 + lengths.input_spread**2)
    free = 1.0 - rate * float(prompt) * TICK
    context = lengths.inputs + lengths.outputs * (1 + lengths.output_spread**2) / 2
    if free <= 0:
        return math.inf
    most = float(len(engine.step) - 1)
    batch = 1.0
    for _ in range(FIXED_POINT_ROUNDS):
        step = engine.step_at(batch) + float(c[PER_CONTEXT]) * batch * context
        tpot = step * TICK / free
        wanted = min(rate * lengths.outputs * tpot, most)
        if abs(wanted - batch) <= 1e-4 * batch:
            break
        batch = 0.3 * batch + 0.7 * wanted
    return tpot


def latency_of(replica: Replica, stages: int, batch: float, saturated: float, lengths: Lengths) -> Latency:
    """The latency table of a replica, from the cache where it is there.

    Args:
        replica: one pipeline stage, its speed calibrated.
        stages: pipeline stages.
        batch: most running sequences of the whole replica.
        saturated: output tokens/s at full load; loads are shares of it.
        lengths: the length mix.
    """
    engine = iteration_times(replica, lengths, batch, stages)
    rate = saturated / stages / lengths.outputs
    return _tabulated(engine.digest(), round(rate, 9), lengths, _Held(engine))


class _Held:
    """An engine that the in-process cache does not compare: its digest already stands in the key."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=4096)
def _tabulated(digest: str, rate: float, lengths: Lengths, held: _Held) -> Latency:
    mix: list[float | str] = [float(v) for v in (rate, lengths.inputs, lengths.outputs, lengths.cache_hit)]
    if lengths.mix is not None:
        mix.append(lengths.mix.digest)
    text = json.dumps([VERSION, digest, mix, LOADS, PERCENTILES, INPUT_SPREAD, OUTPUT_SPREAD])
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    path = cache_folder() / f"{name}.json"
    stored = _read(path)
    if stored is None:
        stored = _simulated(held.engine, rate, lengths)
        _write(path, stored)
    return Latency(*(np.array(stored[key], dtype=np.float64) for key in ("loads", "ttft", "tpot", "batch")))


def cache_folder() -> Path:
    """Where latency tables are kept."""
    given = os.environ.get("CAPSIM_CACHE_DIR")
    if given:
        return Path(given) / "latency"
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "capsim" / "latency"


def _read(path: Path) -> dict[str, Any] | None:
    """A stored table; None where there is none or it is damaged."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        shape = (len(LOADS), len(PERCENTILES))
        if np.shape(stored["ttft"]) == shape == np.shape(stored["tpot"]) and len(stored["batch"]) == len(
            LOADS
        ):
            return dict(stored)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None


def _write(path: Path, table: dict[str, Any]) -> None:
    """Store a table so that a reader sees all of it or nothing; a read-only cache is not an error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            json.dump(table, file)
        os.replace(file.name, path)
    except OSError:
        return


def _simulated(engine: Engine, rate: float, lengths: Lengths) -> dict[str, Any]:
    """Percentiles at every load."""
    most = len(engine.step) - 1
    rows: dict[str, Any] = {"loads": list(LOADS), "ttft": [], "tpot": [], "batch": []}
    for number, load in enumerate(LOADS):
        count = int(min(MOST_REQUESTS, max(FEWEST, TURNS * most * load)))
        count = max(1, min(count, int(CLOCK * rate * load)))
        requests = draw_requests(lengths, rate * load, count, number + 1)
        ttft, tpot, batch = measured(requests, simulate(engine, requests), engine)
        rows["ttft"].append([float(v) for v in np.percentile(ttft, PERCENTILES)])
        rows["tpot"].append([float(v) for v in np.percentile(tpot, PERCENTILES)])
        rows["batch"].append(batch)
    return rows


def measured(
    requests: Requests, outcome: Outcome, engine: Engine
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Seconds to the first token and a token of requests after the warm-up, and the mean batch."""
    start = int(len(requests.arrival) * WARM_UP)
    wait = (outcome.first - requests.arrival)[start:] * TICK
    ttft = np.asarray(wait + engine.lone_excess(requests.inputs[start:]), dtype=np.float64)
    several = requests.outputs[start:] > 1
    span = (outcome.finish - outcome.first)[start:][several] * TICK
    tpot = np.asarray(span / (requests.outputs[start:][several] - 1), dtype=np.float64)
    window = max(1, int(requests.arrival[-1] - requests.arrival[start]))
    residence = float((outcome.finish - outcome.first)[start:].sum())
    return ttft, tpot if tpot.size else np.zeros(1), residence / window
