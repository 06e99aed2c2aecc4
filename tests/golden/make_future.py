#!/usr/bin/python3
"""Makes `future`: a repository whose header names, under a valid tag, a feature that no program knows yet.

    make_future.py GOLDEN_VERSION FUTURE       with the key file `key` in GOLDEN_VERSION
"""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reader"))

from format1.repository import Repository
from format1.slots import KEY_FILE, read_key_file

FEATURE = b"time-crystals"


def byte_string(data):
    length = len(data)
    return (bytes([0x58, length]) if length < 256 else bytes([0x59]) + length.to_bytes(2, "big")) + data


def main():
    golden, future = sys.argv[1:]
    repository = Repository(os.path.join(golden, "repository"))
    repository.unlock(KEY_FILE, read_key_file(os.path.join(golden, "key")))
    header = repository.header("yore.cbor", 0)
    # The list of features that a reader must know: key 4, empty until now.
    body = header.body.replace(bytes([0x04, 0x80]), bytes([0x04, 0x81, 0x60 + len(FEATURE)]) + FEATURE, 1)
    assert body != header.body
    tag = repository.tag(header.generation, body)
    os.makedirs(os.path.join(future, "repository"))
    shutil.copy(os.path.join(golden, "key"), future)
    shutil.copytree(os.path.join(golden, "repository", "keys"), os.path.join(future, "repository", "keys"))
    shutil.copy(os.path.join(golden, "repository", "destination"), os.path.join(future, "repository"))
    with open(os.path.join(future, "repository", "yore.cbor"), "wb") as file:
        file.write(bytes([0x82]) + byte_string(body) + byte_string(tag))


if __name__ == "__main__":
    main()
