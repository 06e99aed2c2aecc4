#!/usr/bin/python3
"""Makes a folder with every kind of file, name, time and attribute. Prints a line for each that was left out, because this user
may not make it or the file system does not keep it.

    file_kinds.py [--small] FOLDER      --small leaves out what takes space, for repositories that are kept
"""

import os
import random
import socket
import struct
import sys

RANDOM = random.Random(1)


def write(name, data):
    with open(name, "wb") as file:
        file.write(data)


def attempt(what, action, *arguments, **more):
    """Runs a step that needs privileges or a feature of the file system; prints a line when it fails."""
    try:
        action(*arguments, **more)
        return True
    except OSError as error:
        print(f"{what}: {error.strerror}")
        return False


def sizes(small):
    for size in (0, 1, 63, 64, 65, 511, 512, 513, 4095, 4096, 4097, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1):
        write(f"random-{size}", RANDOM.randbytes(size if not small or size < 5000 else 100))
    write("zeros", bytes(300_000 if not small else 3000))
    write("text", b"all work and no play\n" * (20_000 if not small else 100))
    if not small:
        write("large", RANDOM.randbytes(2 << 20))
        write("larger", RANDOM.randbytes((2 << 20) + 1))
        write("largest", RANDOM.randbytes(37 << 20) + bytes(5 << 20) + RANDOM.randbytes(123))
        write("same as larger", open("larger", "rb").read())


def sparse(small):
    def make(name, length, *pieces):
        with open(name, "wb") as file:
            file.truncate(length)
            for at, data in pieces:
                file.seek(at)
                file.write(data)
    block = RANDOM.randbytes(4096)
    make("all hole", 10 << 20)
    make("all hole, odd", (10 << 20) + 17)
    make("hole first", 8 << 20, ((8 << 20) - 4096, block))
    make("hole last", 8 << 20, (0, block))
    make("hole last, odd", (8 << 20) + 1, (0, block))
    make("holes between", 64 << 20, *((n << 20, block) for n in range(0, 64, 3)))
    make("many holes", 4 << 20, *((n * 16384, block[:100]) for n in range(256)))
    huge = 1 << 26 if small else 1 << 40  # a second reader that reads every byte can't afford the large one
    make("huge", huge, (huge >> 8, block), (huge - 4096, block))


def names():
    for name in (b"\xff\xfe not UTF-8 \x80", b"a\nnew line", b"-rf", b"*", b" ", b"\\", b"\"quoted\" 'twice'", b"\x01\x1b[31mred",
                 b"x" * 255, "é".encode() * 127, b"...", b".hidden", "ａ wide".encode(), b"trailing ", b"con", b"a:b", b"e\xcc\x81",
                 b"\xc3\xa9"):
        write(name, name)
    os.mkdir(b"d\xff")
    write(b"d\xff/\xfe", b"inside")


def times():
    second = 1_000_000_000
    for name, ns in (("epoch", 0), ("before 1970", -1), ("1901", -2_147_483_648 * second), ("long before", -2_100_000_000 * second + 5),
                     ("2038", 2_147_483_648 * second + 999_999_999), ("2262", 9_223_372_036 * second + 854_775_808),
                     ("2400", 13_569_465_600 * second + 123_456_789), ("ns", 1_600_000_000 * second + 1)):
        write(name, name.encode())
        os.utime(name, ns=(ns, ns))
        if os.stat(name).st_mtime_ns != ns:
            print(f"time {name}: the file system keeps {os.stat(name).st_mtime_ns}")
    os.mkdir("old folder")
    write("old folder/file", b"")
    os.utime("old folder", ns=(12345, 12345))
    os.symlink("nowhere", "old link")
    os.utime("old link", ns=(54321, 54321), follow_symlinks=False)


def links():
    os.symlink("text", "link")
    os.symlink("/absolute/and/../not there", "dangling")
    os.symlink(b"\xff\n", "link to bytes")
    os.symlink("x" * 4000, "long link")
    os.symlink(".", "loop")
    write("one", b"of three names")
    os.mkdir("other")
    os.link("one", "two")
    os.link("one", "other/three")
    os.mkfifo("pipe")
    os.link("pipe", "other/pipe")
    os.link("link", "other/link", follow_symlinks=False)


def special(root):
    os.mkfifo("fifo", 0o640)
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.close()
    for name, kind, device in (("null", 0o020666, (1, 3)), ("high", 0o020600, (259, 70000)), ("disk", 0o060660, (8, 0))):
        if not attempt(f"device {name}", os.mknod, name, kind, os.makedev(*device)):
            continue
        os.chmod(name, kind & 0o777)


