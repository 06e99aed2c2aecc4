"""Tries every call that changes a file system, and prints the error of each.

    mutations.py FILE DIRECTORY

FILE is a file and DIRECTORY a directory, both on the file system in question. Prints a line for each
call: its name, and the name of its error, or `done`.
"""

import ctypes
import errno
import mmap
import os
import socket
import struct
import sys

FILE, DIRECTORY = (os.path.abspath(os.fsencode(word)) for word in sys.argv[1:3])
FRESH = DIRECTORY + b"/fresh"
BASE = os.path.basename(FILE)
HERE = os.path.dirname(FILE)
PARENT = os.open(DIRECTORY, os.O_RDONLY | os.O_DIRECTORY)
FOLDER = os.open(HERE, os.O_RDONLY | os.O_DIRECTORY)
OPEN = os.open(FILE, os.O_RDONLY)
libc = ctypes.CDLL(None, use_errno=True)

# From the kernel's headers; the newer calls have one number on every machine.
RENAMEAT2 = 316 if os.uname().machine == "x86_64" else 276
OPENAT2, FCHMODAT2 = 437, 452
AT_FDCWD, AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR = -100, 0x100, 0x200
NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4
FS_IOC_SETFLAGS, FICLONE = 0x40086602, 0x40049409
# An ACL: version 2, then the owner, user 1, the group, the mask, others.
ACL = struct.pack("<IHHIHHIHHI", 2, 1, 7, 0xFFFFFFFF, 4, 5, 0xFFFFFFFF, 32, 5, 0xFFFFFFFF)


def system(number, *arguments):
    plain = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    if libc.syscall(ctypes.c_long(number), *plain) == -1:
        raise OSError(ctypes.get_errno(), "")


def call(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), "")


def opening(flags, path=FILE, mode=0o600):
    return lambda: os.close(os.open(path, flags, mode))


def opened(change):
    """Changes a file through a descriptor, where opening it for writing succeeds."""

    def both():
        one = os.open(FILE, os.O_RDWR)
        try:
            change(one)
        finally:
            os.close(one)

    return both


def how(flags):
    return (ctypes.c_uint64 * 3)(flags, 0o600 if flags & os.O_CREAT else 0, 0)


def shared():
    mmap.mmap(OPEN, 1, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE).close()


def bound():
    with socket.socket(socket.AF_UNIX) as one:
        os.chdir(DIRECTORY)
        one.bind("fresh")


