"""The machine that the measurements were made on."""

import os
import time

BUSY = "busy before"
SAMPLE_S = 3


def describe(work):
    """Returns (name, value) pairs of everything that a reader needs to compare."""
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
    """Parses the `name: value` lines of a file; of several with a name, the first."""
    found = {}
    with open(path) as file:
        for line in file:
            name, colon, value = line.partition(":")
            if colon:
                found.setdefault(name.strip(), value.strip())
    return found


def busy():
    """Measures how many cores other programs keep busy or waiting for a disk."""
    def times():
        with open("/proc/stat") as file:
            counters = list(map(int, file.readline().split()[1:9]))
        return sum(counters), counters[3]
    total, idle = times()
    time.sleep(SAMPLE_S)
    now, idle_now = times()
    return os.cpu_count() * (1 - (idle_now - idle) / max(1, now - total))


def processor():
    """Returns the processor's model, if the kernel knows it."""
    info = fields("/proc/cpuinfo")
    return info.get("model name") or info.get("Model") or os.uname().machine


def has_sha():
    """Returns true if the processor has instructions for SHA-256."""
    info = fields("/proc/cpuinfo")
    return bool({"sha_ni", "sha2"} & set((info.get("flags") or info.get("Features") or "").split()))


def system():
    """Returns the distribution's name."""
    try:
        with open("/etc/os-release") as file:
            info = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    except OSError:
        info = {}
    return info.get("PRETTY_NAME", "an unnamed distribution").strip('"')


def mounts():
    """Yields (mountpoint, type, device, options) of every mount, without accessing any of them."""
    with open("/proc/self/mountinfo") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            place, options = before.split()[4:6]
            kind, device = after.split()[:2]
            yield place.encode().decode("unicode_escape"), kind, device, options


def is_mounted(path):
    """Returns true for a mountpoint."""
    return any(place == path for place, *_ in mounts())


def mounted_below(path):
    """Lists the mountpoints at or below a folder."""
    return [place for place, *_ in mounts() if place == path or place.startswith(path + "/")]


def file_system(path):
    """Describes the file system that holds a folder: type, device and options."""
    real = os.path.realpath(path)
    holders = [mount for mount in mounts() if real == mount[0] or real.startswith(mount[0].rstrip("/") + "/")]
    _, kind, device, options = max(holders, key=lambda mount: len(mount[0]))
    return f"{kind} on {device} ({options})"
