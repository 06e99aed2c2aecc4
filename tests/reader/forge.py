#!/usr/bin/python3
"""Writes snapshots into a repository that no honest program would write, from engine/FORMAT.md alone.

    forge.py REPO KEYFILE CASE...

Each CASE becomes one snapshot, with the tag CASE and the source `/top`. What is wrong is in `/top/bad`, or is `/top/bad`; beside it is an
honest file, `/top/good`, unless the case is about the snapshot as a whole. `forge.py --cases` lists them.
"""

import os
import secrets
import sys

import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from format1.base import (
    CHUNK, DATA_PACK, INDEX, LIST, MAX_CONTENT, MIB, PURPOSE, SESSION, SNAPSHOT, TREE, TREE_PACK, VERDICT)
from format1.primitives import hkdf
from format1.repository import Repository
from format1.slots import KEY_FILE, read_key_file

FRAME, PACK = MIB // 2, 60 * MIB
NOW = 1_768_473_000_000_000_000
FILE, DIRECTORY, LINK, CHARACTER_DEVICE = 0, 1, 2, 5


def cbor(value):
    """Encodes in deterministic form. `Raw` stands as it is."""
    if type(value) is int:
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if type(value) is bytes:
        return head(2, len(value)) + value
    if type(value) is str:
        return head(3, len(value.encode())) + value.encode()
    if type(value) is list:
        return head(4, len(value)) + b"".join(map(cbor, value))
    if type(value) is dict:
        return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in sorted(value.items()))
    return value.bytes


def head(major, argument):
    if argument < 24:
        return bytes([major << 5 | argument])
    info, width = next((i, w) for i, w in ((24, 1), (25, 2), (26, 4), (27, 8)) if argument < 1 << (w * 8))
    return bytes([major << 5 | info]) + argument.to_bytes(width, "big")


class Raw:
    """Bytes of CBOR that no encoder would make."""

    def __init__(self, data):
        self.bytes = data


