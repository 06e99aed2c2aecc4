"""Runs a command and reports its time and memory.

    measured.py SECONDS COMMAND...

Prints one line: exit code (124 after SECONDS), seconds, peak memory in MiB. The output of the command is discarded, but for
the end of its standard error.
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