def modes():
    for mode in (0o000, 0o400, 0o644, 0o755, 0o4755, 0o2755, 0o6711, 0o1777, 0o7777):
        if os.geteuid() != 0 and not mode & 0o400:
            print(f"mode {mode:o}: nobody but root could read it")
            continue
        write(f"f{mode:o}", b"m")
        os.chmod(f"f{mode:o}", mode)
        if os.geteuid() == 0 or mode & 0o500 == 0o500:
            os.mkdir(f"d{mode:o}")
            os.chmod(f"d{mode:o}", mode)


def owners():
    for name, uid, gid in (("daemon's", 1, 1), ("nobody's", 65534, 65534), ("a stranger's", 123456, 7654321)):
        write(name, b"o")
        attempt(f"owner {uid}", os.chown, name, uid, gid)
    os.symlink("nobody's", "stranger's link")
    attempt("owner of a link", os.chown, "stranger's link", 4321, 8765, follow_symlinks=False)
    write("setuid of nobody", b"o")
    if attempt("setuid of nobody", os.chown, "setuid of nobody", 65534, 65534):
        os.chmod("setuid of nobody", 0o6755)


def acl(*entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, perm, who & 0xffffffff) for tag, perm, who in entries)


def attributes(small):
    write("with attributes", b"x")
    for name, value in (("user.plain", b"value"), ("user.empty", b""), ("user.bytes", bytes(range(256))),
                        ("user.long", b"L" * (2000 if not small else 300)), ("user." + "n" * 240, b"long name")):
        attempt(f"attribute {name[:20]}", os.setxattr, "with attributes", name, value)
    os.mkdir("folder with attributes")
    attempt("attribute of a folder", os.setxattr, "folder with attributes", "user.folder", b"1")
    attempt("trusted attribute", os.setxattr, "with attributes", "trusted.overlay", b"t")
    attempt("trusted attribute of a link", lambda: (os.symlink("x", "link with attributes"),
            os.setxattr("link with attributes", "trusted.of-a-link", b"l", follow_symlinks=False)))
    write("capable", b"#!/bin/true\n")
    os.chmod("capable", 0o755)
    capability = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)  # cap_net_bind_service+ep
    attempt("capability", os.setxattr, "capable", "security.capability", capability)
    user, group, mask = (2, 6, 65534), (8, 4, 1), (16, 6, -1)
    write("with an ACL", b"acl")
    os.chmod("with an ACL", 0o640)
    attempt("ACL", os.setxattr, "with an ACL", "system.posix_acl_access",
            acl((1, 6, -1), user, (4, 4, -1), group, mask, (32, 0, -1)))
    os.mkdir("folder with ACLs")
    attempt("default ACL", os.setxattr, "folder with ACLs", "system.posix_acl_default",
            acl((1, 7, -1), user, (4, 5, -1), mask, (32, 0, -1)))
    # New files inherit the ACL of their directory; restored files must have their own.
    write("folder with ACLs/inherits", b"i")
    write("folder with ACLs/does not", b"n")
    attempt("ACL removed", os.removexattr, "folder with ACLs/does not", "system.posix_acl_access")
    os.chmod("folder with ACLs/does not", 0o604)


def deep(levels):
    back = os.open(".", os.O_RDONLY)
    for level in range(levels):
        name = f"{level:02}" + "d" * 198
        os.mkdir(name)
        os.chdir(name)
    write("bottom", b"far below PATH_MAX")
    os.symlink("bottom", "link")
    os.fchdir(back)
    os.close(back)


def many(count):
    for number in range(count):
        write(f"{number * 7919 % 100_000:05}-{number}", b"%d" % number)


def main():
    small = "--small" in sys.argv
    os.makedirs(sys.argv[-1], exist_ok=True)
    os.chdir(sys.argv[-1])
    os.umask(0o022)
    top = os.open(".", os.O_RDONLY)
    parts = [("sizes", sizes, [small]), ("sparse", sparse, [small]), ("names", names, []), ("times", times, []), ("links", links, []),
             ("special", special, [None]), ("modes", modes, []), ("owners", owners, []), ("attributes", attributes, [small]),
             ("deep", deep, [3 if small else 25]), ("many", many, [10 if small else 10_000]), ("empty", lambda: None, [])]
    for name, make, arguments in parts:
        os.mkdir(name)
        os.chdir(name)
        make(*arguments)
        os.fchdir(top)


if __name__ == "__main__":
    main()
