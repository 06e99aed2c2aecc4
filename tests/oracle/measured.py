"""Runs a command and tells what it took.

    measured.py SECONDS COMMAND...

Prints one line: exit code (124 when SECONDS were over), seconds, peak memory in MiB. What the command prints is thrown away, but for
the end of what it complains of.
"""

import resource
import subprocess
import sys
import time

began = time.monotonic()
with subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
    try:
        _, complaints = child.communicate(timeout=float(sys.argv[1]))
        code = child.returncode
    except subprocess.TimeoutExpired:
        child.kill()
        _, complaints = child.communicate()
        code = 124
took = time.monotonic() - began
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print(code, f"{took:.1f}", peak)
sys.stderr.buffer.write(complaints[-2000:])
