"""One run of one strategy in one world, from draws to figures."""

from __future__ import annotations

import gc
import time

from capsim.compile.prepare import Prepared
from capsim.control.world import Draws, demand_world
from capsim.engine.build import Run, build
from capsim.engine.loop import run_to_end
from capsim.engine.recorder import Recorder
from capsim.engine.summary import summarise
from capsim.results.schema import RunResult


def simulate(prepared: Prepared, run: int) -> RunResult:
    """Simulate world number `run` for a prepared strategy.

    The same world faces every strategy of the case. The result does not depend on the process or the order.
    """
    began = time.perf_counter()
    collecting = gc.isenabled()
    gc.disable()  # a run makes no reference cycles worth looking for while it lasts
    try:
        built, recorder, events = simulate_built(prepared, run)
        result = summarise(built, recorder, run, events)
        built.ctx.close()
    finally:
        if collecting:
            gc.enable()
    result.metrics["seconds"] = time.perf_counter() - began
    return result


def simulate_built(prepared: Prepared, run: int) -> tuple[Run, Recorder, int]:
    """The same, returning the simulated objects and the number of control events, for a closer look."""
    demand = demand_world(prepared.token, prepared.study, prepared.calendar, run)
    draws = Draws(prepared.study, prepared.calendar, run)
    built = build(prepared, draws, demand, run)
    recorder = Recorder(built.ctx)
    recorder.start()
    events = run_to_end(built.ctx.env, built.ctx.cluster, built.ctx.end, built.training.finished)
    built.autoscaler.held[-1] = built.ctx.cluster.service_time()
    recorder.take(len(recorder.edges) - 1)
    return built, recorder, events + built.autoscaler.in_a_row
