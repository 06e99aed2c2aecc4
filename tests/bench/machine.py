"""What the measurements were made on."""

import os
import time

BUSY = "busy before"
LOOK_S = 3


def describe(work):
    """(name, value) of everything that a reader needs to compare."""
    cores = sorted(os.sched_getaffinity(0))
    return [
        ("cores", f"{len(cores)} used (of {os.cpu_count()}; numbers {', '.join(map(str, cores))})"),
        ("processor", f"{processor()}, {'with' if has_sha() else 'without'} SHA instructions"),
        ("memory", f"{int(fields('/proc/meminfo')['MemTotal'].split()[0]) / (1 << 20):.1f} GiB"),
        ("system", f"{system()}, Linux {os.uname().release}"),
        ("file system", file_system(work)),
        (BUSY, f"{busy():.2f} cores"),
    ]


def fields(path):
    """The `name: value` lines of a file; of several with a name, the first."""
    found = {}
    with open(path) as file:
        for line in file:
            name, colon, value = line.partition(":")
            if colon:
                found.setdefault(name.strip(), value.strip())
    return found


def busy():
    """How many cores other programs keep busy, or waiting for a disk, while nothing is measured."""
    def look():
        with open("/proc/stat") as file:
            times = list(map(int, file.readline().split()[1:9]))
        return sum(times), times[3]
    total, idle = look()
    time.sleep(LOOK_S)
    now, idle_now = look()
    return os.cpu_count() * (1 - (idle_now - idle) / max(1, now - total))


def processor():
    """The processor's model, as far as the kernel tells it."""
    told = fields("/proc/cpuinfo")
    return told.get("model name") or told.get("Model") or os.uname().machine


def has_sha():
    """Whether the processor computes SHA-256 in instructions of its own."""
    told = fields("/proc/cpuinfo")
    return bool({"sha_ni", "sha2"} & set((told.get("flags") or told.get("Features") or "").split()))


def system():
    """The distribution's name."""
    try:
        with open("/etc/os-release") as file:
            told = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    except OSError:
        told = {}
    return told.get("PRETTY_NAME", "an unnamed distribution").strip('"')


def mounts():
    """(mountpoint, type, device, options) of everything mounted, read without touching any of it."""
    with open("/proc/self/mountinfo") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            place, options = before.split()[4:6]
            kind, device = after.split()[:2]
            yield place.encode().decode("unicode_escape"), kind, device, options


def is_mounted(path):
    """Whether something is mounted right there."""
    return any(place == path for place, *_ in mounts())


def mounted_below(path):
    """What is mounted at or below a folder."""
    return [place for place, *_ in mounts() if place == path or place.startswith(path + "/")]


def file_system(path):
    """The type, the device and the options of the file system that holds a folder."""
    real = os.path.realpath(path)
    holders = [mount for mount in mounts() if real == mount[0] or real.startswith(mount[0].rstrip("/") + "/")]
    _, kind, device, options = max(holders, key=lambda mount: len(mount[0]))
    return f"{kind} on {device} ({options})"
