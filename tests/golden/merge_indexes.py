#!/usr/bin/python3
"""Puts all indexes of a repository together into one of level 1, and deletes the first of those that it replaces (FORMAT.md §7).

    merge_indexes.py REPO KEYFILE
"""

import os
import secrets
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reader"))

from forge import Forger, cbor
from format1.base import INDEX, PREFIX, TAG
from format1.cbor import cbor_decode
from format1.primitives import padme


class Merger(Forger):
    @staticmethod
    def padded(content, length=None):
        plain = Forger.padded(content, length)
        total = PREFIX + len(plain) + TAG
        return plain + bytes(padme(total) - total)


def main():
    path, key_file = sys.argv[1:]
    repository = Merger(path, key_file)
    packs, replaced = [], []
    for name, index_id in repository.indexes():
        packs += cbor_decode(repository.open_object(name, INDEX))[1]
        replaced.append(index_id)
    salt = secrets.token_bytes(32)
    repository.seal_whole(f"index/{salt.hex()}.1", INDEX, cbor({1: packs, 2: replaced}), salt)
    os.remove(os.path.join(path, "index", replaced[0].hex()))


if __name__ == "__main__":
    main()
