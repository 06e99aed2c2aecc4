#!/usr/bin/python3
"""Writes the first inputs of each fuzzer into tests/fuzz/corpus: the decrypted content of the golden repository's objects.

    tests/fuzz/seeds.py

The second reader opens the objects. What is the same already is written again as it was.
"""

import hashlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "reader"))

from format1.repository import Repository
from format1.slots import KEY_FILE, read_key_file

GOLDEN = os.path.join(HERE, "..", "golden", "v1")
# The kinds of FORMAT.md §1 that are sealed whole, and the decoder of each.
SEALED = {3: "index", 4: "snapshot", 5: "tombstone", 6: "session", 7: "verdict"}
# No seed needs to be longer: a decoder that takes much of one input sees few of them.
LONGEST = 64 << 10


def write(decoder, content):
    if len(content) > LONGEST:
        return
    folder = os.path.join(HERE, "corpus", decoder)
    os.makedirs(folder, exist_ok=True)
    name = "seed-" + hashlib.sha256(content).hexdigest()[:12]
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


def head(kind, number):
    """The head of a CBOR item of a kind, with a number below 65,536."""
    return bytes([kind << 5 | 25]) + number.to_bytes(2, "big") if number > 255 else bytes([kind << 5 | 24, number])


def tombstone_list(contents):
    """Tombstones as prune puts them together, at a time of 10^18 nanoseconds."""
    listed = b"".join(head(2, len(content)) + content for content in contents)
    return b"\xa2\x01\x1b" + (10 ** 18).to_bytes(8, "big") + b"\x02" + bytes([0x80 | len(contents)]) + listed


def raw(repository, name):
    with open(os.path.join(repository.path, name), "rb") as file:
        return file.read()


def main():
    repository = Repository(os.path.join(GOLDEN, "repository"))
    repository.unlock(KEY_FILE, read_key_file(os.path.join(GOLDEN, "key")))
    write("header", raw(repository, "yore.cbor"))
    for name, _ in repository.ids("keys"):
        write("slot", raw(repository, name))
        write("name", name.encode())
    for secret in ("key", "recovery"):
        with open(os.path.join(GOLDEN, secret), "rb") as file:
            write("secret", file.read().strip())
    names = {
        3: repository.indexes(), 4: repository.ids("snapshots"), 5: repository.ids("forgotten"),
        6: repository.ids("sessions"), 7: repository.verdicts(),
    }
    for kind, found in names.items():
        for name, _ in found:
            write(SEALED[kind], repository.open_object(name, kind))
            write("name", name.encode())
    tombstones = [repository.open_object(name, 5) for name, _ in names[5]]
    write("tombstones", tombstone_list(tombstones))
    write("tombstones", tombstone_list(tombstones * 4))
    for name in [name for name, _ in repository.indexes()]:
        repository.load_index(name)
    for pack in repository.packs.values():
        write("name", pack.name.encode())
        for number, frame in enumerate(pack.frames):
            data = repository.read_frame(pack, number)
            at = 0
            for _, length in frame.blobs:
                if pack.kind == 2:
                    write("tree", data[at:at + length])
                    write("list", b"\0" + data[at:at + length])
                at += length
            write("frame", len(data).to_bytes(3, "big") + b"\0" + data)


main()
