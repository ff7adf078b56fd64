"""A client on segments that are created, replaced and deleted."""

import asyncio
import errno
import importlib.metadata
import pickle
import signal
import subprocess
import sys
import threading
import time
import unittest
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import clockbound
from clockbound import Client, Interval, Layout, Leap, Reason, Record, Status

from . import segments
from .segments import S, native, publish, raw_ns, v1, v2

HALF_NS = 200_000
DEADLINE_S = 20.0


class SegmentTestCase(unittest.TestCase):
    """A test with a directory for segments."""

    def setUp(self) -> None:
        # A subdirectory, which tests can remove.
        parent = TemporaryDirectory()
        self.addCleanup(parent.cleanup)
        self.directory = Path(parent.name) / "clockbound"

    def publish(self, segment: bytes, name: str = "native") -> None:
        publish(self.directory / name, segment)

    def publish_and_open(self, segment: bytes) -> Client:
        self.publish(segment)
        return Client.open(self.directory)

    def wait_until(self, what: str, condition: Callable[[], bool]) -> None:
        begun = time.monotonic()
        while not condition():
            self.assertLess(time.monotonic() - begun, DEADLINE_S, what)
            time.sleep(0.001)


class Disruption(SegmentTestCase):
    def test_another_marker_reads_as_disrupted(self) -> None:
        self.publish(native(HALF_NS, marker=7))
        page = self.directory / "vmclock"
        page.write_bytes(segments.vmclock_page(7))
        for client in (
            Client(self.directory, vmclock=page),
            Client.open(self.directory, follow=False, vmclock=str(page)),
            Client.open_when_ready(DEADLINE_S, path=self.directory, vmclock=page),
        ):
            self.assertEqual(client.now().status, Status.SYNCHRONIZED)
            record = client.record()
            self.assertTrue(record.disruption_supported and record.disruption_soon)
            self.assertFalse(record.disruption_imminent)
            self.assertEqual((record.disruption_marker, record.tai_offset_s), (7, 37))
            with page.open("r+b") as file:
                file.write(segments.vmclock_page(8))
            disrupted = client.now()
            self.assertEqual(disrupted.status, Status.DISRUPTED)
            self.assertEqual(disrupted.reason, Reason.DISRUPTED)
            with self.assertRaises(clockbound.UntrustedError):
                client.commit_wait(0)
            with page.open("r+b") as file:
                file.write(segments.vmclock_page(7))

    def test_a_record_that_requires_the_page_is_refused_without_one(self) -> None:
        self.publish(native(HALF_NS, marker=7))
        page = self.directory / "vmclock"
        with self.assertRaisesRegex(clockbound.VMClockError, "vmclock: No such file"):
            Client(self.directory, vmclock=page)
        with self.assertRaises(clockbound.NotReadyError) as raised:
            Client.open_when_ready(0.01, path=self.directory, vmclock=page)
        self.assertIsInstance(raised.exception.__cause__, clockbound.VMClockError)
        page.write_bytes(b"nonsense" * 512)
        with self.assertRaisesRegex(clockbound.VMClockError, "magic"):
            Client(self.directory, vmclock=page)
        self.publish(native(HALF_NS))
        client = Client(self.directory, vmclock=page)
        self.assertEqual(client.now().status, Status.SYNCHRONIZED)
        self.assertIsNone(client.record().disruption_marker)


class Simulation(SegmentTestCase):
    def publish_simulated(self) -> None:
        segment = bytearray(native(HALF_NS))
        segment[187] = 1
        self.publish(bytes(segment))

    def test_a_simulated_record_is_read_unless_it_is_refused(self) -> None:
        self.publish_simulated()
        client = Client(self.directory)
        self.assertTrue(client.now().status.is_trusted)
        self.assertTrue(client.record().is_simulated)
        for opened in (Client, Client.open):
            with self.assertRaisesRegex(clockbound.SimulatedError, "for a test; start the daemon"):
                opened(self.directory, refuse_simulated=True)
        with self.assertRaises(clockbound.NotReadyError) as raised:
            Client.open_when_ready(0.01, path=self.directory, refuse_simulated=True)
        self.assertIsInstance(raised.exception.__cause__, clockbound.SimulatedError)

    def test_a_record_of_a_daemon_is_not_refused(self) -> None:
        self.publish(native(HALF_NS))
        client = Client(self.directory, refuse_simulated=True)
        self.assertTrue(client.now().status.is_trusted)
        self.assertFalse(client.record().is_simulated)


