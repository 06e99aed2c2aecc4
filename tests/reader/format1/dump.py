"""A snapshot's nodes in a form that can be printed and compared."""

import hashlib
import sys

from .base import require
from .trees import DIRECTORY, KIND_NAMES, Unpresentable


# Of a file with holes that is at least so long, the digest is of its data: a tebibyte of zeros takes all day.
HUGE = 1 << 30


def dump(repository, snapshot):
    """Every node of a snapshot as a map, each directory before what is in it."""
    for path, node in repository.walk(snapshot.root):
        if isinstance(node, Unpresentable):
            print(f"{path!r}: needs a newer reader ({node.reason})", file=sys.stderr)
        else:
            yield describe(repository, path, node)


def describe(repository, path, node):
    """A node as `dump` shows it: bytes in hex, times in nanoseconds since 1970 as text."""
    def text(value):
        return None if value is None else str(value)

    def hexed(value):
        return None if value is None else value.hex()

    data = repository.settled(node.data) if node.data else None
    line = {"path": path.hex(), "kind": KIND_NAMES[node.kind], "mode": node.mode, "uid": node.uid, "gid": node.gid,
            "user": node.user, "group": node.group,
            "mtime": text(node.mtime), "ctime": text(node.ctime), "birth": text(node.birth),
            "size": data.size if data else 0, "sha256": digest_of(repository, data) if data else None,
            "holes": [list(hole) for hole in data.holes] if data else [], "link": hexed(node.link), "rdev": node.rdev,
            "xattrs": [[name.hex(), value.hex()] for name, value in node.xattrs], "links": node.links, "inode": node.inode,
            "device": node.device, "flags": node.flags, "readable": node.kind != DIRECTORY or node.tree is not None}
    if node.attributes is not None or node.descriptor is not None or node.reparse is not None or node.streams:
        line["attributes"], line["descriptor"], line["reparse"] = node.attributes, hexed(node.descriptor), hexed(node.reparse)
        line["streams"] = [[name.hex(), data.size, digest_of(repository, data)] for name, data in node.streams]
    return line


def digest_of(repository, data):
    """SHA-256 of all bytes, or of the data of a huge file with holes; `data` is settled."""
    whole = data.size < HUGE or not data.holes
    digest, size = hashlib.sha256(), 0 if whole else sum(length for _, length in data.holes)
    for piece in repository.bytes_of(data) if whole else repository.pieces(data):
        digest.update(piece)
        size += len(piece)
    require(size == data.size, f"{size} bytes instead of {data.size}")
    return digest.hexdigest()
