"""Starts one program, waits for it and reports its time and memory. It is small, since Linux reports a peak memory of at least that of
the process that started the program, and the benchmark has the names of all files in memory.

    launch.py REPORT_FD PROGRAM [ARGUMENT ...]          writes: wall seconds, processor seconds, peak in KiB
"""

import os
import signal
import sys
import time


def main():
    report = int(sys.argv[1])
    os.set_inheritable(report, False)
    signal.signal(signal.SIGTERM, lambda *_: None)      # the program ends of it, and is waited for; a handler is not inherited
    begin = time.monotonic()
    try:
        child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error.strerror}")
    _, status, usage = os.wait4(child, 0)
    wall = time.monotonic() - begin
    os.write(report, f"{wall} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}".encode())
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


main()
