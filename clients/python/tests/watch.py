"""Reads and prints the interval every millisecond, for the survival test in integration.

watch.py DIRECTORY
"""

import sys
import time

from clockbound import Client


def main() -> None:
    client = Client.open_when_ready(timeout=30, path=sys.argv[1])
    while True:
        before_ns, now, after_ns = time.time_ns(), client.now(), time.time_ns()
        print(
            before_ns, after_ns, now.earliest_ns, now.latest_ns, now.status, now.reason, flush=True
        )
        time.sleep(0.001)


if __name__ == "__main__":
    main()
