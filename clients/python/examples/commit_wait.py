"""Orders what happens on hosts that share nothing but the time: commit_wait.py [PATH]

A write gets a timestamp that cannot be in the past of any host, and is shown only when it is in the past of all.
"""

import sys

from clockbound import DEFAULT_DIRECTORY, Client, Error


def main() -> None:
    path = sys.argv[1] if len(sys.argv) > 1 else DEFAULT_DIRECTORY
    client = Client.open_when_ready(timeout=10, max_bound=0.1, path=path)
    timestamp_ns = client.now().latest_ns
    waited = client.timing(lambda: client.commit_wait(timestamp_ns))
    shown = waited.value
    print(f"written at {timestamp_ns}, shown when true time was at least {shown.earliest_ns}")
    print(f"waited {(waited.ended.midpoint_ns - waited.began.midpoint_ns) // 1000} us")


if __name__ == "__main__":
    try:
        main()
    except Error as err:
        sys.exit(f"commit_wait: {err}")