class Forger(Repository):
    def __init__(self, path, key_file):
        super().__init__(path)
        self.unlock(KEY_FILE, read_key_file(key_file))
        self.known = set()
        self.waiting = {DATA_PACK: [], TREE_PACK: []}  # frames not yet in a pack: (codec, body, length, blobs)
        self.gathered = {DATA_PACK: [], TREE_PACK: []}  # blobs not yet in a frame
        self.indexed = []

    # Objects

    def write(self, name, data):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(data)

    def sealer(self, kind, salt):
        """The prefix of an object and its AES key (§2)."""
        derived = hkdf(self.purpose_key(PURPOSE[kind], 1), salt, b"yore/1 object\0" + bytes([kind]) + self.id, 64)
        return b"yore\x01" + bytes([kind, 0, 1]) + salt + derived[32:], AESGCM(derived[:32])

    def seal_whole(self, name, kind, content, salt=None, length=None):
        prefix, key = self.sealer(kind, salt or secrets.token_bytes(32))
        plain = self.padded(content, length)
        self.write(name, prefix + key.encrypt(bytes(12), plain, self.associated(name, prefix)))

    @staticmethod
    def padded(content, length=None):
        body = content if length else zstandard.compress(content)
        length = length or len(content)
        return b"\x01" + length.to_bytes(4, "big") + len(body).to_bytes(4, "big") + body

    # Blobs

    def blob(self, kind, data):
        """Stores a blob once; returns its id."""
        name = self.blob_id(kind, data)
        if name not in self.known:
            self.known.add(name)
            pack = DATA_PACK if kind == CHUNK else TREE_PACK
            self.gathered[pack].append((name, data))
            if sum(len(one) for _, one in self.gathered[pack][-1:]) + self.size_of(pack) > FRAME:
                self.end_frame(pack)
        return name

    def size_of(self, pack):
        self.sizes = getattr(self, "sizes", {})
        self.sizes[pack] = self.sizes.get(pack, 0) + len(self.gathered[pack][-1][1])
        return self.sizes[pack]

    def end_frame(self, kind):
        if not self.gathered[kind]:
            return
        data = b"".join(one for _, one in self.gathered[kind])
        self.frame(kind, zstandard.compress(data), len(data), [(name, len(one)) for name, one in self.gathered[kind]])
        self.gathered[kind], self.sizes[kind] = [], 0

    def frame(self, kind, body, length, blobs):
        self.waiting[kind].append((body, length, blobs))
        if sum(len(body) for body, *_ in self.waiting[kind][-100:]) > PACK:
            self.end_pack(kind)

    def end_pack(self, kind):
        self.end_frame(kind)
        frames, self.waiting[kind] = self.waiting[kind], []
        if not frames:
            return
        salt = secrets.token_bytes(32)
        name = f"packs/{salt.hex()[:2]}/{salt.hex()}"
        prefix, key = self.sealer(kind, salt)
        whole, numbers = [prefix], []
        for number, (body, length, blobs) in enumerate(frames):
            sealed_length = len(body) + 16
            position = b"".join(n.to_bytes(4, "big") for n in (number, sealed_length, length)) + b"\x01"
            nonce = bytes(4) + (number + 1).to_bytes(8, "big")
            whole.append(key.encrypt(nonce, body, self.associated(name, prefix, position)))
            numbers += [sealed_length, length, 1, len(blobs)]
        ids = b"".join(blob for _, _, blobs in frames for blob, _ in blobs)
        contents = {1: numbers, 2: ids, 3: [length for _, _, blobs in frames for _, length in blobs]}
        plain = self.padded(cbor(contents))
        position = b"\xff" * 4 + (len(plain) + 16).to_bytes(4, "big") + bytes(4) + b"\xff"
        offset = sum(map(len, whole))
        whole.append(key.encrypt(bytes(4) + b"\xff" * 8, plain, self.associated(name, prefix, position)))
        place = offset.to_bytes(8, "big") + len(whole[-1]).to_bytes(4, "big")
        position = b"\xff\xff\xff\xfe" + bytes(8) + b"\xfe"
        whole.append(key.encrypt(bytes(4) + b"\xff" * 7 + b"\xfe", place, self.associated(name, prefix, position)) + b"yend")
        data = b"".join(whole)
        self.write(name, data)
        self.indexed.append({1: salt, 2: kind, 3: len(data), 4: contents})

    def end_packs(self):
        for kind in self.waiting:
            self.end_pack(kind)
        for pack in self.indexed:
            salt = secrets.token_bytes(32)
            self.seal_whole(f"index/{salt.hex()}", INDEX, cbor({1: [pack]}), salt)
        self.indexed = []

    # Trees

    def tree(self, nodes, small=b""):
        """A tree of nodes as they are given: in this order, with these names."""
        return self.blob(TREE, cbor({1: nodes, 5: small} if small else {1: nodes}))

    # Snapshots

    def snapshot(self, tag, root, **others):
        """A snapshot of one source, `/top`, and what commits it."""
        self.end_packs()
        session, snapshot = secrets.token_bytes(32), secrets.token_bytes(32)
        copy = self.destination()
        self.seal_whole(f"sessions/{session.hex()}", SESSION,
                        cbor({1: 0, 2: NOW, 3: "forge", 4: bytes(16), 5: "forge", 6: "forge", 9: copy}), session)
        record = {1: NOW, 2: NOW, 3: 0, 4: "forge", 5: "forge", 6: [b"top"], 7: root, 8: [tag], 9: secrets.token_bytes(16), 10: 1,
                  12: {1: 1}, 13: "forge", 15: session, **{int(key[1:]): value for key, value in others.items()}}
        self.seal_whole(f"snapshots/{snapshot.hex()}", SNAPSHOT, cbor(record), snapshot)
        self.seal_whole(f"sessions/{session.hex()}.end", VERDICT, cbor({1: 1, 2: [snapshot], 3: NOW, 4: "forge", 9: copy}))

    def beside_good(self, tag, bad):
        """A snapshot with `bad`, a node without its name or None, beside an honest file."""
        nodes = [{1: b"bad", 6: 0, 9: 0, **bad}] if bad else []
        top = self.tree([*nodes, file(b"good", 5)], b"good\n")
        self.snapshot(tag, self.tree([directory(b"top", top)]))


def file(name, length):
    return {1: name, 2: FILE, 6: 0, 9: 0, 10: length, 11: length}


def directory(name, tree):
    return {1: name, 2: DIRECTORY, 6: 0, 9: 0, 16: tree}


def inside(nodes, small=b""):
    """A directory of these nodes."""
    return lambda forger: {2: DIRECTORY, 16: forger.tree(nodes, small)}


def named(*names):
    """A directory of empty files of these names, in this order."""
    return inside([{1: name, 2: FILE, 6: 0, 9: 0} for name in names])


def odd(kind, **keys):
    """A directory of one node with these keys."""
    return inside([{1: b"it", 2: kind, 6: 0, 9: 0, **{int(key[1:]): value for key, value in keys.items()}}])


def chain(depth):
    def made(forger):
        tree = forger.tree([])
        for _ in range(depth):
            tree = forger.tree([directory(b"d", tree)])
        return {2: DIRECTORY, 16: tree}

    return made


def doubled(depth):
    def made(forger):
        tree = forger.tree([file(b"leaf", 1)], b"x")
        for _ in range(depth):
            tree = forger.tree([directory(b"a", tree), directory(b"b", tree)])
        return {2: DIRECTORY, 16: tree}

    return made


def repeated(size):
    """A file of one chunk of zeros again and again, its list in lists of lists."""

    def made(forger):
        chunk, each = forger.blob(CHUNK, bytes(16 * MIB)), 16 * MIB
        parts, depth, count = chunk, 0, size // each
        while count > 1024:
            lengths = [each] * 1024
            parts = forger.blob(LIST, cbor([depth, parts * 1024, lengths]))
            each, depth, count = each * 1024, depth + 1, count // 1024
        if depth == 0:
            return {2: FILE, 10: size, 12: chunk * count, 13: [each] * count}
        return {2: FILE, 10: size, 14: [depth - 1, *[[parts, each]] * count]}

    return made


