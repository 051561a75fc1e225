"""Quantities as people write them: what each reads as, and what each wrong form is told."""

from __future__ import annotations

import datetime
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from capsim.spec import quantities as forms
from capsim.spec import values
from capsim.spec.values import Value, Whole
from capsim.units import DAY_MS, HOUR_MS, YEAR_MS

READS: list[tuple[Any, str, float]] = [
    (values.Number, "0.5", 0.5),
    (values.Number, "5e26", 5e26),
    (values.Number, "1E3", 1000.0),
    (values.Number, "010", 10.0),
    (values.Number, ".8", 0.8),
    (values.Number, "1_000", 1000.0),
    (values.Number, "2k", 2000.0),
    (values.Number, "3 T", 3e12),
    (values.Count, "500k", 500_000),
    (values.Count, "1.2M", 1_200_000),
    (values.Count, "1.1k", 1_100),
    (values.Count, "2G", 2_000_000_000),
    (values.Fraction, "35%", 0.35),
    (values.Fraction, "0.35", 0.35),
    (values.Fraction, "1.2", 1.2),
    (values.Fraction, "-50%", -0.5),
    (values.Share, "100%", 1.0),
    (values.Usd, "$38B", 38e9),
    (values.Usd, "$1.5M", 1.5e6),
    (values.Usd, "$50k", 50e3),
    (values.Usd, "-$3", -3.0),
    (values.Usd, "$1.4T", 1.4e12),
    (values.Usd, "0", 0.0),
    (values.UsdPerHour, "$2.10/h", 2.10),
    (values.UsdPerHour, "$2.10/chip-h", 2.10),
    (values.UsdPerDay, "$20M/d", 20e6),
    (values.UsdPerDay, "$7/w", 1.0),
    (values.UsdPerMtok, "$4/Mtok", 4.0),
    (values.UsdPerKwMonth, "$148/kW-mo", 148.0),
    (values.UsdPerKwMonth, "$148/kW-month", 148.0),
    (values.UsdPerKwMonth, "$148/kW/mo", 148.0),
    (values.UsdPerChipHour, "$2.50/h100e-h", 2.5),
    (values.UsdPerChipHour, "$2.50/h", 2.5),
    (values.Kilowatts, "300 MW", 300e3),
    (values.Kilowatts, "4.5 GW", 4.5e6),
    (values.Kilowatts, "2.63 kW", 2.63),
    (values.GigabytesPerSecond, "2 TB/s", 2000.0),
    (values.GigabytesPerSecond, "500 GB/s", 500.0),
    (values.Flop, "5e26", 5e26),
    (values.Flop, "5e26 FLOP", 5e26),
    (values.TokensPerDay, "400G/d", 400e9),
    (values.TokensPerDay, "9T", 9e12),
    (values.TokensPerDay, "6G/min", 6e9 * 1440),
    (values.DurationMs, "50 ms", 50),
    (values.DurationMs, "2 s", 2_000),
    (values.DurationMs, "40 min", 2_400_000),
    (values.DurationMs, "6 h", 6 * HOUR_MS),
    (values.DurationMs, "5 d", 5 * DAY_MS),
    (values.DurationMs, "26w", 26 * 7 * DAY_MS),
    (values.DurationMs, "6mo", YEAR_MS // 2),
    (values.DurationMs, "1q", YEAR_MS // 4),
    (values.DurationMs, "7y", 7 * YEAR_MS),
    (values.DurationMs, "0", 0),
    (values.SignedDurationMs, "-1q", -YEAR_MS // 4),
    (values.RatePerYear, "2/y", 2.0),
    (values.RatePerYear, "1/q", 4.0),
    (values.GrowthPerYear, "8%/y", 0.08),
    (values.GrowthPerYear, "-12%/y", -0.12),
    (values.GrowthPerYear, "1.4x/y", 0.4),
    (values.FractionPerQuarter, "10%/q", 0.10),
]

REFUSED: list[tuple[Any, Any, str, str]] = [
    (values.Number, "5B", "the suffix `B`", "0.5, 40, 1.2M"),
    (values.Number, "5m", "SI suffixes are k M G T", "1.2M"),
    (values.Number, "5K", "SI suffixes are k M G T", "1.2M"),
    (values.Number, "$5", "is money", "a number"),
    (values.Number, "35%", "the unit `%`", "a number"),
    (values.Number, "1,000", "a comma", "a number"),
    (values.Number, "0x10", "the unit `x10`", "a number"),
    (values.Number, ".inf", "not a finite number", "a number"),
    (values.Number, "nan", "not a finite number", "a number"),
    (values.Number, "1e999", "too large", "a number"),
    (values.Number, "-1", "out of bounds", "write at least 0"),
    (values.Number, "many", "is not a number", "a number"),
    (values.Number, ["1"], "a list", "a number"),
    (values.Number, True, "`True` is not a number", "a number"),
    (values.Count, "1.5", "is not a whole number", "72, 500k"),
    (values.Count, "1e300", "is too large", "72, 500k"),
    (values.Count, "-3", "out of bounds", "at least 0"),
    (values.Share, "120%", "out of bounds", "at least 0 and at most 1"),
    (values.Usd, "38B", "is money without `$`", "$38B"),
    (values.Usd, "38", "is money without `$`", "$38B"),
    (values.Usd, "$38bn", "the suffix `bn`", "$38B"),
    (values.Usd, "$3/h", "the unit `/h`", "$38B"),
    (values.UsdPerHour, "2.10/h", "is money without `$`", "$2.10/h"),
    (values.UsdPerHour, "$2.10", "lacks its `/h`", "$2.10/h"),
    (values.UsdPerHour, "$20/d", "the unit `/d`", "$2.10/h"),
    (values.UsdPerDay, "$20M", "the unit `M`", "$20M/d"),
    (values.Kilowatts, "300", "lacks its unit", "300 MW"),
    (values.Kilowatts, "300 mw", "the unit `mw`", "300 MW"),
    (values.DurationMs, "5", "lacks its unit", "26w"),
    (values.DurationMs, "5m", "may be min or mo", "40 min"),
    (values.DurationMs, "-1d", "out of bounds", "at least 0"),
    (values.DurationMs, "1e9y", "longer than 1000 years", "7y"),
    (values.RatePerYear, "2", "lacks its unit of time", "2/y"),
    (values.GrowthPerYear, "8%", "the unit `%`", "8%/y"),
    (values.FractionPerQuarter, "10%/y", "the unit `%/y`", "10%/q"),
]


def read(kind: Any, raw: Any) -> Any:
    return TypeAdapter(kind).validate_python(raw)


def refusal(kind: Any, raw: Any) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        read(kind, raw)
    context = caught.value.errors()[0]["ctx"]
    return context["what"], context["hint"]


@pytest.mark.parametrize(("kind", "text", "number"), READS, ids=lambda item: str(item)[:20])
def test_reads(kind: Any, text: str, number: float) -> None:
    value = read(kind, text)
    assert value == pytest.approx(number, rel=1e-12)
    assert isinstance(value, Value | Whole) and value.source is None and not value.ranged


@pytest.mark.parametrize(("kind", "raw", "what", "hint"), REFUSED, ids=lambda item: str(item)[:20])
def test_refuses_and_says_what_to_write(kind: Any, raw: Any, what: str, hint: str) -> None:
    found = refusal(kind, raw)
    assert what in found[0] and hint in found[1]


@pytest.mark.parametrize(
    ("form", "number", "text"),
    [
        (forms.USD, 44_790.0, "$44790"),
        (forms.USD, 1e6, "$1M"),
        (forms.USD, 2.779e10, "$27.79B"),
        (forms.USD, 1.4e12, "$1.4T"),
        (forms.USD_PER_DAY, 2.5e7, "$25M/d"),
        (forms.USD_PER_HOUR, 2.1, "$2.1/h"),
    ],
)
def test_large_sums_are_shown_as_people_write_them(form: forms.Form, number: float, text: str) -> None:
    assert form.show(number) == text
    assert form.read(text) == pytest.approx(number)


ALL_FORMS = [form for form in vars(forms).values() if isinstance(form, forms.Form)]


@given(form=st.sampled_from(ALL_FORMS), number=st.floats(0, 1e12))
def test_what_is_written_reads_back_the_same(form: forms.Form, number: float) -> None:
    value = round(number) if form.whole else number
    assert form.read(form.write(value)) == value


@given(form=st.sampled_from(ALL_FORMS), text=st.text(max_size=12))
def test_any_text_is_read_or_refused_in_words(form: forms.Form, text: str) -> None:
    try:
        assert abs(form.read(text)) < float("inf")
    except ValueError as error:
        assert str(error)


def test_numbers_of_programs_are_in_the_units_of_the_schema() -> None:
    assert read(values.DurationMs, 5000) == 5000
    assert read(values.Usd, 3.5e9) == 3.5e9


def test_a_value_carries_its_provenance() -> None:
    raw = {"value": "$38B", "source": "filing", "as_of": "2025-11-03", "confidence": "vendor"}
    value = read(values.Usd, raw)
    assert value == 38e9
    assert (value.source, value.as_of, value.confidence) == ("filing", datetime.date(2025, 11, 3), "vendor")
    assert not value.ranged and value.low is None


def test_a_range_is_its_middle_with_bounds() -> None:
    value = read(
        values.UsdPerMtok, {"low": "$1/Mtok", "mid": "$2.7/Mtok", "high": "$5/Mtok", "confidence": "assumed"}
    )
    assert (value, value.low, value.high, value.ranged) == (2.7, 1.0, 5.0, True)
    assert read(values.Number, {"low": "1", "high": "3"}) == 2.0
    assert read(values.Number, {"low": "1", "value": "1.5", "high": "3"}) == 1.5


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        ({"low": "3", "mid": "2", "high": "4"}, "not in order"),
        ({"low": "1"}, "needs both `low` and `high`"),
        ({"source": "x"}, "without a number"),
        ({"value": "1", "mid": "1"}, "both `value` and `mid`"),
        ({"value": "1", "sourc": "x"}, "unknown key `sourc`"),
        ({"value": "1", "confidence": "sure"}, "is no confidence"),
        ({"value": "1", "as_of": "soon"}, "is not a date"),
        ({"value": "1", "source": {}}, "a source is text"),
        ({}, "without a number"),
    ],
)
def test_a_wrong_value_is_refused(raw: dict[str, Any], what: str) -> None:
    assert what in refusal(values.Number, raw)[0]


@pytest.mark.parametrize(
    "value", [Value(2.5, source="x", low=1.0, high=3.0), Whole(7, confidence="assumed"), Whole(3)]
)
def test_values_survive_pickling(value: Value | Whole) -> None:
    twin = pickle.loads(pickle.dumps(value))
    assert (twin, type(twin), twin.provenance()) == (value, type(value), value.provenance())


def test_dates_survive_pickling_with_their_source() -> None:
    day = read(values.Date, {"value": "2032-11", "source": "contract"})
    twin = pickle.loads(pickle.dumps(day))
    assert twin == datetime.date(2032, 11, 1) and twin.source == "contract"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-Q3", (2026, 7, 1)),
        ("2026-q1", (2026, 1, 1)),
        ("2026-04", (2026, 4, 1)),
        ("2026-04-30", (2026, 4, 30)),
        ("2026", (2026, 1, 1)),
    ],
)
def test_dates(text: str, day: tuple[int, int, int]) -> None:
    assert read(values.Date, text) == datetime.date(*day)


