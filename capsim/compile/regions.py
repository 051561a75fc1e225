"""Services over regions: a service becomes one service a region, each with its share of the demand.

Requests are served in their own region as far as its chips go; what is left spills over to other regions
where the service allows it, with less time to the first token and at the price of the traffic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from capsim.spec.demand import Service
from capsim.spec.study import Study
from capsim.spec.values import Value

if TYPE_CHECKING:
    pass

AT = "@"
"""Between the name of a service and its region."""


def routed(study: Study) -> Study:
    """The study with every service of several regions split; the same study where there is none."""
    services = study.demand.inference
    if all(len(service.regions) < 2 for service in services):
        return study
    split = [part for service in services for part in _parts(service)]
    demand = study.demand.model_copy(update={"inference": split})
    return study.model_copy(update={"demand": demand})


def _parts(service: Service) -> list[Service]:
    if len(service.regions) < 2:
        return [service]
    found = []
    for name, region in service.regions.items():
        share = float(region.share)
        if share <= 0.0:
            continue
        shape = service.shape
        if region.peak_hour is not None:
            shape = shape.model_copy(update={"peak_hour": region.peak_hour})
        update = {
            "name": f"{service.name}{AT}{name}",
            "shape": shape,
            "tokens": {day: Value(float(n) * share, **n.provenance()) for day, n in service.tokens.items()},
            "regions": {name: region},
        }
        found.append(service.model_copy(update=update))
    return found


def base_name(service: str) -> str:
    """The name of a service without its region."""
    return service.partition(AT)[0]


def within(region: str | None, wanted: str) -> bool:
    """Whether an offer's region lies in a wanted one: `us` covers `us` and `us-east`."""
    return region is not None and (region == wanted or region.startswith(f"{wanted}-"))


def is_local(service: Service, region: str | None) -> bool:
    """Whether an offer's region is one of the service's own; without regions every place is."""
    return not service.regions or any(within(region, name) for name in service.regions)
