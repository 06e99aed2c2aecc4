"""CBOR, RFC 8949: unsigned and negative integers, byte and text strings, arrays and maps, in deterministic form only."""

from .base import Damaged, MAX_NESTING, require


class TextMap(dict):
    """A map whose keys are texts: labels (§10) are the only one."""


def cbor_decode(data):
    value, end = cbor_item(data, 0, 0)
    require(end == len(data), "CBOR: trailing bytes")
    return value


def cbor_head(data, at):
    """The major type and the argument of the item at `at`, and where its head ends."""
    require(at < len(data), "CBOR: cut short")
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if info < 24:
        return major, info, at
    require(info < 28, "CBOR: indefinite length or reserved value")
    width = 1 << (info - 24)
    require(at + width <= len(data), "CBOR: cut short")
    argument = int.from_bytes(data[at:at + width], "big")
    smallest = 24 if width == 1 else 1 << (width * 4)  # what would not fit half the width
    require(argument >= smallest, "CBOR: integer not in its shortest form")
    return major, argument, at + width


def cbor_item(data, at, depth):
    """The item at `at` and where it ends; `depth` containers are around it."""
    require(at < len(data), "CBOR: cut short")
    require(data[at] >> 5 <= 5, "CBOR: tag, float or simple value")
    major, argument, at = cbor_head(data, at)
    if major == 0:
        return argument, at
    if major == 1:
        return -1 - argument, at
    require(argument <= len(data) - at, "CBOR: cut short")  # each element of an array or map takes a byte at least
    if major in (2, 3):
        raw = bytes(data[at:at + argument])
        at += argument
        if major == 2:
            return raw, at
        try:
            return raw.decode("utf-8"), at
        except UnicodeDecodeError:
            raise Damaged("CBOR: text is not UTF-8") from None
    require(depth < MAX_NESTING, "CBOR: nested too deeply")
    if major == 4:
        items = []
        for _ in range(argument):
            item, at = cbor_item(data, at, depth + 1)
            items.append(item)
        return items, at
    texts = argument > 0 and at < len(data) and data[at] >> 5 == 3
    entries, last = TextMap() if texts else {}, b""
    for _ in range(argument):
        start = at
        key, at = cbor_item(data, at, depth + 1)
        require(type(key) is str if texts else type(key) is int and key >= 0, "CBOR: map key of a type that is not allowed")
        encoded = bytes(data[start:at])
        require(encoded > last, "CBOR: map keys not in ascending order")
        last = encoded
        entries[key], at = cbor_item(data, at, depth + 1)
    return entries, at


def cbor_bstr(data):
    """A byte string in its deterministic form."""
    length = len(data)
    if length < 24:
        return bytes([0x40 | length]) + data
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if length < 1 << (width * 8):
            return bytes([0x40 | info]) + length.to_bytes(width, "big") + data
    raise AssertionError("longer than any string")
