"""Runs the examples with the segments that `clockboundctl simulate` publishes by a script.

The variable CLOCKBOUNDCTL contains the path of the program.
"""

import os
import subprocess
import sys
import time
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from clockbound import Client, Reason, Status, UntrustedError

EXAMPLES = Path(__file__).parent.parent / "examples"
PROGRAM = os.environ.get("CLOCKBOUNDCTL")
DEADLINE_S = 30.0


@unittest.skipUnless(PROGRAM, "CLOCKBOUNDCTL does not contain the path of clockboundctl")
class Simulate(unittest.TestCase):
    def setUp(self) -> None:
        parent = TemporaryDirectory()
        self.addCleanup(parent.cleanup)
        self.parent = Path(parent.name)
        self.directory = self.parent / "simulated"

    def simulate(self, script: str) -> None:
        """Publishes a script until the test ends."""
        path = self.parent / "script"
        path.write_text(script)
        assert PROGRAM is not None
        process = subprocess.Popen(
            [PROGRAM, "simulate", str(path), "--to", str(self.directory)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.__exit__, None, None, None)
        self.addCleanup(process.terminate)
        assert process.stdout is not None
        self.assertEqual(process.stdout.readline(), "ready\n")

    def run_example(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(EXAMPLES / name), str(self.directory), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def test_commit_wait_starts_when_the_time_is_known_and_narrow(self) -> None:
        # The example accepts bounds of up to 100 ms.
        self.simulate(
            "status unknown\n"
            "wait 1s\n"
            "status synchronized bound 5s\n"
            "ramp 2s bound ..50ms\n"
            "wait forever\n"
        )
        begun = time.monotonic()
        printed = self.run_example("commit_wait.py")
        self.assertEqual(printed.stderr, "")
        self.assertRegex(
            printed.stdout, r"^written at \d+, exposed when true time was at least \d+\nwaited \d+"
        )
        self.assertLess(time.monotonic() - begun, DEADLINE_S)

    def test_a_commit_wait_ends_with_an_error_when_the_time_is_lost(self) -> None:
        self.simulate(
            "status synchronized bound 10s\n"
            "wait 2s\n"
            "status unknown reason bound_over_cap\n"
            "wait forever\n"
        )
        client = Client.open(self.directory)
        with self.assertRaises(UntrustedError):
            client.commit_wait(client.now().latest_ns)
        now = client.now()
        self.assertEqual((now.status, now.reason), (Status.UNKNOWN, Reason.BOUND_OVER_CAP))

    def test_intervals_prints_a_simulated_holdover(self) -> None:
        self.simulate("status free_running reason chrony_silent bound 20ms\nwait forever")
        printed = self.run_example("intervals.py", "1")
        self.assertRegex(printed.stdout, r"-\+ 2\d{4} us  free_running, chrony_silent\n$")
