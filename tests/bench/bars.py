"""The bars of the design ("Speed"): what yore is to reach on the data sets as they are made here, in seconds, MiB and MB."""

import steps

SECONDS = {
    "sources": {steps.FIRST: 3.5, steps.WARM: 0.4, steps.CHANGED: 0.6, steps.RESTORE: 2.5, steps.FIND: 0.6, steps.TAR: 5.0},
    "large": {steps.FIRST: 2.2, steps.READ: 1.6},
    "small": {steps.FIRST: 6.0, steps.WARM: 1.2, steps.RESTORE: 8.0, steps.TAR: 12.0},
}
AGAIN = 1.3          # times what the file system takes for the same, warm, in the same run
COPY = 1.3           # times what restoring the same folder takes
PEAKS = {steps.FIRST: 200, steps.SERVING: 150}
SIZES = {"sources": 100, "small": 16}


def seconds(chosen, step, native, restored):
    """The bar of a step; nothing where there is none, as for data of one's own."""
    if not chosen.barred:
        return None
    if step == steps.TAR_AGAIN and native:
        return AGAIN * native
    if step == steps.COPY and restored:
        return COPY * restored
    return SECONDS[chosen.name].get(step)


def peak(chosen, step):
    """The bar of a peak of memory."""
    return PEAKS.get(step) if chosen.barred else None


def size(chosen):
    """The bar of the repository's size."""
    return SIZES.get(chosen.name) if chosen.barred else None
