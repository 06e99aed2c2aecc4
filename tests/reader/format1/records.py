"""The small objects (§10, §11)."""

from dataclasses import dataclass

from .base import require
from .cbor import cbor_decode
from .shapes import anything, array_of, bstr, bstr16, bstr32, get, integer, map_of, texts_by_text, time_of, tstr, uint


@dataclass
class Snapshot:
    id: bytes
    time: int
    host: str
    sources: list
    root: bytes
    tags: list
    totals: dict


TOTALS = {1: "files", 2: "directories", 3: "others", 4: "bytes", 5: "new_files", 6: "changed_files", 7: "new_blob_bytes",
          8: "stored_bytes", 9: "unreadable"}


def exclusion(value):
    """A rule by which something was left out: its kind, and what that kind needs."""
    kind = uint(array_of(anything)(value)[0])
    shape = {0: [tstr], 1: [bstr], 2: [uint], 3: [], 4: []}.get(kind)
    if shape is not None:
        require(len(value) == 1 + len(shape), "a rule of another length")
        for check, item in zip(shape, value[1:]):
            check(item)
    return kind


def parse_snapshot(snapshot_id, content):
    entries = cbor_decode(content)
    get(entries, 2, time_of)
    get(entries, 3, integer)
    get(entries, 5, tstr)
    get(entries, 9, bstr16)
    require(get(entries, 10, uint) >= 1, "sequence number below 1")
    get(entries, 11, bstr32, None)
    get(entries, 13, tstr)
    get(entries, 14, array_of(exclusion), [])
    get(entries, 15, bstr32)
    get(entries, 16, uint, 0)
    get(entries, 17, uint, 0)
    get(entries, 18, array_of(bstr32), [])
    get(entries, 19, uint, 0)
    get(entries, 20, array_of(bstr), [])
    get(entries, 21, array_of(anything), [])
    require(get(entries, 23, array_of(anything), [1]), "an origin without a kind")
    totals = get(entries, 12, map_of(anything), {})
    return Snapshot(
        id=snapshot_id, time=get(entries, 1, time_of), host=get(entries, 4, tstr), sources=get(entries, 6, array_of(bstr)),
        root=get(entries, 7, bstr32), tags=get(entries, 8, array_of(tstr), []),
        totals={name: uint(totals[key]) for key, name in TOTALS.items() if key in totals})


# Sessions, verdicts, heartbeats and generations belong to one destination. These functions return the destination that an
# object names, and what else of it matters.

def parse_destination(content):
    entries = cbor_decode(content)
    get(entries, 2, time_of)
    return get(entries, 1, bstr16)


def parse_session(content):
    entries = cbor_decode(content)
    get(entries, 1, uint)
    get(entries, 2, time_of)
    get(entries, 3, tstr)
    get(entries, 4, bstr16)
    get(entries, 5, tstr)
    get(entries, 6, tstr)
    return get(entries, 9, bstr16), None


def parse_verdict(content):
    """With the ids of the snapshots that the verdict commits."""
    entries = cbor_decode(content)
    commit = get(entries, 1, lambda value: uint(value, 1))
    ids = get(entries, 2, array_of(bstr32), [])
    get(entries, 3, time_of)
    get(entries, 4, tstr)
    return get(entries, 9, bstr16), ids if commit else []


def parse_heartbeat(number, content):
    """With the ids of the packs that were finished."""
    entries = cbor_decode(content)
    require(get(entries, 1, uint) == number, "has another number than its name")
    get(entries, 2, time_of)
    return get(entries, 9, bstr16), get(entries, 3, array_of(bstr32), [])


@dataclass
class Generation:
    """A generation of prune, or its end."""
    number: int
    packs: list   # ids of those that it condemns, or that its end keeps
    floor: int    # of a generation: all with lower numbers are void


def parse_generation(number, content):
    entries = cbor_decode(content)
    require(get(entries, 1, uint) == number >= 1, "has another number than its name")
    get(entries, 3, time_of)
    get(entries, 4, tstr)
    return get(entries, 9, bstr16), Generation(number, get(entries, 2, array_of(bstr32), []), get(entries, 5, uint, 0))


def condemned_by(generations, ends):
    """The packs that generations, by their names, condemn and their ends do not keep; those below the floor of the newest are void."""
    newest = max(generations.values(), key=lambda generation: generation.number, default=Generation(0, [], 0))
    kept = {name: set(end.packs) for name, end in ends.items()}
    return {pack for name, generation in generations.items() if generation.number >= newest.floor
            for pack in set(generation.packs) - kept.get(name + ".end", set())}


def parse_tombstone(snapshot_id, content):
    entries = cbor_decode(content)
    require(get(entries, 1, bstr32) == snapshot_id, "names another snapshot than its own name does")
    get(entries, 2, time_of)
    get(entries, 3, tstr)
    get(entries, 4, tstr)
    get(entries, 5, tstr)


def parse_tombstone_list(content):
    """Ids of the snapshots that the tombstones of a list name."""
    entries = cbor_decode(content)
    get(entries, 1, time_of)
    found = []
    for tombstone in get(entries, 2, array_of(bstr)):
        found.append(get(cbor_decode(tombstone), 1, bstr32))
        parse_tombstone(found[-1], tombstone)
    return found


def parse_tombstones(name, named, content):
    """Ids of the snapshots that an object of tombstones names (§11)."""
    if "." in name:
        return parse_tombstone_list(content)
    parse_tombstone(named, content)
    return [named]


def parse_annotation(snapshot_id, content):
    entries = cbor_decode(content)
    require(get(entries, 1, bstr32) == snapshot_id, "names another snapshot than its own name does")
    get(entries, 2, time_of)
    get(entries, 3, tstr)
    get(entries, 4, tstr)
    get(entries, 5, lambda value: uint(value, 1), 0)
    get(entries, 6, array_of(tstr), [])
    get(entries, 7, texts_by_text, {})
