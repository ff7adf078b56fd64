"""Orders events on hosts that share nothing but the time: commit_wait.py [PATH]

A write gets a timestamp that is not in the past on any host. It is exposed when the timestamp is in
the past on every host.
"""

import sys

from clockbound import DEFAULT_DIRECTORY, Client, Error


def main() -> None:
    path = sys.argv[1] if len(sys.argv) > 1 else DEFAULT_DIRECTORY
    client = Client.open_when_ready(timeout=10, max_bound=0.1, path=path)
    timestamp_ns = client.now().latest_ns
    waited = client.timing(lambda: client.commit_wait(timestamp_ns))
    exposed = waited.value
    print(f"written at {timestamp_ns}, exposed when true time was at least {exposed.earliest_ns}")
    print(f"waited {(waited.ended.midpoint_ns - waited.began.midpoint_ns) // 1000} us")


if __name__ == "__main__":
    try:
        main()
    except Error as err:
        sys.exit(f"commit_wait: {err}")
