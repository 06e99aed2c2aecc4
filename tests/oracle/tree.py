#!/usr/bin/python3
"""Describes every file of a tree, or compares two trees: kind, mode, owner, times in ns, size, content, holes, hard links,
devices, link texts, extended attributes (ACLs and capabilities among them). Follows paths of any length.

    tree.py FOLDER
    tree.py --compare FOUND EXPECTED      prints the differences; exits 1 if there are any
"""

import errno
import hashlib
import json
import os
import stat
import sys

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
         stat.S_IFSOCK: "socket", stat.S_IFCHR: "character", stat.S_IFBLK: "block"}
HUGE = 1 << 30


def xattrs(name, at):
    """Returns the extended attributes of a name in the current directory; on links users can set those of `security` only."""
    return {attribute: os.getxattr(name, attribute, follow_symlinks=False).hex()
            for attribute in sorted(os.listxattr(name, follow_symlinks=False))}


def content(name, size):
    """Returns digest, holes and length. Holes are read as well, but only the ends of those in a huge file."""
    digest, holes, at, length = hashlib.sha256(), [], 0, 0
    with open(name, "rb", buffering=0) as file:
        while at < size:
            try:
                data = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:  # no data up to the end
                    raise
                data = size
            if data > at:
                holes.append([at, data - at])
            at = os.lseek(file.fileno(), data, os.SEEK_HOLE) if data < size else size
        stretches = [(0, size)] if size < HUGE else [(0, 1 << 20), (size - (1 << 20), size)] + data_between(holes, size)
        for start, end in stretches:
            file.seek(start)
            while start < end and (piece := file.read(min(1 << 20, end - start))):
                digest.update(piece)
                start += len(piece)
                length += len(piece)
        if size < HUGE and file.read(1):
            length += 1  # longer than its size
    return digest.hexdigest(), holes, length


def data_between(holes, size):
    starts = [0] + [start + length for start, length in holes]
    ends = [start for start, _ in holes] + [size]
    return [(start, end) for start, end in zip(starts, ends) if end > start]


def describe(path, name, found, groups):
    kind = KINDS[stat.S_IFMT(found.st_mode)]
    line = {"path": os.fsdecode(path).encode("utf-8", "backslashreplace").decode(), "kind": kind,
            "mode": oct(stat.S_IMODE(found.st_mode)), "uid": found.st_uid, "gid": found.st_gid, "mtime": str(found.st_mtime_ns),
            "xattrs": xattrs(name, path)}
    if kind == "file":
        line["size"] = found.st_size
        line["sha256"], line["holes"], line["length"] = content(name, found.st_size)
    if kind == "symlink":
        line["link"] = os.fsencode(os.readlink(name)).hex()
    if kind in ("character", "block"):
        line["device"] = [os.major(found.st_rdev), os.minor(found.st_rdev)]
    if kind != "directory":
        line["names"] = found.st_nlink
        line["same as"] = groups.setdefault((found.st_dev, found.st_ino), line["path"])
    return line


def walk(path, groups):
    """Describes the current directory; enters and leaves directories step by step, so that no path is too long."""
    for name in sorted(os.listdir(b".")):
        here = path + b"/" + name if path else name
        found = os.lstat(name)
        yield describe(here, name, found, groups)
        if stat.S_ISDIR(found.st_mode):
            back = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
            os.chdir(name)
            yield from walk(here, groups)
            os.fchdir(back)
            os.close(back)


def describe_tree(folder):
    back, groups = os.open(".", os.O_RDONLY | os.O_DIRECTORY), {}
    os.chdir(folder)
    yield describe(b"", b".", os.lstat(b"."), groups)
    yield from walk(b"", groups)
    os.fchdir(back)
    os.close(back)


def compare(found, expected):
    there, wanted = ({line["path"]: line for line in describe_tree(folder)} for folder in (found, expected))
    differences = [f"{path!r} should not be there" for path in there.keys() - wanted.keys()]
    for path, line in wanted.items():
        if path not in there:
            differences.append(f"{path!r} is missing")
            continue
        differences += [f"{path!r}: {key} is {there[path].get(key)!r:.300}, not {line.get(key)!r:.300}"
                        for key in sorted(line.keys() | there[path].keys()) if line.get(key) != there[path].get(key)]
    for difference in sorted(differences)[:50]:
        print(difference)
    return 1 if differences else 0


def main():
    sys.setrecursionlimit(20000)
    if sys.argv[1] == "--compare":
        return compare(sys.argv[2], sys.argv[3])
    for line in describe_tree(sys.argv[1]):
        print(json.dumps(line))


if __name__ == "__main__":
    sys.exit(main())
