"""Waits in the event loop of asyncio."""

import asyncio

from . import _native
from .errors import TimedOutError

_S = 1_000_000_000

# The longest sleep between two readings of the interval.
_STEP_S = 0.1


async def commit_wait(client: "_native.Client", t_ns: int, timeout_s: float) -> "_native.Interval":
    """Waits until `t_ns` has certainly passed. Implements `Client.commit_wait_async`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        try:
            return client.commit_wait(t_ns, timeout=0)
        except TimedOutError:
            left_s = deadline - loop.time()
            if left_s <= 0:
                raise
        needed_s = (t_ns - client.now().earliest_ns) / _S
        await asyncio.sleep(max(0, min(needed_s, left_s, _STEP_S)))
