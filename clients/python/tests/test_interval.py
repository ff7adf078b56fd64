"""The comparisons, types and text of an interval."""

import struct
import time
from datetime import UTC, datetime, timedelta

from clockbound import Interval, Reason, Status

from . import segments
from .segments import native
from .test_client import SegmentTestCase

HALF_NS = 200_000


class Intervals(SegmentTestCase):
    def interval(
        self, half_ns: int = HALF_NS, status: int = segments.SYNCHRONIZED, reason: int = 0
    ) -> Interval:
        return self.publish_and_open(native(half_ns, status, reason)).now()

    def test_is_after_and_is_before_are_false_unless_certain(self) -> None:
        trusted, unknown = (
            self.interval(status=segments.FREE_RUNNING),
            self.interval(status=segments.UNKNOWN),
        )
        for t, after, before in [
            (trusted.earliest_ns - 1, True, False),
            (trusted.earliest_ns, False, False),
            (trusted.latest_ns, False, False),
            (trusted.latest_ns + 1, False, True),
        ]:
            self.assertEqual((trusted.is_after(t), trusted.is_before(t)), (after, before))
        for interval, certain in ((trusted, True), (unknown, False)):
            self.assertIs(interval.is_after(0), certain)
            self.assertIs(interval.is_after(datetime(1500, 1, 1, tzinfo=UTC)), certain)
            self.assertIs(interval.is_before(datetime(3000, 1, 1, tzinfo=UTC)), certain)

    def test_an_invalid_time_is_refused(self) -> None:
        interval = self.interval()
        for t in (time.time(), datetime.now(), "now", None):
            with self.assertRaises(TypeError):
                interval.is_after(t)  # type: ignore[arg-type]
        with self.assertRaises(OverflowError):
            interval.is_after(2**63)

    def test_intervals_are_ordered_if_they_are_disjoint_and_trusted(self) -> None:
        first = self.interval(1_000)
        time.sleep(0.005)
        second, wide, unknown = (
            self.interval(1_000),
            self.interval(10**9),
            self.interval(1_000, segments.UNKNOWN),
        )
        self.assertTrue(
            first < second and second > first and first <= second and not first > second
        )
        self.assertTrue(
            first == first and first <= first and first != second and hash(first) == hash(first)
        )
        for other in (wide, unknown):
            self.assertFalse(first < other or first > other or first == other or first <= other)
        self.assertFalse(first == 1)
        with self.assertRaises(TypeError):
            _ = first < 1  # type: ignore[operator]

    def test_datetimes_are_rounded_outward(self) -> None:
        epoch, us = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
        interval = self.interval()
        self.assertEqual(interval.earliest, epoch + interval.earliest_ns // 1000 * us)
        self.assertEqual(interval.latest, epoch - -interval.latest_ns // 1000 * us)
        self.assertEqual(interval.midpoint, epoch + interval.midpoint_ns // 1000 * us)
        self.assertEqual(interval.bound, -(-interval.bound_ns // 1000) * us)
        self.assertEqual(interval.midpoint_ns, (interval.earliest_ns + interval.latest_ns) // 2)

    def test_datetimes_cover_the_range_of_the_layout(self) -> None:
        segment = bytearray(native(HALF_NS))
        # The earliest and latest that a daemon publishes before its first measurement.
        struct.pack_into("=qq", segment, 80, -(10**18), 10**18)
        interval = self.publish_and_open(bytes(segment)).now()
        self.assertEqual((interval.earliest.year, interval.latest.year), (1938, 2001))
        self.assertGreater(interval.bound, timedelta(days=31 * 365))

    def test_every_status_and_reason_has_a_name(self) -> None:
        for number, status in enumerate(Status):
            interval = self.interval(status=number)
            self.assertIs(interval.status, status)
            self.assertEqual(status.is_trusted, interval.is_after(0))
        for number, reason in enumerate(Reason):
            self.assertIs(self.interval(reason=number).reason, reason)
        self.assertEqual(
            f"{Status.FREE_RUNNING}, {Reason.CHRONY_SILENT}", "free_running, chrony_silent"
        )

    def test_repr_contains_all_fields(self) -> None:
        interval = self.interval()
        self.assertEqual(
            repr(interval),
            f"Interval(earliest_ns={interval.earliest_ns}, latest_ns={interval.latest_ns}, "
            "status=synchronized, reason=tracking)",
        )
