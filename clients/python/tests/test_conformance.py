"""Reads every golden segment of clients/conformance."""

import json
import re
import sys
import unittest
from pathlib import Path
from typing import Any

from clockbound import (
    CausalityError,
    EarlierBootError,
    Error,
    Leap,
    NotKnownError,
    OpenError,
    ReadError,
    Record,
    SimulatedError,
    VMClockError,
)
from clockbound._native import _interval_in, _record_in

S = 1_000_000_000
# The optional instant of a case, and its results.
INSTANTS = ("at_monotonic_raw_ns", "at_realtime_ns")
RESULTS = ("expect", "times", "record", "disruption", "is_simulated")

CONFORMANCE = Path(__file__).parents[2] / "conformance"

# The exceptions have no kinds of their own for these two errors, but their messages do.
NOT_INITIALIZED = r"not initiali[sz]ed|write (is )?(in progress|incomplete)"
UNSUPPORTED_VERSION = r"layout version \d+"


def error_kind(err: Error) -> str:
    """Returns the kind of an error, from the class of the exception and from its message."""
    if isinstance(err, EarlierBootError):
        return "not_initialized"
    if isinstance(err, CausalityError):
        return "causality"
    if isinstance(err, NotKnownError):
        return "not_known"
    if isinstance(err, VMClockError):
        return "vmclock"
    if isinstance(err, SimulatedError):
        return "simulated"
    if not isinstance(err, OpenError | ReadError):
        return "other"
    if re.search(NOT_INITIALIZED, str(err)):
        return "not_initialized"
    return "version" if re.search(UNSUPPORTED_VERSION, str(err)) else "malformed"


def record_fields(record: Record) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: getattr(record, name) for name in ("layout", "age_ns", "source", "valid_since_ns")
    }
    return fields | {"leap": None if record.leap is None else list(Leap).index(record.leap)}


def disruption_fields(record: Record) -> dict[str, Any]:
    return {
        "supported": record.disruption_supported,
        "marker": record.disruption_marker,
        "soon": record.disruption_soon,
        "imminent": record.disruption_imminent,
        "tai_offset_s": record.tai_offset_s,
    }


def read_case(case: dict[str, Any]) -> dict[str, Any]:
    """Returns what the case should expect."""
    path = CONFORMANCE / "segments" / case["segment"]
    environment = {"vmclock_marker": None, "counter": None} | case["surroundings"]
    environment["refuse_simulated"] = case.get("refuse_simulated", False)
    environment["boot_id"] = bytes.fromhex(environment["boot_id"])
    instant = {name: case[name] for name in INSTANTS if name in case}
    found: dict[str, Any] = {}
    try:
        interval = _interval_in(path, environment, **instant)
    except Error as err:
        found["expect"] = {"error": error_kind(err)}
    else:
        found["expect"] = {
            name: getattr(interval, name)
            for name in ("earliest_ns", "latest_ns", "status", "reason")
        }
        if "times" in case:
            found["times"] = [
                time
                | {"is_after": interval.is_after(t_ns), "is_before": interval.is_before(t_ns)}
                for time in case["times"]
                for t_ns in (time["seconds"] * S + time["nanoseconds"],)
            ]
    if "record" in case:
        found["record"] = record_fields(_record_in(path, environment))
    if "disruption" in case:
        found["disruption"] = disruption_fields(_record_in(path, environment))
    if "is_simulated" in case:
        found["is_simulated"] = _record_in(path, environment).is_simulated
    return found


@unittest.skipUnless(sys.byteorder == "little", "the golden segments are little-endian")
class Conformance(unittest.TestCase):
    def test_every_golden_segment_reads_as_expected(self) -> None:
        cases = json.loads((CONFORMANCE / "cases.json").read_text())
        self.assertGreater(len(cases), 130)
        for field in (*INSTANTS, *RESULTS):
            self.assertTrue(any(field in case for case in cases), field)
        for case in cases:
            with self.subTest(case["name"]):
                expected = {name: case[name] for name in RESULTS if name in case}
                self.assertEqual(read_case(case), expected)
