"""Trees, nodes and content (§8, §9)."""

from dataclasses import dataclass, replace

from .base import (
    Damaged, MAX_HOLE_NUMBERS, MAX_HOLES, MAX_LIST_DEPTH, MAX_NAMES, MAX_NODES, MAX_XATTR_BYTES, MAX_XATTRS, MIB, require)
from .cbor import cbor_decode
from .shapes import anything, array_of, bstr, bstr32, get, ids_of, integer, map_of, time_of, tstr, uint

FILE, DIRECTORY, SYMLINK, FIFO, SOCKET, CHARACTER, BLOCK = range(7)
KIND_NAMES = ["file", "directory", "symlink", "fifo", "socket", "character", "block"]
# Keys that mean something for some kinds of node only
DATA_KEYS = {10, 11, 12, 13, 14, 15, 27}
NOT_DIRECTORY = set(range(7)) - {DIRECTORY}
ONLY_FOR = {**dict.fromkeys(DATA_KEYS, {FILE}), 16: {DIRECTORY}, 17: {SYMLINK}, 18: {CHARACTER, BLOCK},
            20: NOT_DIRECTORY, 21: NOT_DIRECTORY}
LAST_KEY, FIRST_FREE_KEY = 27, 64  # an unknown key between them makes a node impossible to present


@dataclass
class Data:
    """Where the bytes of a file or of a stream are."""
    size: int
    small: bytes | None        # all its data
    depth: int | None          # of the lists in `parts`; None: `parts` are chunks
    parts: list                # of (blob id, length); the length is None of a single chunk that holds all data
    holes: list | None         # of (offset in the file, length); None: in list blobs
    hole_lists: list           # ids of those


@dataclass
class Node:
    name: bytes
    kind: int
    mode: int | None
    uid: int | None
    gid: int | None
    mtime: int
    ctime: int | None
    birth: int | None
    inode: int
    data: Data | None    # of a file
    tree: bytes | None   # of a directory; None: what it holds could not be read
    link: bytes | None
    rdev: list | None
    xattrs: list         # of (name, value)
    links: int
    device: int | None
    flags: int
    attributes: int | None
    descriptor: bytes | None
    streams: list        # of (name, Data)
    reparse: bytes | None
    user: str | None = None
    group: str | None = None


@dataclass
class Unpresentable:
    """A node that needs a newer reader."""
    name: bytes
    reason: str


def paired(ids, lengths):
    require(len(ids) == len(lengths), "as many ids as lengths are expected")
    return list(zip(ids, lengths))


def check_sum(parts, total, what):
    require(sum(length for _, length in parts) == total, f"lengths of {what} and size do not agree")


def check_name(name):
    require(1 <= len(name) <= 65535, "name of a node is empty or too long")
    require(name not in (b".", b"..") and b"/" not in name and b"\0" not in name, f"name {name!r} is not allowed")
    return name


def parse_holes(numbers):
    require(len(numbers) % 2 == 0, "holes are not two numbers each")
    require(len(numbers) <= 2 * MAX_HOLES, "too many holes")
    holes, at = [], 0
    for i in range(0, len(numbers), 2):
        data, length = numbers[i:i + 2]
        require(length > 0, "empty hole")
        holes.append((at + data, length))
        at += data + length
    return holes


def parse_data(entries, small):
    """The keys that say where bytes are; `small` are those that key 11 stands for."""
    require(len(entries.keys() & {11, 12, 14}) <= 1, "content in more than one form")
    require(not (15 in entries and 27 in entries), "holes in more than one form")
    numbers = get(entries, 15, array_of(uint), [])
    require(len(numbers) <= MAX_HOLE_NUMBERS, "more holes than a node holds itself")
    data = Data(size=get(entries, 10, uint, 0), small=small, depth=None, parts=[],
                holes=None if 27 in entries else parse_holes(numbers), hole_lists=get(entries, 27, array_of(bstr32), []))
    if 12 in entries:
        ids = get(entries, 12, ids_of)
        require(ids, "empty list of chunks")
        data.parts = paired(ids, get(entries, 13, array_of(uint), [None]))
    else:
        require(13 not in entries, "lengths of chunks without chunks")
    if 14 in entries:
        depth, *parts = get(entries, 14, array_of(anything)) or [None]
        data.depth = uint(depth, MAX_LIST_DEPTH)
        for part in parts:
            blob_id, length = array_of(anything, 2)(part)
            data.parts.append((bstr32(blob_id), uint(length)))
    return settle(data, data.holes) if data.holes is not None else data


def settle(data, holes):
    """Data whose holes are known: what that tells of its chunks is filled in, and all sizes are compared."""
    length = data.size - sum(hole[1] for hole in holes)
    require(length >= 0, "holes are longer than the file")
    require(not holes or sum(holes[-1]) <= data.size, "a hole ends after the file")
    parts = [(blob_id, length if part is None else part) for blob_id, part in data.parts]
    if data.small is not None:
        require(len(data.small) == length, "size and small content do not agree")
    else:
        check_sum(parts, length, "chunks")
    return replace(data, parts=parts, holes=holes, hole_lists=[])


def parse_stream(entries):
    name = get(entries, 1, bstr)
    require(27 not in entries, "holes of a stream in list blobs")
    return name, parse_data(entries, get(entries, 11, bstr, None))


