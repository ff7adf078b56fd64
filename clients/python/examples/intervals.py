"""Prints the interval once a second: intervals.py [PATH [COUNT]]. Without COUNT it does not end."""

import itertools
import sys
import time

from clockbound import DEFAULT_DIRECTORY, Client, Error


def main() -> None:
    path = sys.argv[1] if len(sys.argv) > 1 else DEFAULT_DIRECTORY
    client = Client.open(path)
    for n in range(int(sys.argv[2])) if len(sys.argv) > 2 else itertools.count():
        if n > 0:
            time.sleep(1)
        now = client.now()
        print(
            f"{now.earliest_ns} .. {now.latest_ns}  -+ {now.bound_ns // 1000} us  "
            f"{now.status}, {now.reason}",
            flush=True,
        )


if __name__ == "__main__":
    try:
        main()
    except Error as err:
        sys.exit(f"intervals: {err}")
