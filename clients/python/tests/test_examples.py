"""Runs the examples as programs."""

import subprocess
import sys
from pathlib import Path

from .segments import native
from .test_client import SegmentTestCase

EXAMPLES = Path(__file__).parent.parent / "examples"


class Examples(SegmentTestCase):
    def run_example(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(EXAMPLES / name), str(self.directory), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def test_intervals_prints_the_interval(self) -> None:
        self.publish(native(200_000))
        printed = self.run_example("intervals.py", "1")
        self.assertRegex(
            printed.stdout, r"^\d+ \.\. \d+  -\+ \d+ us  (synchronized|free_running), \w+\n$"
        )

    def test_commit_wait_exposes_the_timestamp_after_it_has_passed(self) -> None:
        self.publish(native(200_000))
        printed = self.run_example("commit_wait.py")
        # The package does not write to standard error.
        self.assertEqual(printed.stderr, "")
        self.assertRegex(
            printed.stdout,
            r"^written at \d+, exposed when true time was at least \d+\nwaited \d+ us\n$",
        )

    def test_intervals_without_a_segment_suggests_to_start_the_daemon(self) -> None:
        printed = self.run_example("intervals.py")
        self.assertEqual(printed.returncode, 1)
        self.assertRegex(
            printed.stderr, "^intervals: failed to open segment .*is clockbound running"
        )
