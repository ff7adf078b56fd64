"""The examples, run as users run them."""

import subprocess
import sys
from pathlib import Path

from .segments import native
from .test_client import Published

EXAMPLES = Path(__file__).parent.parent / "examples"


class Examples(Published):
    def run_example(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(EXAMPLES / name), str(self.directory), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def test_intervals_prints_what_the_daemon_says(self) -> None:
        self.publish(native(200_000))
        printed = self.run_example("intervals.py", "1")
        self.assertRegex(printed.stdout, r"^\d+ \.\. \d+  -\+ \d+ us  (synchronized|free_running), \w+\n$")

    def test_commit_wait_shows_a_timestamp_when_it_has_passed(self) -> None:
        self.publish(native(200_000))
        printed = self.run_example("commit_wait.py")
        # Nor does the package say anything of its own.
        self.assertEqual(printed.stderr, "")
        self.assertRegex(printed.stdout, r"^written at \d+, shown when true time was at least \d+\nwaited \d+ us\n$")

    def test_without_a_daemon_they_say_what_to_do(self) -> None:
        printed = self.run_example("intervals.py")
        self.assertEqual(printed.returncode, 1)
        self.assertRegex(printed.stderr, "^intervals: segment .*is clockbound running")
