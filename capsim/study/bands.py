"""How sure the workload models are: the bands that every world draws from, common to all strategies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from capsim.compile.rates import Rates
from capsim.spec.study import Study


@dataclass(frozen=True)
class Band:
    """One standard deviation of the log of a kind of model's rates, over the systems in use.

    Attributes:
        kind: training or serving.
        least, most: the narrowest and the widest band; equal where the study replaces them.
        system: the system with the widest band.
        given: whether `uncertainty.rates` replaces the models' own leave-one-out errors.
        correlation: between the errors of two systems.
    """

    kind: str
    least: float
    most: float
    system: str
    given: bool
    correlation: float = 0.0

    def words(self) -> str:
        """E.g. `serving rates ±21..65 % (leave-one-out; widest mi455x_helios), drawn in every world, ...`."""
        drawn = f"drawn in every world, correlation of systems {self.correlation:.2g}"
        low, high = (f"{100 * math.expm1(sigma):.0f}" for sigma in (self.least, self.most))
        if self.given:
            return f"{self.kind} rates ±{high} % (uncertainty.rates), {drawn}"
        span = high if low == high else f"{low}..{high}"
        return f"{self.kind} rates ±{span} % (leave-one-out; widest {self.system}), {drawn}"


def bands(study: Study, rates: Iterable[Rates]) -> tuple[Band, ...]:
    """The band of training and of serving rates over all strategies; kinds that nothing uses are left out."""
    training: dict[str, float] = {}
    serving: dict[str, float] = {}
    for one in rates:
        for (_, system), rate in one.training.items():
            training[system] = max(training.get(system, 0.0), rate.log_error)
        for system, rate in one.research.items():
            training[system] = max(training.get(system, 0.0), rate.log_error)
        for (_, system), served in one.services.items():
            serving[system] = max(serving.get(system, 0.0), served.log_error)
    found = []
    given = study.uncertainty.rates
    shared = study.uncertainty.rate_correlation
    for kind, sigmas, correlation in (
        ("training", training, float(shared.training)),
        ("serving", serving, float(shared.serving)),
    ):
        if sigmas:
            widest = max(sigmas, key=lambda system: (sigmas[system], system))
            ends = (min(sigmas.values()), sigmas[widest]) if given is None else (float(given), float(given))
            found.append(Band(kind, *ends, widest, given is not None, correlation))
    return tuple(found)
