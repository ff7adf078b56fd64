"""The comparisons, types and text of an interval."""

import copy
import pickle
import struct
import time
from datetime import UTC, datetime, timedelta, timezone

from clockbound import Interval, Reason, Status

from . import segments
from .segments import native
from .test_client import SegmentTestCase

HALF_NS = 200_000
# The limits of a time of 64 bits, in 1677 and 2262.
FIRST_NS, LAST_NS = -(2**63), 2**63 - 1


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

    def test_times_far_away_are_in_the_past_or_in_the_future(self) -> None:
        # The limits of 64 bits, and times beyond them.
        past: list[int | datetime] = [
            *(FIRST_NS, FIRST_NS - 1, -(2**64), -(10**30)),
            *(datetime(1677, 9, 21, 0, 12, 43, tzinfo=UTC), datetime(1500, 1, 1, tzinfo=UTC)),
            datetime.min.replace(tzinfo=timezone(timedelta(hours=23))),
        ]
        future: list[int | datetime] = [
            *(LAST_NS, LAST_NS + 1, 2**64, 10**30),
            *(datetime(2262, 4, 11, 23, 47, 17, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)),
            datetime.max.replace(tzinfo=timezone(-timedelta(hours=23))),
        ]
        for interval in (
            self.interval(),
            Interval(FIRST_NS + 1, FIRST_NS + 2, Status.SYNCHRONIZED),
            Interval(LAST_NS - 2, LAST_NS - 1, Status.SYNCHRONIZED),
        ):
            for t in past:
                self.assertEqual((interval.is_after(t), interval.is_before(t)), (True, False), t)
            for t in future:
                self.assertEqual((interval.is_after(t), interval.is_before(t)), (False, True), t)

    def test_an_invalid_time_is_refused(self) -> None:
        interval = self.interval()
        for t in (time.time(), datetime.now(), "now", None):
            with self.assertRaises(TypeError):
                interval.is_after(t)  # type: ignore[arg-type]

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

    def test_an_interval_is_constructed_copied_and_pickled(self) -> None:
        read = self.interval()
        made = Interval(read.earliest_ns, read.latest_ns, status=read.status, reason=read.reason)
        self.assertEqual(made, read)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            self.assertEqual(pickle.loads(pickle.dumps(read, protocol)), read)
        for copied in (copy.copy(read), copy.deepcopy(read)):
            self.assertEqual((copied, hash(copied)), (read, hash(read)))
        self.assertEqual(len({made, read, Interval(1, 2, Status.UNKNOWN)}), 2)
        match read:
            case Interval(earliest_ns, latest_ns, status, reason):
                fields = (earliest_ns, latest_ns, status, reason)
        self.assertEqual(fields, (read.earliest_ns, read.latest_ns, read.status, read.reason))

    def test_an_interval_has_the_ends_and_names_it_was_given(self) -> None:
        widest = Interval(FIRST_NS, LAST_NS, Status.FREE_RUNNING)
        self.assertEqual((widest.earliest_ns, widest.latest_ns), (FIRST_NS, LAST_NS))
        self.assertEqual((widest.bound_ns, widest.reason), (LAST_NS, Reason.UNTOLD))
        self.assertEqual(Interval(7, 7, Status.SYNCHRONIZED).bound_ns, 0)
        for earliest_ns, latest_ns, status, reason in [
            (2, 1, Status.SYNCHRONIZED, Reason.TRACKING),
            (1, 2, "steady", Reason.TRACKING),
            (1, 2, Status.SYNCHRONIZED, "steady"),
        ]:
            with self.assertRaises(ValueError):
                Interval(earliest_ns, latest_ns, status, reason)  # type: ignore[arg-type]
        with self.assertRaises(OverflowError):
            Interval(0, LAST_NS + 1, Status.SYNCHRONIZED)
        with self.assertRaises(AttributeError):
            widest.earliest_ns = 0  # type: ignore[misc]

    def test_the_repr_is_an_expression_for_the_interval(self) -> None:
        interval = Interval(-1, 2, Status.FREE_RUNNING, Reason.CHRONY_SILENT)
        self.assertEqual(
            repr(interval),
            "Interval(earliest_ns=-1, latest_ns=2, status=Status.FREE_RUNNING, "
            "reason=Reason.CHRONY_SILENT)",
        )
        names = {"Interval": Interval, "Status": Status, "Reason": Reason}
        self.assertEqual(eval(repr(interval), names), interval)
