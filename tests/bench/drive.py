"""A tool's drive, mounted for a session and unmounted in any case."""

import contextlib
import subprocess
import time

import machine
import measure

READY_S = 60
BUSY_S = 5
CHECK_S = 20


class Drive:
    """A mounted drive and the program that serves it."""

    def __init__(self, programs, tool):
        self.programs, self.tool = programs, tool
        self.child = None
        self.ready = measure.Measured()

    def run(self, command):
        """Runs a step on the drive. The processor time of the serving program counts as the step's."""
        before = measure.cpu_of(self.child.pid)
        took = self.programs.run(command, self.tool.env(), when_stuck=lambda: measure.signal_group(self.child.pid, 9))
        took.cpu += max(0.0, measure.cpu_of(self.child.pid) - before)
        return took

    def peak(self):
        """The peak memory of the serving program."""
        return measure.peak_of(self.child.pid)


@contextlib.contextmanager
def mounted(programs, tool):
    """Mounts a tool's drive and waits until it shows the source."""
    drive = Drive(programs, tool)
    try:
        begin = time.monotonic()
        drive.child = programs.start(tool.mount(), tool.env())
        drive.ready.trouble = wait_until_ready(programs, drive, begin)
        drive.ready.wall = time.monotonic() - begin
        drive.ready.cpu, drive.ready.peak = measure.cpu_of(drive.child.pid), drive.peak()
        yield drive
    finally:
        unmount(programs, drive)


def wait_until_ready(programs, drive, begin):
    """Waits until the root answers a stat; checks from another process, as a stat on a dead drive may never return."""
    while True:
        if drive.child.poll() is not None:
            return f"the mount ended with {drive.child.returncode}"
        if time.monotonic() - begin > min(READY_S, programs.step_s):
            return f"no drive after {READY_S} s"
        if machine.is_mounted(drive.tool.drive):
            check = programs.start(["test", "-d", drive.tool.root() + "/."], drive.tool.env())
            with contextlib.suppress(subprocess.TimeoutExpired):
                check.wait(CHECK_S)
            programs.stop(check)
            if check.returncode == 0:
                return ""
        time.sleep(0.005)


def unmount(programs, drive):
    """Unmounts the drive, lazily once it has been busy for too long; then ends the program that served it."""
    place = drive.tool.drive
    until = time.monotonic() + BUSY_S
    while machine.is_mounted(place) and time.monotonic() < until:
        if quietly("fusermount3", "-u", place):
            time.sleep(0.1)
    if machine.is_mounted(place) and quietly("fusermount3", "-uz", place):
        quietly("umount", "-l", place)
    if drive.child:
        with contextlib.suppress(subprocess.TimeoutExpired):
            drive.child.wait(BUSY_S * 2)
        programs.stop(drive.child)
    if machine.is_mounted(place):
        quietly("umount", "-l", place)


def quietly(*command):
    """Runs a helper. Returns its exit code."""
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode
    return 127
