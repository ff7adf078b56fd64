"""Every golden segment of clients/conformance, as a Python program is told of it."""

import json
import re
import sys
import unittest
from pathlib import Path
from typing import Any

from clockbound import CausalityError, EarlierBootError, Error, OpenError, ReadError
from clockbound._native import _interval_given

CONFORMANCE = Path(__file__).parents[2] / "conformance"

NOT_WRITTEN = r"is not initialised yet|a write is in progress and does not end"
VERSION = r"layout version \d+ is not version \d+"


def kind(err: Error) -> str:
    """The kind of error that a program, or who reads its log, learns from the exception."""
    if isinstance(err, EarlierBootError):
        return "not_initialized"
    if isinstance(err, CausalityError):
        return "causality"
    if not isinstance(err, OpenError | ReadError):
        return "another"
    if re.search(NOT_WRITTEN, str(err)):
        return "not_initialized"
    return "version" if re.search(VERSION, str(err)) else "malformed"


def said(case: dict[str, Any]) -> dict[str, Any]:
    surroundings = case["surroundings"] | {"boot_id": bytes.fromhex(case["surroundings"]["boot_id"])}
    try:
        interval = _interval_given(CONFORMANCE / "segments" / case["segment"], **surroundings)
    except Error as err:
        return {"error": kind(err)}
    return {name: getattr(interval, name) for name in ("earliest_ns", "latest_ns", "status", "reason")}


@unittest.skipUnless(sys.byteorder == "little", "the golden segments are of a little-endian daemon")
class Conformance(unittest.TestCase):
    def test_every_golden_segment_is_told_as_it_must_be(self) -> None:
        cases = json.loads((CONFORMANCE / "cases.json").read_text())
        self.assertGreater(len(cases), 50)
        for case in cases:
            with self.subTest(case["name"]):
                self.assertEqual(said(case), case["expect"])
