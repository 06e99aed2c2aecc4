#!/usr/bin/python3
"""A second, independent reader of Yore's repository format, version 1.

Written from engine/FORMAT.md alone; "§" below refers to its sections. It only ever reads. It prefers being easy to follow to
being fast, and it refuses whatever the document does not allow.

    yore_reader.py REPO (--key-file F | --password P | --recovery R) list
    yore_reader.py REPO (--key-file F | --password P | --recovery R) dump SNAPSHOT_ID
    yore_reader.py REPO (--key-file F | --password P | --recovery R) check
    yore_reader.py --self-test

With `--inbox NAME`, REPO and the secret are those of an owner, and the command is about the inbox of its write-only machine NAME (§15).

`check` reads everything there is, verifies the tags of all key slots, and prints what is wrong. What the format leaves to
later programs (features, kinds of nodes) is named on standard error. The parts are in format1/.

Needs Python 3.11 and Debian's python3-cryptography, python3-zstandard and python3-argon2.
"""

import argparse
import json
import os
import re
import sys

from format1.base import Damaged, Refused
from format1.slots import KEY_FILE, PASSPHRASE, RECOVERY, parse_recovery, read_key_file
from format1.repository import Repository, load_indexes, snapshots
from format1.inbox import open_inbox
from format1.dump import dump
from format1.check import Check
from format1.self_test import self_test


def print_json(value):
    print(json.dumps(value, ensure_ascii=True))


def command_list(repository):
    for snapshot in snapshots(repository):
        print_json({"id": snapshot.id.hex(), "time": str(snapshot.time), "host": snapshot.host,
                    "sources": [source.hex() for source in snapshot.sources], "tags": snapshot.tags,
                    "totals": snapshot.totals})


def command_dump(repository, wanted):
    if not re.fullmatch("[0-9a-f]{64}", wanted) or bytes.fromhex(wanted) not in repository.committed():
        raise Refused("there is no such snapshot")
    load_indexes(repository)
    for line in dump(repository, repository.snapshot(bytes.fromhex(wanted))):
        print_json(line)


def main():
    parser = argparse.ArgumentParser(description="Independent reader of Yore's repository format, version 1.")
    parser.add_argument("--self-test", action="store_true", help="test the primitives against published vectors, and stop")
    parser.add_argument("repository", metavar="REPO", nargs="?")
    secret = parser.add_mutually_exclusive_group()
    secret.add_argument("--key-file", metavar="F")
    secret.add_argument("--password", metavar="P")
    secret.add_argument("--recovery", metavar="R")
    parser.add_argument("--inbox", metavar="NAME")
    parser.add_argument("command", choices=["list", "dump", "check"], nargs="?")
    parser.add_argument("snapshot", metavar="SNAPSHOT_ID", nargs="?")
    arguments = parser.parse_intermixed_args()
    if arguments.self_test:
        return self_test()
    if not arguments.command or (arguments.command == "dump") != (arguments.snapshot is not None):
        parser.error("expected: REPO (--key-file F | --password P | --recovery R) [--inbox NAME] (list | dump SNAPSHOT_ID | check)")
    try:
        if arguments.key_file is not None:
            kind, secret = KEY_FILE, read_key_file(arguments.key_file)
        elif arguments.password is not None:
            kind, secret = PASSPHRASE, os.fsencode(arguments.password)
        elif arguments.recovery is not None:
            kind, secret = RECOVERY, parse_recovery(arguments.recovery)
        else:
            parser.error("one of --key-file, --password and --recovery is needed")
        repository = Repository(arguments.repository)
        repository.unlock(kind, secret)
        if arguments.inbox is not None:
            repository = open_inbox(repository, arguments.inbox)
        if arguments.command == "list":
            command_list(repository)
        elif arguments.command == "dump":
            command_dump(repository, arguments.snapshot)
        elif Check(repository).run():
            return 1
    except (Damaged, Refused, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