class Explanation(SegmentTestCase):
    GOLDEN = Path(__file__).parents[2] / "conformance" / "diagnostics" / "published.bin"

    def test_the_diagnostics_are_explained_in_sentences(self) -> None:
        segment = bytearray(self.GOLDEN.read_bytes())
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        segment[16:32] = uuid.UUID(boot_id).bytes
        path = self.directory / "diagnostics"
        self.publish(bytes(segment), path.name)
        statements = clockbound.explain(path)
        self.assertGreater(len(statements), 1)
        self.assertTrue(all(statement.rstrip() for statement in statements))
        self.assertEqual(len(clockbound.explain(self.directory)), len(statements))

    def test_missing_diagnostics_and_those_of_an_earlier_boot_are_errors(self) -> None:
        path = self.directory / "diagnostics"
        with self.assertRaises(clockbound.OpenError) as raised:
            clockbound.explain(path)
        self.assertEqual(raised.exception.errno, errno.ENOENT)
        self.publish(self.GOLDEN.read_bytes(), path.name)
        with self.assertRaises(clockbound.EarlierBootError):
            clockbound.explain(self.directory)


class Opening(SegmentTestCase):
    def test_open_prefers_native_to_v2_and_v2_to_v1_in_a_directory(self) -> None:
        for segment, name, half_ns in [
            (v1, "shm", 1_000_000),
            (v2, "shm0", 3_000_000),
            (native, "native", 5_000_000),
        ]:
            self.publish(segment(half_ns), name)
            for path in (self.directory, self.directory / name, str(self.directory)):
                interval = Client.open(path).now()
                self.assertEqual(interval.status, Status.SYNCHRONIZED)
                self.assertIn(interval.bound_ns, range(half_ns, half_ns + 1_000_000))

    def test_open_without_a_segment_suggests_to_start_the_daemon(self) -> None:
        for path in (self.directory, self.directory / "shm", Path("/proc")):
            with self.assertRaisesRegex(clockbound.OpenError, "is clockbound running"):
                Client.open(path)

    def test_an_open_error_is_an_os_error(self) -> None:
        self.publish(b"not a segment" * 10)
        missing = self.directory.parent / "missing"
        for path, number, text in [
            (missing, errno.ENOENT, "No such file or directory"),
            (self.directory / "native", None, "magic"),
        ]:
            with self.assertRaises(OSError) as raised:
                Client.open(path)
            for err in (raised.exception, pickle.loads(pickle.dumps(raised.exception))):
                self.assertIsInstance(err, clockbound.OpenError)
                self.assertIsInstance(err, clockbound.Error)
                self.assertEqual((err.errno, err.filename), (number, str(path)))
                self.assertRegex(str(err.strerror), text)
                self.assertEqual(str(err), str(raised.exception))
        self.assertEqual(str(clockbound.OpenError(2, "missing", "x")), "[Errno 2] missing: 'x'")

    def test_the_version_is_that_of_the_distribution(self) -> None:
        self.assertEqual(clockbound.__version__, importlib.metadata.version("clockbound-client"))

    def test_a_segment_of_an_earlier_boot_is_refused(self) -> None:
        segment = bytearray(native(HALF_NS))
        segment[16] ^= 1
        self.publish(bytes(segment))
        with self.assertRaisesRegex(
            clockbound.EarlierBootError, "earlier boot; is clockbound running"
        ):
            Client.open(self.directory)

    def test_open_when_ready_waits_for_a_trusted_and_narrow_interval(self) -> None:
        with self.assertRaisesRegex(clockbound.NotReadyError, "is clockbound running") as missing:
            Client.open_when_ready(0.02, path=self.directory)
        self.assertIsInstance(missing.exception.__cause__, clockbound.OpenError)
        with ThreadPoolExecutor() as pool:
            ready = pool.submit(
                Client.open_when_ready, DEADLINE_S, timedelta(milliseconds=1), self.directory
            )
            for segment in (native(HALF_NS, segments.UNKNOWN), native(50_000_000)):
                self.publish(segment)
                # Longer than the time between two checks for signals.
                time.sleep(0.15)
                self.assertFalse(ready.done())
            self.publish(native(HALF_NS))
            self.assertLess(ready.result().now().bound, timedelta(milliseconds=1))
        self.publish(native(50_000_000))
        with self.assertRaisesRegex(clockbound.NotReadyError, "exceeds 1ms") as wide:
            Client.open_when_ready(0, max_bound=0.001, path=self.directory)
        self.assertIsInstance(wide.exception.__cause__, clockbound.TooWideError)

    def test_an_invalid_timeout_is_refused(self) -> None:
        for timeout in (-1, float("nan"), timedelta(seconds=-1)):
            with self.assertRaises(ValueError):
                Client.open_when_ready(timeout, path=self.directory)
        with self.assertRaises(TypeError):
            Client.open_when_ready("1", path=self.directory)  # type: ignore[arg-type]


