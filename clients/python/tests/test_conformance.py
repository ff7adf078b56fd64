"""Reads every golden segment of clients/conformance."""

import json
import re
import sys
import unittest
from pathlib import Path
from typing import Any

from clockbound import CausalityError, EarlierBootError, Error, OpenError, ReadError
from clockbound._native import _interval_in

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
    if not isinstance(err, OpenError | ReadError):
        return "other"
    if re.search(NOT_INITIALIZED, str(err)):
        return "not_initialized"
    return "version" if re.search(UNSUPPORTED_VERSION, str(err)) else "malformed"


def read_case(case: dict[str, Any]) -> dict[str, Any]:
    environment = dict(case["surroundings"])
    environment["boot_id"] = bytes.fromhex(environment["boot_id"])
    try:
        interval = _interval_in(CONFORMANCE / "segments" / case["segment"], **environment)
    except Error as err:
        return {"error": error_kind(err)}
    fields = ("earliest_ns", "latest_ns", "status", "reason")
    return {name: getattr(interval, name) for name in fields}


@unittest.skipUnless(sys.byteorder == "little", "the golden segments are little-endian")
class Conformance(unittest.TestCase):
    def test_every_golden_segment_reads_as_expected(self) -> None:
        cases = json.loads((CONFORMANCE / "cases.json").read_text())
        self.assertGreater(len(cases), 50)
        for case in cases:
            with self.subTest(case["name"]):
                self.assertEqual(read_case(case), case["expect"])
