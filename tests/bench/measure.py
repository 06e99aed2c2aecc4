"""Runs one program and measures it: wall time, processor time, peak memory.

Every program is the leader of a process group of its own and is ended, with its group, when its time is over or when the
benchmark ends. Nothing is ever looked up by name.
"""

import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

DROP_CACHES = "/proc/sys/vm/drop_caches"
LAUNCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launch.py")
GRACE_S = 5      # between asking a program to end and making it
STUCK_S = 10     # until a program that can't even be killed has its drive taken away


@dataclasses.dataclass
class Measured:
    """The measurements of one step. With `trouble` the step failed, and its times mean nothing."""

    wall: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0
    trouble: str = ""
    note: str = ""
    out: str = ""


class Programs:
    """The programs that run now, so that none outlives the benchmark."""

    def __init__(self, step_s):
        self.step_s = step_s
        self.running = {}

    def start(self, command, env, cwd=None, out=subprocess.DEVNULL, err=subprocess.DEVNULL, keep=()):
        """Starts a program in a group of its own."""
        child = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                 start_new_session=True, pass_fds=keep)
        self.running[child.pid] = child
        return child

    def ended(self, child):
        """Forgets a program that has been waited for."""
        self.running.pop(child.pid, None)

    def stop(self, child):
        """Ends a program by SIGTERM, then by SIGKILL. Returns when it has ended, or can't be ended at all."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if child.poll() is not None:
                break
            signal_group(child.pid, sign)
            try:
                child.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                continue
        self.ended(child)

    def stop_all(self):
        """Ends what is still running."""
        for child in list(self.running.values()):
            self.stop(child)

    def run(self, command, env, cwd=None, when_stuck=None):
        """Runs a program to its end, or to the time limit of a step. `when_stuck` frees one that can't be killed."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as report:
            launch = [sys.executable, "-IS", LAUNCH, str(report.fileno()), *command]
            child = self.start(launch, env, cwd, out, err, (report.fileno(),))
            over = threading.Event()
            limit = threading.Timer(self.step_s, end_late, (child.pid, over, when_stuck))
            limit.daemon = True
            limit.start()
            try:
                child.wait()
                self.ended(child)
            finally:
                limit.cancel()
            wrong = trouble(child.returncode, over.is_set(), self.step_s, err)
            wall, cpu, peak = map(float, (text(report) or "0 0 0").split())
            return Measured(wall, cpu, peak / 1024, wrong, "", text(out))


def end_late(pid, over, when_stuck):
    """Ends a step whose time is over, and everything that it started."""
    over.set()
    signal_group(pid, signal.SIGTERM)
    for seconds, act in ((GRACE_S, lambda: signal_group(pid, signal.SIGKILL)), (STUCK_S, when_stuck)):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not waits_or_runs(pid):
                return
            time.sleep(0.05)
        if act:
            act()


def waits_or_runs(pid):
    """Returns true while the process runs."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def signal_group(pid, sign):
    """Signals a process and everything that it started."""
    try:
        os.killpg(pid, sign)
    except (ProcessLookupError, PermissionError):
        pass


def trouble(code, late, step_s, err):
    """Returns the reason why a step does not count, in one line."""
    if late:
        return f"ended at {step_s:g} s"
    if code:
        lines = text(err).split("\n")
        return f"failed ({code}): {lines[-1].strip()[:200]}"
    return ""


def text(file):
    """Returns the end of a program's output."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 4096))
    return file.read().decode(errors="replace").strip()


def settle():
    """Lets earlier writes reach the disk, so that no step pays for the one before it."""
    os.sync()


def drop_caches():
    """Empties the kernel's caches. Returns whether it could."""
    settle()
    try:
        with open(DROP_CACHES, "w") as file:
            file.write("3")
    except OSError:
        return False
    return True


def peak_of(pid):
    """Returns the peak memory of a running process, in MiB."""
    try:
        with open(f"/proc/{pid}/status") as file:
            peaks = [line.split()[1] for line in file if line.startswith("VmHWM")]
    except OSError:
        peaks = []
    return int(peaks[0]) / 1024 if peaks else 0.0


def cpu_of(pid):
    """Returns the processor time of a running process, in seconds."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
