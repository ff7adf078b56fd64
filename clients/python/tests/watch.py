"""Reads and prints the interval every millisecond, for the survival test in integration.

watch.py DIRECTORY [busy]

With "busy" it reads for 3 s without a pause, and prints only "begin", and "end" with the number of
readings.
"""

import sys
import time

from clockbound import Client


def read_busily(client: Client) -> None:
    readings = 0
    # One system call each, also with PYTHONUNBUFFERED.
    sys.stdout.write("begin\n")
    sys.stdout.flush()
    until_ns = client.now().latest_ns + 3_000_000_000
    while not client.now().is_after(until_ns):
        readings += 1
    sys.stdout.write(f"end {readings}\n")
    sys.stdout.flush()


def main() -> None:
    client = Client.open_when_ready(timeout=30, path=sys.argv[1])
    if sys.argv[2:]:
        read_busily(client)
        return
    while True:
        before_ns, now, after_ns = time.time_ns(), client.now(), time.time_ns()
        print(
            before_ns, after_ns, now.earliest_ns, now.latest_ns, now.status, now.reason, flush=True
        )
        time.sleep(0.001)


if __name__ == "__main__":
    main()