class FollowingFiles(SegmentTestCase):
    def test_a_client_follows_replaced_files_in_all_threads(self) -> None:
        client = self.publish_and_open(native(HALF_NS))
        done = threading.Event()

        def watch() -> int:
            count = 0
            while not done.is_set():
                before, now, after = time.time_ns(), client.now(), time.time_ns()
                self.assertTrue(
                    now.earliest_ns <= after and before <= now.latest_ns, (before, now, after)
                )
                count += 1
            return count

        with ThreadPoolExecutor() as pool:
            watchers = [pool.submit(watch) for _ in range(2)]
            try:
                for half_ns in (3_000_000, 4_000_000, 5_000_000):
                    rmtree(self.directory)
                    self.publish(native(half_ns))
                    expected = range(half_ns, half_ns + 1_000_000)
                    self.wait_until(
                        "the client reads the new file", lambda: client.now().bound_ns in expected
                    )
            finally:
                done.set()
        for watcher in watchers:
            self.assertGreater(watcher.result(), 0)

    def test_the_interval_grows_after_the_segment_is_deleted(self) -> None:
        client = self.publish_and_open(native(HALF_NS))
        rmtree(self.directory)
        first = client.now()
        self.wait_until("the interval grows", lambda: client.now().bound_ns > first.bound_ns)

    def test_an_invalid_record_is_an_error(self) -> None:
        client = self.publish_and_open(native(HALF_NS))
        with open(self.directory / "native", "r+b") as segment:
            # Changes the sequence, and sets the undefined status 7.
            segment.seek(120)
            segment.write(b"\x07")
            segment.seek(64)
            segment.write(b"\x04")
        with self.assertRaisesRegex(clockbound.ReadError, "restart the daemon"):
            client.now()


