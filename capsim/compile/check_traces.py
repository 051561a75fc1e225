"""Check of the traces that a study follows: readable, of the right kind, not more than a machine holds."""

from __future__ import annotations

from capsim.compile.check_work import MOST_CAMPAIGNS, MOST_YEARS
from capsim.compile.findings import Report
from capsim.errors import InputError
from capsim.spec.demand import TracedResearch
from capsim.spec.loader import Loaded
from capsim.units import DAY_MS, YEAR_MS
from capsim.workload.service_requests import request_lengths
from capsim.workload.traced_demand import copies_wanted, jobs_of

MOST_CHIPS = 2**31 - 1
"""Sizes are 32-bit integers in the scheduler."""


def traces(loaded: Loaded, report: Report) -> None:
    """Trace files are what they are used for, and how much work comes of them."""
    study = loaded.study
    research = study.demand.research
    if isinstance(research, TracedResearch):
        _research(loaded, report, research)
    for index, service in enumerate(study.demand.inference):
        if service.requests is not None:
            _requests(loaded, report, index)


def _requests(loaded: Loaded, report: Report, index: int) -> None:
    service = loaded.study.demand.inference[index]
    assert service.requests is not None
    here = ("demand", "inference", index, "requests", "trace")
    try:
        inputs, outputs, mix = request_lengths(service)
    except InputError as error:
        report.error(str(error), "give a request trace: Azure CSV or a request table", *here)
        return
    assert mix is not None
    day = "its own day" if mix.daily is not None else "the day of `shape`: the trace has no whole day"
    report.info(
        f"{service.name} follows {len(mix.inputs):,} requests of {service.requests.trace}: {inputs:,.0f}"
        f" tokens in and {outputs:,.0f} out on average, gaps {mix.burstiness:.2f} times as varied as"
        f" Poisson's, {day}",
        *here,
    )


def _research(loaded: Loaded, report: Report, research: TracedResearch) -> None:
    study, here = loaded.study, ("demand", "research", "trace")
    try:
        trace = jobs_of(research.path, research.sha256)
    except InputError as error:
        report.error(str(error), "give a job trace: SWF, Philly CSV or a job table", *here)
        return
    if len(trace) == 0:
        report.error(f"{research.trace}: no job is left after cleaning", "give another trace", *here)
        return
    end = (study.horizon.end - study.horizon.start).days * DAY_MS
    longest = float(trace.submit[-1] - trace.submit[0]) * float(research.scale.time)
    largest = int(trace.size.max()) * float(research.scale.chips)
    if longest > MOST_YEARS * YEAR_MS or largest > MOST_CHIPS:
        what = f"{research.trace}: scaled to {longest / YEAR_MS:,.3g} years and jobs of {largest:,.3g} chips"
        report.error(what, f"at most {MOST_YEARS} years and {MOST_CHIPS:,.0f} chips", *here[:2], "scale")
        return
    count = copies_wanted(research, trace, end, float(study.demand.scale))
    if count > MOST_CAMPAIGNS:
        hint = f"scale it to at most {MOST_CAMPAIGNS:,}: scale: {{count: {MOST_CAMPAIGNS / count:.1g}}}"
        report.error(f"{research.trace}: {count:,.0f} campaigns over the horizon", hint, *here)
    days = longest / DAY_MS
    report.info(
        f"research follows {len(trace):,} jobs of {research.trace} ({trace.format}) over {days:,.1f} days"
        f"{', again and again' if research.repeat else ''}: about {count:,.0f} campaigns, the largest of"
        f" {largest:,.0f} chips",
        *here,
    )
