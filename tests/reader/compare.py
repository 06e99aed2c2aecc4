#!/usr/bin/python3
"""Compares a folder with its newest snapshot, both seen by other eyes than the program's: the folder by a walk of its own, the
snapshot by the second reader, which knows nothing but engine/FORMAT.md. Prints each difference; exits 1 when there is one.

    compare.py SOURCE REPO KEYFILE [--snapshot ID] [--host HOST]

SOURCE must not have changed since it was backed up. Run as the user who backed it up. Linux only.
"""

import argparse
import ctypes
import errno
import grp
import hashlib
import os
import pwd
import socket
import stat
import struct
import sys

from format1.base import Damaged, Refused
from format1.dump import HUGE, dump
from format1.repository import Repository, load_indexes, snapshots
from format1.slots import KEY_FILE, read_key_file

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
         stat.S_IFSOCK: "socket", stat.S_IFCHR: "character", stat.S_IFBLK: "block"}
# What a directory above the source must agree in: other programs may change the rest at any time.
OF_ANCESTORS = {"path", "kind", "mode", "uid", "gid", "user", "group", "inode", "birth", "readable", "flags"}


def birth_time(path):
    """Birth time in nanoseconds, or None where the file system has none (Python does not tell it: statx(2))."""
    at_fdcwd, nofollow, statx_btime = -100, 0x100, 0x800
    buffer = ctypes.create_string_buffer(256)
    if LIBC.statx(at_fdcwd, path, nofollow, statx_btime, buffer) != 0:
        raise OSError(ctypes.get_errno(), "statx", path)
    mask, seconds, nanoseconds = struct.unpack_from("=I76xqI", buffer)  # stx_mask at 0, stx_btime at 80
    return seconds * 1_000_000_000 + nanoseconds if mask & statx_btime else None


LIBC = ctypes.CDLL(None, use_errno=True)


def name_of(database, number):
    try:
        return database(number)[0]
    except KeyError:
        return None


def content(path, size):
    """SHA-256 of a file, as `format1.dump.digest_of` has it, and its holes as [offset, length]."""
    holes, stretches = [], []
    with open(path, "rb", buffering=0) as file:
        at = 0
        while at < size:
            try:
                data = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:  # no data to the end
                    raise
                data = size
            if data > at:
                holes.append([at, data - at])
            at = os.lseek(file.fileno(), data, os.SEEK_HOLE) if data < size else size
            stretches.append((data, at))
        return digest_of(file, stretches if holes and size >= HUGE else [(0, size)]), holes


def digest_of(file, stretches):
    digest = hashlib.sha256()
    for start, end in stretches:
        file.seek(start)
        while start < end and (piece := file.read(min(1 << 20, end - start))):
            digest.update(piece)
            start += len(piece)
    return digest.hexdigest()


def look(path):
    """A file of the source in the form of `format1.dump.describe`."""
    found = os.lstat(path)
    kind = KINDS[stat.S_IFMT(found.st_mode)]
    digest, holes = content(path, found.st_size) if kind == "file" else (None, [])
    birth = birth_time(path)
    links = 1 if kind == "directory" else found.st_nlink
    return {
        "path": path[1:].hex(), "kind": kind, "mode": stat.S_IMODE(found.st_mode), "uid": found.st_uid, "gid": found.st_gid,
        "user": name_of(pwd.getpwuid, found.st_uid), "group": name_of(grp.getgrgid, found.st_gid),
        "mtime": str(found.st_mtime_ns), "ctime": str(found.st_ctime_ns), "birth": None if birth is None else str(birth),
        "size": found.st_size if kind == "file" else 0, "sha256": digest, "holes": holes,
        "link": os.readlink(path).hex() if kind == "symlink" else None,
        "rdev": [os.major(found.st_rdev), os.minor(found.st_rdev)] if kind in ("character", "block") else None,
        "xattrs": sorted([os.fsencode(name).hex(), os.getxattr(path, name, follow_symlinks=False).hex()]
                         for name in os.listxattr(path, follow_symlinks=False)),
        "links": links, "inode": found.st_ino, "device": found.st_dev if links > 1 else None, "flags": 0, "readable": True}


def walk(path):
    """Every path at and below `path`."""
    yield path
    if stat.S_ISDIR(os.lstat(path).st_mode):
        for name in os.listdir(path):
            yield from walk(os.path.join(path, name))


class Comparison:
    def __init__(self):
        self.differences = 0

    def difference(self, path, text):
        self.differences += 1
        print(f"/{os.fsdecode(path)}: {text}".encode("utf-8", "backslashreplace").decode())

    def nodes(self, source, dumped):
        """`source` is absolute; `dumped` maps path -> line of the dump."""
        ancestors = [source[:at] for at in range(1, len(source)) if source[at:at + 1] == b"/"]
        expected = {path[1:] for path in [*ancestors, *walk(source)]}
        for path in sorted(expected - dumped.keys()):
            self.difference(path, "is not in the snapshot")
        for path in sorted(dumped.keys() - expected):
            self.difference(path, "is in the snapshot, and not in the source")
        above = {path[1:] for path in ancestors}
        for path in sorted(expected & dumped.keys()):
            here, there = look(b"/" + path), dumped[path]
            for key, value in here.items():
                if value != there[key] and (key in OF_ANCESTORS or path not in above):
                    self.difference(path, f"{key} is {value!r:.200} in the source, {there[key]!r:.200} in the snapshot")

    def totals(self, source, dumped, snapshot):
        """What the snapshot says of itself. Each hard link counts."""
        inside = [line for path, line in dumped.items() if path == source[1:] or path.startswith(source[1:] + b"/")]
        kinds = [line["kind"] for line in inside]
        expected = {"files": kinds.count("file"), "others": len(kinds) - kinds.count("file") - kinds.count("directory"),
                    "bytes": sum(line["size"] for line in inside), "unreadable": 0}
        for name, value in expected.items():
            if snapshot.totals.get(name, 0) != value:
                self.difference(source[1:], f"total of {name} is {value}, the snapshot says {snapshot.totals.get(name, 0)}")


def open_repository(path, key_file):
    repository = Repository(path)
    repository.unlock(KEY_FILE, read_key_file(key_file))
    load_indexes(repository)
    return repository


def main():
    parser = argparse.ArgumentParser(description="Compares a folder with its newest snapshot.")
    parser.add_argument("source", type=os.fsencode)
    parser.add_argument("repository")
    parser.add_argument("key_file")
    parser.add_argument("--snapshot", metavar="ID", help="instead of the newest")
    parser.add_argument("--host", default=socket.gethostname(), help="what the snapshot must name, if not this one")
    arguments = parser.parse_args()
    try:
        repository = open_repository(arguments.repository, arguments.key_file)
        chosen = [s for s in snapshots(repository) if arguments.snapshot in (None, s.id.hex())]
        if not chosen:
            raise Refused("there is no such snapshot")
        snapshot = chosen[-1]
        dumped = {bytes.fromhex(line["path"]): line for line in dump(repository, snapshot)}
    except (Damaged, Refused, OSError) as error:
        print(error, file=sys.stderr)
        return 1

    source = os.path.realpath(arguments.source)
    comparison = Comparison()
    if snapshot.sources != [source[1:]]:
        comparison.difference(source[1:], f"is not what was backed up: {snapshot.sources}")
    if snapshot.host != arguments.host:
        comparison.difference(source[1:], f"host is {snapshot.host!r} instead of {arguments.host!r}")
    comparison.nodes(source, dumped)
    comparison.totals(source, dumped, snapshot)
    return 1 if comparison.differences else 0


if __name__ == "__main__":
    sys.exit(main())