class NotFollowing(SegmentTestCase):
    def test_a_client_that_does_not_follow_keeps_the_file_that_it_opened(self) -> None:
        self.publish(native(HALF_NS))
        following = Client(self.directory)
        keeping = [
            Client(self.directory, follow=False),
            Client.open(self.directory, follow=False),
            Client.open_when_ready(DEADLINE_S, path=self.directory, follow=False),
        ]
        self.publish(native(50_000_000))
        self.wait_until("the new file is read", lambda: following.now().bound_ns >= 50_000_000)
        for client in keeping:
            self.assertLess(client.now().bound_ns, 50_000_000)

    def test_a_client_that_does_not_follow_makes_no_system_call(self) -> None:
        # A record whose successor is overdue, so that a client that follows looks at the path.
        self.publish(native(HALF_NS, publication_interval_us=1))
        if not self.reads_without_system_calls("clock"):
            self.skipTest("clock_gettime is a system call here")
        self.assertTrue(self.reads_without_system_calls("keeping"))
        self.assertFalse(self.reads_without_system_calls("following"))

    def reads_without_system_calls(self, what: str) -> bool:
        out = self.directory / "out"
        out.write_bytes(b"\0")
        program = [sys.executable, "-m", "tests.without_system_calls", str(out), what]
        ended = subprocess.run(
            [*program, str(self.directory)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=Path(__file__).parents[1],
        )
        if ended.returncode != -signal.SIGSYS:
            self.assertRegex(ended.stderr, "^seccomp is not available")
            self.skipTest(ended.stderr.strip())
        return out.read_bytes() == b"\1"


class Waiting(SegmentTestCase):
    def test_commit_wait_returns_after_the_time_has_certainly_passed(self) -> None:
        client = self.publish_and_open(native(HALF_NS))
        t_ns = client.now().latest_ns
        interval = client.commit_wait(t_ns)
        self.assertTrue(interval.is_after(t_ns))
        self.assertGreater(time.time_ns(), t_ns)
        long_ago = datetime(1970, 1, 1, tzinfo=UTC)
        self.assertTrue(client.commit_wait(long_ago).is_after(long_ago))
        # Longer than the time between two checks for signals.
        later = datetime.now(UTC) + timedelta(milliseconds=250)
        self.assertTrue(client.commit_wait(later).is_after(later))

    def test_other_threads_run_during_commit_wait(self) -> None:
        client = self.publish_and_open(native(HALF_NS))

        def other_ran_meanwhile() -> bool:
            with ThreadPoolExecutor() as pool:
                waiting = threading.Event()
                other = pool.submit(lambda: waiting.wait() and client.now())
                t_ns = client.now().latest_ns + 50_000_000
                waiting.set()
                client.commit_wait(t_ns)
                seen = other.result()
            return isinstance(seen, Interval) and not seen.is_after(t_ns)

        # Repeated, because the machine can be busy.
        self.wait_until("another thread runs", other_ran_meanwhile)

    def test_commit_wait_and_open_when_ready_can_be_interrupted(self) -> None:
        client = self.publish_and_open(native(HALF_NS))
        in_an_hour = client.now().latest_ns + 3600 * S
        # A shell starts background jobs with SIGINT ignored.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        for wait in (
            lambda: client.commit_wait(in_an_hour),
            lambda: Client.open_when_ready(3600, path=self.directory / "nothing"),
        ):
            timer = threading.Timer(0.02, _interrupt_main)
            timer.start()
            with self.assertRaises(KeyboardInterrupt):
                wait()
            timer.join()

    def test_commit_wait_fails_if_the_status_is_not_trusted(self) -> None:
        client = self.publish_and_open(native(HALF_NS, segments.UNKNOWN, reason=4))
        for wait in waits(client, 0):
            with self.assertRaisesRegex(
                clockbound.UntrustedError, "the clock status is unknown, chrony_silent"
            ) as raised:
                wait()
            for err in (raised.exception, pickle.loads(pickle.dumps(raised.exception))):
                self.assertEqual((err.status, err.reason), (Status.UNKNOWN, Reason.CHRONY_SILENT))

    def test_commit_wait_fails_when_the_status_becomes_unknown(self) -> None:
        for wait in range(2):
            client = self.publish_and_open(native(HALF_NS))
            in_an_hour = client.now().latest_ns + 3600 * S
            with ThreadPoolExecutor() as pool:
                waiting = pool.submit(waits(client, in_an_hour)[wait])
                time.sleep(0.01)
                self.publish(native(HALF_NS, segments.UNKNOWN))
                with self.assertRaises(clockbound.UntrustedError):
                    waiting.result(DEADLINE_S)

    def test_commit_wait_ends_at_the_timeout(self) -> None:
        client = self.publish_and_open(native(HALF_NS))
        in_an_hour = client.now().latest_ns + 3600 * S
        for t in (in_an_hour, 2**63 - 1, 2**63, 10**30, datetime.max.replace(tzinfo=UTC)):
            for timeout in (0, 0.001, timedelta(milliseconds=150)):
                for wait in waits(client, t, timeout):
                    with self.assertRaises(TimeoutError) as raised:
                        wait()
                    self.assertIsInstance(raised.exception, clockbound.TimedOutError)
        for wait in waits(client, 0, 0):
            self.assertTrue(wait().is_after(0))
        with self.assertRaises(ValueError):
            client.commit_wait(0, -1)
        with self.assertRaises(ValueError):
            _ = client.commit_wait_async(0, timedelta(seconds=-1))


class WaitingInAnEventLoop(SegmentTestCase):
    def test_other_tasks_run_during_commit_wait_async(self) -> None:
        client = self.publish_and_open(native(HALF_NS))

        async def tasks_run_meanwhile() -> bool:
            t_ns = client.now().latest_ns + 50_000_000
            waiting = asyncio.create_task(client.commit_wait_async(t_ns))
            before = await asyncio.to_thread(client.now)
            interval = await waiting
            self.assertTrue(interval.is_after(t_ns))
            return not before.is_after(t_ns)

        # Repeated, because the machine can be busy.
        self.wait_until("another task runs", lambda: asyncio.run(tasks_run_meanwhile()))

    def test_commit_wait_async_can_be_cancelled(self) -> None:
        client = self.publish_and_open(native(HALF_NS))
        in_an_hour = client.now().latest_ns + 3600 * S

        async def cancel() -> None:
            waiting = asyncio.create_task(client.commit_wait_async(in_an_hour))
            await asyncio.sleep(0.01)
            waiting.cancel()
            await waiting

        with self.assertRaises(asyncio.CancelledError):
            asyncio.run(cancel())
        with self.assertRaises(TimeoutError) as raised:
            asyncio.run(asyncio.wait_for(client.commit_wait_async(in_an_hour), 0.01))
        self.assertNotIsInstance(raised.exception, clockbound.Error)


