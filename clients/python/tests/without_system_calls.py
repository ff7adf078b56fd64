"""Reads 1000 times where every system call kills the process, and sets the byte of OUT to 1.

without_system_calls.py OUT clock|following|keeping DIRECTORY
"""

import ctypes
import mmap
import struct
import sys
import time

from clockbound import Client

READS = 1000

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 38, 22
SECCOMP_MODE_FILTER = 2
# A filter of one instruction: BPF_RET with SECCOMP_RET_KILL_PROCESS.
KILL = struct.pack("=HBBI", 0x06, 0, 0, 0x8000_0000)


def forbid_system_calls() -> None:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    instructions = ctypes.create_string_buffer(KILL)
    fprog = ctypes.create_string_buffer(struct.pack("@HP", 1, ctypes.addressof(instructions)))
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(fprog), 0, 0):
        sys.exit(f"seccomp is not available: {ctypes.get_errno()}")


def main() -> None:
    _, out, what, directory = sys.argv
    client = Client(directory, follow=what == "following")
    with open(out, "r+b") as file:
        read = mmap.mmap(file.fileno(), 1)
    # Longer than the time after which a client looks at the path.
    time.sleep(0.1)
    forbid_system_calls()
    for _ in range(READS):
        if what == "clock":
            time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        else:
            client.now()
    read[0] = 1
    # Ends the process.
    time.sleep(0)


if __name__ == "__main__":
    main()