def lying_chunk(forger):
    """A chunk of 16 MiB by its index, whose frame decompresses to a gibibyte."""
    name = forger.blob_id(CHUNK, b"never")
    forger.end_pack(DATA_PACK)
    forger.frame(DATA_PACK, zstandard.compress(bytes(1 << 30)), 16 * MIB, [(name, 16 * MIB)])
    return {2: FILE, 10: 16 * MIB, 12: name}


def bad(of):
    return lambda forger, tag: forger.beside_good(tag, of(forger))


def many_leaves(forger):
    leaf = forger.tree([file(b"x", 0)])
    name = forger.blob(TREE, cbor({2: [[b"x", leaf, 1]] * 200_000}))
    return {2: DIRECTORY, 16: name}


def leaf_in_leaf(forger):
    leaf = forger.tree([file(b"x", 0)])
    for _ in range(3):
        leaf = forger.blob(TREE, cbor({2: [[b"x", leaf, 1]]}))
    return {2: DIRECTORY, 16: leaf}


def snapshot_bomb(forger, tag):
    """A snapshot whose tags decompress to 250 MiB."""
    top = forger.tree([directory(b"top", forger.tree([file(b"good", 5)], b"good\n"))])
    count = MAX_CONTENT - 6 * MIB
    forger.snapshot(tag, top, _8=Raw(head(4, count) + b"\x60" * count))


def index_bomb(forger, tag):
    """An index whose numbers decompress to 250 MiB, beside an honest snapshot."""
    forger.beside_good(tag, None)
    count = MAX_CONTENT - 6 * MIB
    salt = secrets.token_bytes(32)
    contents = {1: Raw(head(4, count) + bytes(count)), 2: b"", 3: []}
    forger.seal_whole(f"index/{salt.hex()}", INDEX, cbor({1: [{1: salt, 2: TREE_PACK, 3: 1 << 20, 4: contents}]}), salt)


CASES = {
    "parent": bad(named(b"..")),
    "itself": bad(named(b".")),
    "slash": bad(named(b"a/../../etc")),
    "nul": bad(named(b"a\0b")),
    "empty": bad(named(b"")),
    "long": bad(named(b"n" * 65_536)),
    "longish": bad(named(b"n" * 4_000)),
    "twice": bad(named(b"a", b"a")),
    "descending": bad(named(b"b", b"a")),
    "reserved": bad(named(b".directory", b".xdg-volume-info", b"CON", b"latest", b"snapshots")),
    "huge": bad(odd(FILE, _10=1 << 63)),
    "huge-hole": bad(odd(FILE, _10=1 << 63, _15=[0, 1 << 63])),
    "huge-honest": bad(odd(FILE, _10=(1 << 63) - 1, _15=[0, (1 << 63) - 1])),
    "overflow": bad(odd(FILE, _10=5, _15=[(1 << 64) - 1, 6])),
    "nothing-there": bad(odd(DIRECTORY, _16=bytes(32))),
    "no-chunk": bad(odd(FILE, _10=7, _12=bytes(32))),
    "odd-ids": bad(odd(FILE, _10=7, _12=bytes(33))),
    "device": bad(odd(CHARACTER_DEVICE, _18=[1 << 63, 1 << 63])),
    "link": bad(odd(LINK, _17=b"/" * 70_000)),
    "link-nul": bad(odd(LINK, _17=b"a\0b")),
    "kind": bad(odd(77)),
    "times": bad(inside([{1: b"a", 2: FILE, 6: (1 << 63) - 1, 9: 0}, {1: b"b", 2: FILE, 6: (1 << 63) - 1, 9: 0}])),
    "mode": bad(odd(FILE, _3=1 << 40)),
    "leaves": bad(many_leaves),
    "leaf-in-leaf": bad(leaf_in_leaf),
    "nested": bad(lambda f: {2: DIRECTORY, 16: f.blob(TREE, b"\xa1\x01" + b"\x81" * 1_000_000 + b"\x80")}),
    "claimed": bad(lambda f: {2: DIRECTORY, 16: f.blob(TREE, b"\xa1\x01\x9b" + b"\xff" * 8)}),
    "garbage": bad(lambda f: {2: DIRECTORY, 16: f.blob(TREE, bytes(range(256)) * 4)}),
    "lying-chunk": bad(lying_chunk),
    "tebibyte": bad(repeated(1 << 40)),
    "deep": bad(chain(1_000_000)),
    "doubled": bad(doubled(64)),
    "snapshot-bomb": snapshot_bomb,
    "index-bomb": index_bomb,
}


def main():
    if sys.argv[1:] == ["--cases"]:
        print("\n".join(CASES))
        return
    forger = Forger(sys.argv[1], sys.argv[2])
    for tag in sys.argv[3:]:
        CASES[tag](forger, tag)


if __name__ == "__main__":
    main()