CALLS = {
    "open, to write": opening(os.O_WRONLY),
    "open, to read and write": opening(os.O_RDWR),
    "open, to append": opening(os.O_WRONLY | os.O_APPEND),
    "open, truncated": opening(os.O_WRONLY | os.O_TRUNC),
    "open, truncated, to read": opening(os.O_RDONLY | os.O_TRUNC),
    "open, made": opening(os.O_WRONLY | os.O_CREAT, FRESH),
    "open, made, to read": opening(os.O_RDONLY | os.O_CREAT, FRESH),
    "open, made alone": opening(os.O_WRONLY | os.O_CREAT | os.O_EXCL, FRESH),
    "open, without a name": opening(os.O_TMPFILE | os.O_RDWR, DIRECTORY),
    "open, by its number": opening(os.O_RDWR, b"/proc/self/fd/%d" % OPEN),
    "creat": lambda: call("creat", FRESH, 0o600),
    "creat, of what is there": lambda: call("creat", FILE, 0o600),
    "openat": lambda: os.close(os.open(BASE, os.O_RDWR, dir_fd=FOLDER)),
    "openat2": lambda: system(OPENAT2, FOLDER, BASE, how(os.O_RDWR), 24),
    "openat2, made": lambda: system(OPENAT2, PARENT, b"fresh", how(os.O_RDWR | os.O_CREAT), 24),
    "truncate": lambda: os.truncate(FILE, 0),
    "truncate, longer": lambda: os.truncate(FILE, 1 << 20),
    "mkdir": lambda: os.mkdir(FRESH),
    "mkdirat": lambda: os.mkdir("fresh", dir_fd=PARENT),
    "rmdir": lambda: os.rmdir(DIRECTORY),
    "unlinkat, of a directory": lambda: call("unlinkat", AT_FDCWD, DIRECTORY, AT_REMOVEDIR),
    "unlink": lambda: os.unlink(FILE),
    "unlinkat": lambda: os.unlink(BASE, dir_fd=FOLDER),
    "rename": lambda: os.rename(FILE, FRESH),
    "renameat": lambda: os.rename(BASE, "fresh", src_dir_fd=FOLDER, dst_dir_fd=PARENT),
    "renameat2, replacing nothing": lambda: system(RENAMEAT2, AT_FDCWD, FILE, AT_FDCWD, FRESH, NOREPLACE),
    "renameat2, exchanging": lambda: system(RENAMEAT2, AT_FDCWD, FILE, AT_FDCWD, DIRECTORY, EXCHANGE),
    "renameat2, with a whiteout": lambda: system(RENAMEAT2, AT_FDCWD, FILE, AT_FDCWD, FRESH, WHITEOUT),
    "rename, of a directory": lambda: os.rename(DIRECTORY, HERE + b"/fresh"),
    "link": lambda: os.link(FILE, FRESH),
    "linkat": lambda: os.link(BASE, "fresh", src_dir_fd=FOLDER, dst_dir_fd=PARENT),
    "symlink": lambda: os.symlink("x", FRESH),
    "symlinkat": lambda: os.symlink("x", "fresh", dir_fd=PARENT),
    "mknod, a pipe": lambda: os.mknod(FRESH, 0o010600),
    "mknod, a device": lambda: os.mknod(FRESH, 0o020600, os.makedev(1, 3)),
    "mknod, a file": lambda: os.mknod(FRESH, 0o100600),
    "mknodat": lambda: os.mknod("fresh", 0o010600, dir_fd=PARENT),
    "bind, of a socket": bound,
    "chmod": lambda: os.chmod(FILE, 0o777),
    "fchmod": lambda: os.fchmod(OPEN, 0o777),
    "fchmodat": lambda: os.chmod(BASE, 0o777, dir_fd=FOLDER),
    "fchmodat2": lambda: system(FCHMODAT2, FOLDER, BASE, 0o777, AT_SYMLINK_NOFOLLOW),
    "chmod, of a directory": lambda: os.chmod(DIRECTORY, 0o777),
    "chown": lambda: os.chown(FILE, 1, 1),
    "fchown": lambda: os.fchown(OPEN, 1, 1),
    "lchown": lambda: os.lchown(FILE, 1, 1),
    "fchownat": lambda: os.chown(BASE, 1, 1, dir_fd=FOLDER, follow_symlinks=False),
    "utime, to now": lambda: os.utime(FILE),
    "utimensat": lambda: os.utime(BASE, (1, 1), dir_fd=FOLDER),
    "utimensat, not followed": lambda: os.utime(FILE, (1, 1), follow_symlinks=False),
    "futimens": lambda: os.utime(OPEN, (1, 1)),
    "utimes, of a directory": lambda: os.utime(DIRECTORY, (1, 1)),
    "setxattr": lambda: os.setxattr(FILE, "user.new", b"1"),
    "lsetxattr": lambda: os.setxattr(FILE, "user.new", b"1", follow_symlinks=False),
    "fsetxattr": lambda: os.setxattr(OPEN, "user.new", b"1"),
    "setxattr, of a directory": lambda: os.setxattr(DIRECTORY, "user.new", b"1"),
    "setxattr, a list of permissions": lambda: os.setxattr(FILE, "system.posix_acl_access", ACL),
    "setxattr, trusted": lambda: os.setxattr(FILE, "trusted.new", b"1"),
    "removexattr": lambda: os.removexattr(FILE, "user.old"),
    "lremovexattr": lambda: os.removexattr(FILE, "user.old", follow_symlinks=False),
    "fremovexattr": lambda: os.removexattr(OPEN, "user.old"),
    "access, to write": lambda: call("access", FILE, os.W_OK),
    "faccessat, to write": lambda: call("faccessat", FOLDER, BASE, os.W_OK, 0),
    "ftruncate": lambda: os.ftruncate(OPEN, 0),
    "write": lambda: os.write(OPEN, b"x"),
    "pwritev2": lambda: os.pwritev(OPEN, [b"x"], 0),
    "fallocate": lambda: os.posix_fallocate(OPEN, 0, 1 << 20),
    "copy_file_range": lambda: os.copy_file_range(OPEN, OPEN, 1, 0, 0),
    "mmap, shared, to write": shared,
    "write, opened": opened(lambda one: os.write(one, b"x")),
    "pwritev2, opened": opened(lambda one: os.pwritev(one, [b"x"], 0)),
    "ftruncate, opened": opened(lambda one: os.ftruncate(one, 0)),
    "fallocate, opened": opened(lambda one: os.posix_fallocate(one, 0, 1 << 20)),
    "sendfile, opened": opened(lambda one: os.sendfile(one, OPEN, 0, 1)),
    "ioctl, to clone": lambda: call("ioctl", OPEN, ctypes.c_ulong(FICLONE), OPEN),
    "ioctl, flags": lambda: call("ioctl", OPEN, ctypes.c_ulong(FS_IOC_SETFLAGS), (ctypes.c_long * 1)(0)),
}


libc.syscall.restype = ctypes.c_long
for name, attempt in CALLS.items():
    try:
        attempt()
        outcome = "done"
    except OSError as error:
        outcome = errno.errorcode[error.errno]
    print(f"{name}\t{outcome}")
