"""The bars of the design ("Speed"): what yore is to reach, against its peers and against the file system itself in the same run."""

import steps

PEERS = 3.0          # how many times as long the fastest peer takes, in each step
# How many times as long as the file system itself a step may take. For a backup that is tar and zstd -3, for a restore cp -a and
# sync, for the drive the same command on the source.
FILE_SYSTEM = {steps.FIRST: 0.6, steps.RESTORE: 0.5, steps.FIND: 1.2, steps.TAR: 1.0, steps.TAR_AGAIN: 1.3, steps.COPY: 2.5,
               steps.READ: 2.0}
PEAKS = {steps.FIRST: 200, steps.SERVING: 150}       # MiB, on the design's data sets
SIZES = {"sources": 100, "small": 16}                # MB


def file_system(step):
    """The bar of a step, in times of the file system; None where there is none."""
    return FILE_SYSTEM.get(step)


def peak(chosen, step):
    """The bar of a peak of memory in MiB; None for data of one's own."""
    return PEAKS.get(step) if chosen.barred else None


def size(chosen):
    """The bar of the repository's size in MB; None for data of one's own."""
    return SIZES.get(chosen.name) if chosen.barred else None
