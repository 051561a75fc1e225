"""Calibration: the shipped measurements, a study's own ones, and what is left when some are held out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import ValidationError

from capsim.errors import InputError
from capsim.spec.calibration import CalibrationSection, MeasuredModel
from capsim.spec.hardware import Chip
from capsim.workload.calibration_points import serving_point
from capsim.workload.hardware_view import ceiling_log, generation, peak_16, speedup_bits
from capsim.workload.inference_table import Measure, ServingPoint, ServingTable, shipped_serving_rows
from capsim.workload.known import Known, known
from capsim.workload.measurements import NotExpressed, Row, chip_of, model_of
from capsim.workload.shape import Shape
from capsim.workload.training_table import (
    CEILING,
    Configuration,
    TrainingPoint,
    TrainingTable,
    shipped_rows,
)

# Where a table does not say: sequence and chip count of the middle of the shipped points.
DEFAULT_SEQ = 4096.0
DEFAULT_CHIPS = 256.0
# How a file that `capsim calibrate` wrote begins.
WRITTEN = "# Measurements of"


def configuration(
    shape: Shape,
    name: str,
    chip: Chip,
    precision: str,
    chips: float,
    seq: float,
    *,
    group: str = "",
    end_to_end: bool = False,
) -> Configuration:
    """What the training table needs to know of one configuration."""
    attention = shape.training_flops(seq) / shape.training_flops(0.0) - 1.0
    return Configuration(
        kind=shape.kind,
        params_b_active=shape.active / 1e9,
        params_b_total=max(shape.total, shape.active) / 1e9,
        chip=name,
        generation=generation(name),
        stack=chip.stack,
        precision=precision,
        bits=speedup_bits(chip, precision),
        ceiling=ceiling_log(chip, CEILING),
        chips=max(chips, 1.0),
        seq=seq,
        attention_share=attention,
        group=group,
        end_to_end=end_to_end,
    )


@dataclass
class Calibration:
    """Measured points for the models; fitted tables are kept by what they leave out."""

    training: tuple[TrainingPoint, ...]
    serving: tuple[ServingPoint, ...]
    _tables: dict[tuple[str, str] | None, TrainingTable] = field(default_factory=dict, repr=False)
    _serving: dict[tuple[Measure, tuple[str, str] | None], ServingTable] = field(
        default_factory=dict, repr=False
    )

    def training_table(self, without: tuple[str, str] | None = None) -> TrainingTable:
        """The fitted table; ``without`` a (group, model) leaves all points of that pair out."""
        if without not in self._tables:
            points = [p for p in self.training if (p.group, p.model) != without]
            self._tables[without] = TrainingTable.fitted(points)
        return self._tables[without]

    def serving_table(self, measure: Measure, without: tuple[str, str] | None = None) -> ServingTable:
        """The fitted table of a measure; ``without`` a (group, model) leaves all points of that pair out."""
        key = (measure, without)
        if key not in self._serving:
            points = [p for p in self.serving if p.measure == measure and (p.group, p.at.model) != without]
            self._serving[key] = ServingTable.fitted(measure, points)
        return self._serving[key]

    def without(self, *, chip: str | None = None, group: str | None = None) -> Calibration:
        """This calibration without any point of a chip or of a publisher."""
        training = [p for p in self.training if p.at.chip != chip and p.group != group]
        serving = [p for p in self.serving if p.at.chip != chip and p.group != group]
        return Calibration(tuple(training), tuple(serving))

    def extended(self, section: CalibrationSection | None, catalog: Known | None = None) -> Calibration:
        """This calibration with a study's own measurements added."""
        if section is None or not (section.training or section.inference):
            return self
        found = catalog or known()
        try:
            own = [_owned(training_point(entry_row(e), found)) for e in section.training]
            served = [replace(serving_point(entry_row(e), found), own=True) for e in section.inference]
        except NotExpressed as reason:
            raise InputError(f"calibration: {reason}") from None
        return Calibration((*self.training, *own), (*self.serving, *served))


def _owned(point: TrainingPoint) -> TrainingPoint:
    """A study's own point: what sets its publisher's software apart is part of what the study runs."""
    return replace(point, own=True, at=replace(point.at, group=""))


def entry_row(entry: MeasuredModel) -> Row:
    """A measurement of a study as a row of a table."""
    given = {name: getattr(entry, name) for name in type(entry).model_fields}
    numbers = {key: float(value) if isinstance(value, float) else value for key, value in given.items()}
    return Row(0, {key: str(value) for key, value in numbers.items() if value is not None})


def training_point(row: Row, catalog: Known) -> TrainingPoint:
    """A point of the training table from a row with `tflops_chip`.

    Raises:
        NotExpressed: the chip or the model is unknown, or a number is missing.
    """
    name = chip_of(row, catalog)
    chip = catalog.chips[name]
    model, shape = model_of(row, catalog)
    rate = row.value("tflops_chip", required=True) or 0.0
    at = configuration(
        shape,
        name,
        chip,
        row.text("precision"),
        row.value("chips") or DEFAULT_CHIPS,
        row.value("seq") or DEFAULT_SEQ,
        group=row.text("group") or "own",
        end_to_end=row.text("end_to_end").lower() in {"1", "true", "yes"},
    )
    runs = int(row.value("runs") or 1)
    return TrainingPoint(at, at.group, model, math.log(rate / peak_16(chip)), runs, row.text("source"))


def training_points(rows: Iterable[Mapping[str, str]], catalog: Known) -> tuple[TrainingPoint, ...]:
    """Points of a table that is known to be sound (the shipped one)."""
    return tuple(training_point(Row(i, dict(cells)), catalog) for i, cells in enumerate(rows, start=2))


@lru_cache(maxsize=1)
def shipped() -> Calibration:
    """The calibration that comes with capsim."""
    catalog = known()
    serving = (
        serving_point(Row(i, dict(cells)), catalog) for i, cells in enumerate(shipped_serving_rows(), start=2)
    )
    return Calibration(training_points(shipped_rows(), catalog), tuple(serving))


def medians(values: Sequence[float]) -> float:
    """The median."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def read_calibration(path: Path) -> CalibrationSection:
    """The `calibration:` section of a file that `capsim calibrate` wrote.

    Raises:
        InputError: the file cannot be read or is not a calibration.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        return CalibrationSection.model_validate(raw["calibration"])
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValidationError) as error:
        text = str(error).splitlines()[0]
        raise InputError(f"{path}: not a calibration ({text}); `capsim calibrate` writes one") from None


def is_calibration(path: Path) -> bool:
    """Whether a file was written by `write_calibration`."""
    try:
        with path.open("rb") as file:
            return file.read(len(WRITTEN)) == WRITTEN.encode()
    except OSError:
        return False


def write_calibration(path: Path, section: Mapping[str, object], origin: str) -> None:
    """Write a calibration section as a YAML fragment of a study.

    Raises:
        InputError: the file cannot be written.
    """
    head = f"{WRITTEN} {origin}, reduced by `capsim calibrate`; a study uses them by `include`.\n"
    text = yaml.dump(section, Dumper=yaml.CSafeDumper, sort_keys=False, default_flow_style=None, width=200)
    try:
        path.write_text(head + text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