@pytest.mark.parametrize(
    "text", ["2026-Q5", "2026-13", "2026-02-30", "26-01-01", "0000-01-01", "soon", "", "12:30"]
)
def test_wrong_dates_are_refused(text: str) -> None:
    assert "date such as 2026-04-01" in refusal(values.Date, text)[1]


def test_dates_are_keys_once() -> None:
    kind = values.ByKey[values.Date, values.Count]
    assert read(kind, {"2026": "1", "2027-Q1": "2"}) == {
        datetime.date(2026, 1, 1): 1,
        datetime.date(2027, 1, 1): 2,
    }
    assert refusal(kind, {"2026": "1", "2026-01": "2"})[0] == "two keys mean the same"


@pytest.mark.parametrize("text", ["on", "yes", "12:30", "010", "1e3", "true", "2026-01-01", "~ not null"])
def test_text_stays_what_was_written(text: str) -> None:
    assert read(values.Text, text) == text


def test_booleans_are_true_and_false_only() -> None:
    assert read(values.Flag, "true") is True and read(values.Flag, "False") is False
    assert "write true or false" in refusal(values.Flag, "on")[1]


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("ofers", ["offers", "models"], "did you mean `offers`?"),
        ("GB200-NVL72", ["gb200_nvl72", "b200_hgx"], "did you mean `gb200_nvl72`?"),
        ("zzz", ["a", "b"], "write one of a, b"),
        ("x", [], "there is none to name"),
        ("q", [str(i) for i in range(20)], "and 8 more"),
    ],
)
def test_did_you_mean(name: str, known: list[str], hint: str) -> None:
    assert hint in forms.did_you_mean(name, known)