class Instants(SegmentTestCase):
    def test_timing_reads_the_interval_before_and_after_the_call(self) -> None:
        client = self.publish_and_open(native(1_000))

        def seven() -> int:
            time.sleep(0.005)
            return 7

        timed = client.timing(seven)
        self.assertEqual(timed.value, 7)
        self.assertLess(timed.began, timed.ended)
        with self.assertRaises(ZeroDivisionError):
            client.timing(lambda: 1 / 0)

    def test_interval_at_covers_the_validity_of_the_record(self) -> None:
        client = self.publish_and_open(native(HALF_NS))
        raw, then_ns = raw_ns(), time.time_ns()
        past = client.interval_at(raw - 10 * S)
        self.assertTrue(past.earliest_ns <= then_ns - 10 * S <= past.latest_ns)
        self.assertGreater(past.bound, client.interval_at(raw).bound)
        self.assertIs(client.interval_at(raw + 6 * S).status, Status.FREE_RUNNING)
        self.assertIs(client.interval_at(raw + 1001 * S).status, Status.UNKNOWN)

    def test_an_instant_before_the_record_became_valid_is_not_known(self) -> None:
        client = self.publish_and_open(native(HALF_NS))
        valid_since_ns = client.record().valid_since_ns
        assert valid_since_ns is not None
        self.assertTrue(client.interval_at(valid_since_ns).status.is_trusted)
        for raw in (valid_since_ns - 1, raw_ns() - 1001 * S, -(2**63)):
            with self.assertRaises(clockbound.NotKnownError):
                client.interval_at(raw)

    def test_interval_at_realtime_contains_the_instant_of_the_stamp(self) -> None:
        client = self.publish_and_open(native(HALF_NS))
        stamp_ns = time.time_ns() - 10 * S
        interval = client.interval_at_realtime(stamp_ns)
        self.assertTrue(interval.earliest_ns <= stamp_ns <= interval.latest_ns)
        self.assertTrue(interval.status.is_trusted)
        stamp = datetime.fromtimestamp(stamp_ns // S, UTC)
        interval = client.interval_at_realtime(stamp)
        self.assertTrue(interval.earliest <= stamp <= interval.latest)

    def test_a_stamp_in_the_future_or_before_the_record_became_valid_is_not_known(self) -> None:
        client = self.publish_and_open(native(HALF_NS))
        now_ns = time.time_ns()
        for stamp_ns in (now_ns + 3600 * S, now_ns - segments.VALID_FOR_NS - S, -(2**63), 10**30):
            with self.assertRaises(clockbound.NotKnownError):
                client.interval_at_realtime(stamp_ns)

    def test_only_the_native_layout_has_other_instants_than_the_present(self) -> None:
        for segment in (v1(HALF_NS), v2(HALF_NS)):
            client = self.publish_and_open(segment)
            for read in (client.interval_at, client.interval_at_realtime):
                with self.assertRaisesRegex(
                    clockbound.NotNativeError, "configure the daemon to publish it"
                ):
                    read(raw_ns())


class Records(SegmentTestCase):
    def test_the_record_has_the_details_of_the_segment(self) -> None:
        before_ns = raw_ns()
        record = self.publish_and_open(native(HALF_NS, segments.FREE_RUNNING, reason=4)).record()
        after_ns = raw_ns()
        self.assertTrue(before_ns <= record.as_of_ns <= record.as_of_ns + record.age_ns <= after_ns)
        self.assertEqual(
            record,
            Record(
                layout=Layout.NATIVE,
                as_of_ns=record.as_of_ns,
                age_ns=record.age_ns,
                status=Status.FREE_RUNNING,
                reason=Reason.CHRONY_SILENT,
                leap=Leap.INSERT_SECOND,
                source=segments.SOURCE,
                valid_since_ns=record.as_of_ns - segments.VALID_FOR_NS,
                publication_interval_ns=50_000_000,
            ),
        )
        self.assertEqual(pickle.loads(pickle.dumps(record)), record)

    def test_the_record_of_another_layout_has_no_native_details(self) -> None:
        for segment, layout in ((v1(HALF_NS), Layout.V1), (v2(HALF_NS), Layout.V2)):
            record = self.publish_and_open(segment).record()
            self.assertEqual((record.layout, record.status), (layout, Status.SYNCHRONIZED))
            self.assertEqual(
                (record.reason, record.leap, record.source, record.valid_since_ns),
                (Reason.UNTOLD, None, None, None),
            )


def waits(
    client: Client, t: int | datetime, timeout: float | timedelta | None = None
) -> tuple[Callable[[], Interval], Callable[[], Interval]]:
    """Returns both waits for `t`."""
    return (
        lambda: client.commit_wait(t, timeout),
        lambda: asyncio.run(client.commit_wait_async(t, timeout)),
    )


def _interrupt_main() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
