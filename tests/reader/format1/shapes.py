"""Typed access to decoded CBOR. A shape is a function that returns its argument, checked."""

from .base import Damaged, require
from .cbor import TextMap


def uint(value, most=(1 << 64) - 1):
    require(type(value) is int and 0 <= value <= most, f"{value!r:.80} is not an unsigned integer in range")
    return value


def integer(value):
    require(type(value) is int and -(1 << 63) <= value < 1 << 63, f"{value!r:.80} is not an integer of 64 bits")
    return value


def bstr(value):
    require(type(value) is bytes, f"{value!r:.80} is not a byte string")
    return value


def bstr32(value):
    require(len(bstr(value)) == 32, "byte string is not 32 bytes long")
    return value


def bstr16(value):
    require(len(bstr(value)) == 16, "byte string is not 16 bytes long")
    return value


def tstr(value):
    require(type(value) is str, f"{value!r:.80} is not a text")
    return value


def array_of(shape, count=None):
    def check(value):
        require(type(value) is list, "not an array")
        require(count is None or len(value) == count, f"array has not {count} elements")
        return [shape(item) for item in value]
    return check


def map_of(shape):
    def check(value):
        require(type(value) is dict, "not a map")
        return {key: shape(item) for key, item in value.items()}
    return check


def texts_by_text(value):
    require(type(value) is TextMap or value == {}, "not a map of texts")
    return {key: tstr(item) for key, item in value.items()}


def anything(value):
    return value


def ids_of(value):
    """Ids written one after the other."""
    require(len(bstr(value)) % 32 == 0, "ids are not 32 bytes each")
    return [value[at:at + 32] for at in range(0, len(value), 32)]


REQUIRED = object()


def get(entries, key, shape, absent=REQUIRED):
    require(type(entries) is dict, "not a map")
    if key not in entries:
        require(absent is not REQUIRED, f"key {key} is missing")
        return absent
    try:
        return shape(entries[key])
    except Damaged as error:
        raise Damaged(f"key {key}: {error}") from None


def time_of(value, base=0):
    """§8: nanoseconds after a base, or, only where those do not fit an integer of 64 bits, [seconds, nanoseconds] since 1970
    whatever the base. Returns nanoseconds since 1970."""
    if type(value) is list:
        seconds, nanoseconds = array_of(integer, 2)(value)
        time = seconds * 1_000_000_000 + uint(nanoseconds, 999_999_999)
        require(not -(1 << 63) <= time - base < 1 << 63, "time in the long form that fits the short one")
        return time
    return base + integer(value)