def parse_nodes(values, small):
    """The nodes of one tree blob. Each is relative to the one before it; `small` holds their small contents in order."""
    nodes, names, mtime, inode, at = [], [], 0, 0, 0
    for entries in values:
        name = check_name(get(entries, 1, bstr))
        try:
            # Of a node that cannot be presented, too, the next ones need these.
            mtime = get(entries, 6, lambda value: time_of(value, mtime))
            inode = (inode + get(entries, 9, integer, 0)) % (1 << 64)
            length = get(entries, 11, uint, None)
            content = None if length is None else small[at:at + length]
            at += length or 0
            require(at <= len(small), "small content is cut short")
            nodes.append(parse_node(name, entries, mtime, inode, content))
        except Damaged as error:
            raise Damaged(f"node {name!r}: {error}") from None
        names.append(name)
    require(at == len(small), "more small contents than nodes claim")
    require(all(a < b for a, b in zip(names, names[1:])), "nodes out of order")
    return nodes


def parse_node(name, entries, mtime, inode, small):
    kind = get(entries, 2, uint)
    unknown = [key for key in entries if LAST_KEY < key < FIRST_FREE_KEY or key == 0]
    if kind > BLOCK or unknown:
        return Unpresentable(name, f"keys {unknown}" if unknown else f"kind {kind}")
    for key in entries.keys() & ONLY_FOR.keys():
        require(kind in ONLY_FOR[key], f"key {key} in a node of kind {KIND_NAMES[kind]}")

    ctime = get(entries, 7, lambda value: time_of(value, mtime), None)
    birth = get(entries, 8, lambda value: time_of(value, mtime if ctime is None else ctime), None)
    xattrs = get(entries, 19, array_of(bstr), [])
    require(len(xattrs) % 2 == 0, "extended attribute without a value")
    xattrs = list(zip(xattrs[::2], xattrs[1::2]))
    require(len(xattrs) <= MAX_XATTRS, "too many extended attributes")
    require(sum(len(name) + len(value) for name, value in xattrs) <= MAX_XATTR_BYTES, "extended attributes are too long")
    require(all(a[0] < b[0] for a, b in zip(xattrs, xattrs[1:])), "extended attributes out of order")
    require((20 in entries) == (21 in entries), "number of links without file system, or the reverse")

    node = Node(
        name=name, kind=kind, mode=get(entries, 3, lambda value: uint(value, 0o7777), None),
        uid=get(entries, 4, uint, None), gid=get(entries, 5, uint, None), mtime=mtime, ctime=ctime, birth=birth, inode=inode,
        data=parse_data(entries, small) if kind == FILE else None, tree=get(entries, 16, bstr32, None),
        link=get(entries, 17, bstr, None), rdev=get(entries, 18, array_of(uint, 2), None), xattrs=xattrs,
        links=get(entries, 20, uint, 1), device=get(entries, 21, uint, None), flags=get(entries, 22, uint, 0),
        attributes=get(entries, 23, uint, None), descriptor=get(entries, 24, bstr, None),
        streams=get(entries, 25, array_of(parse_stream), []), reparse=get(entries, 26, bstr, None))
    require(kind != SYMLINK or node.link is not None, "symbolic link without a text")
    require(kind not in (CHARACTER, BLOCK) or node.rdev is not None, "device without a number")
    return node


def parse_tree(blob):
    """A tree blob (§8): (nodes, None) or, of a large directory, (None, leaves)."""
    entries = cbor_decode(blob)
    require(type(entries) is dict, "tree is not a map")
    require((1 in entries) != (2 in entries), "tree has not either nodes or leaves")
    if 1 in entries:
        values = get(entries, 1, array_of(anything))
        require(len(values) <= MAX_NODES, "too many nodes in one tree blob")
        nodes = parse_nodes(values, get(entries, 5, bstr, b""))
        users, groups = get(entries, 3, map_of(tstr), {}), get(entries, 4, map_of(tstr), {})
        require(max(len(users), len(groups)) <= MAX_NAMES, "too many names of owners")
        for node in nodes:
            if isinstance(node, Node):
                node.user, node.group = users.get(node.uid), groups.get(node.gid)
        return nodes, None
    require(not entries.keys() & {3, 4, 5}, "large directory with what belongs to its leaves")
    leaves = []
    for leaf in get(entries, 2, array_of(array_of(anything, 3))):
        first, blob_id, count = leaf
        leaves.append((check_name(bstr(first)), bstr32(blob_id), uint(count, MAX_NODES)))
        require(count > 0, "leaf without nodes")
    require(leaves, "large directory without leaves")
    require(all(a[0] < b[0] for a, b in zip(leaves, leaves[1:])), "leaves out of order")
    return None, leaves


def parse_list(blob, depth, total):
    """A list blob (§9) of the depth and the length of data that its parent states. Returns (id, length) of what it names."""
    value = array_of(anything, 3)(cbor_decode(blob))
    require(uint(value[0]) == depth, "list of another depth than stated")
    parts = paired(ids_of(value[1]), array_of(uint)(value[2]))
    check_sum(parts, total, "a list")
    return parts


def with_holes(pieces, holes):
    """A file's bytes, in pieces, from those of its data: a hole begins when the data before it has passed."""
    at, holes = 0, list(holes)

    def zeros():
        """The holes that begin here."""
        nonlocal at
        while holes and holes[0][0] == at:
            _, length = holes.pop(0)
            at += length
            while length:
                part = min(length, MIB)
                yield bytes(part)
                length -= part

    yield from zeros()
    for piece in pieces:
        while piece:
            part = piece[:holes[0][0] - at] if holes else piece
            piece = piece[len(part):]
            at += len(part)
            yield part
            yield from zeros()
