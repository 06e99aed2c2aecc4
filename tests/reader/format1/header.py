"""Headers (§3)."""

from dataclasses import dataclass

from .base import KIB, MAX_BLOB, MIB, Refused, require
from .cbor import cbor_decode
from .shapes import anything, array_of, bstr, bstr32, get, integer, map_of, tstr, uint


@dataclass
class Header:
    name: str
    body: bytes
    tag: bytes
    number: int
    generation: int   # of the master secret under which the tag is made
    id: bytes
    features: list    # that a program must know to read or write
    writing: list     # features that a writer must know
    small: int        # bytes of the largest file stored in its node


def parse_header(name, number, raw, known):
    """`known` are the features that the caller can deal with."""
    body, tag = array_of(bstr, 2)(cbor_decode(raw))
    fields = cbor_decode(body)
    if get(fields, 0, tstr) != "yore repository" or get(fields, 1, uint) != 1:
        raise Refused(f"{name}: not of a Yore repository of version 1")
    features = get(fields, 4, array_of(tstr))
    if "inbox" in features and "inbox" not in known:
        raise Refused(f"{name}: is that of an inbox: give the repository of its owner, and --inbox")
    if set(features) - known:
        raise Refused(f"{name}: needs features that this reader does not know: {', '.join(set(features) - known)}")
    require(get(fields, 7, uint, 0) == number, "has another number than its name")
    parameters = get(fields, 3, map_of(anything))
    smallest, average, largest, frame, pack, small = (get(parameters, key, uint) for key in range(1, 7))
    require(smallest <= average <= largest <= MAX_BLOB and average.bit_count() == 1, "sizes of chunks out of bounds")
    require(frame <= 8 * MIB and pack <= KIB * MIB and small <= 64 * KIB, "sizes of frames, packs or small files out of bounds")
    get(fields, 6, integer)
    return Header(name, body, tag, number, get(fields, 8, uint, 1), get(fields, 2, bstr32),
                  features, get(fields, 5, array_of(tstr)), small)
