"""Checks inode numbers and file handles as the kernel reports them. Fails with the difference.

inode_numbers.py parent FOLDER          `..` is listed with the inode number of the parent
inode_numbers.py short TOP              all inode numbers below TOP fit into 32 bits, and listings agree with stat
inode_numbers.py keep PATH FILE         writes the handle of PATH to FILE
inode_numbers.py open DRIVE FILE PATH   the handle opens as PATH
inode_numbers.py stale DRIVE FILE       the handle is stale on this drive
"""
import ctypes
import errno
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, O_PATH = -100, 0o10000000


class Handle(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint), ("kind", ctypes.c_int), ("bytes", ctypes.c_ubyte * 128)]


class Entry(ctypes.Structure):
    _fields_ = [
        ("ino", ctypes.c_uint64),
        ("off", ctypes.c_int64),
        ("length", ctypes.c_ushort),
        ("kind", ctypes.c_ubyte),
        ("name", ctypes.c_char * 256),
    ]


libc.opendir.restype = ctypes.c_void_p
libc.readdir64.restype = ctypes.POINTER(Entry)
libc.readdir64.argtypes = libc.closedir.argtypes = [ctypes.c_void_p]


def listed(folder):
    stream = libc.opendir(os.fsencode(folder))
    assert stream, f"{folder}: {os.strerror(ctypes.get_errno())}"
    entries = {}
    while entry := libc.readdir64(stream):
        entries[os.fsdecode(entry.contents.name)] = entry.contents.ino
    libc.closedir(stream)
    return entries


def parent(folder):
    found, above = listed(folder), os.stat(os.path.dirname(folder)).st_ino
    assert found[".."] == above, f"{folder}: .. is {found['..']} and not {above}"
    assert found["."] == os.stat(folder).st_ino


def short(top):
    seen = {}
    for path, folders, files in os.walk(top):
        entries = listed(path)
        for name in folders + files:
            place = os.path.join(path, name)
            number = os.lstat(place).st_ino
            assert number < 2**32, f"{place}: {number}"
            assert entries[name] == number, f"{place}: listed as {entries[name]}, is {number}"
            if name in folders:
                assert seen.setdefault(number, place) == place, f"{place} and {seen[number]}"


def keep(path, file):
    handle, mount = Handle(128), ctypes.c_int()
    result = libc.name_to_handle_at(
        AT_FDCWD, os.fsencode(path), ctypes.byref(handle), ctypes.byref(mount), 0
    )
    assert result == 0, os.strerror(ctypes.get_errno())
    with open(file, "wb") as kept:
        kept.write(bytes(handle))
        kept.write(os.stat(path).st_ino.to_bytes(8, "little"))


def opened(drive, file):
    with open(file, "rb") as kept:
        text = kept.read()
    handle = Handle.from_buffer_copy(text)
    top = os.open(drive, os.O_RDONLY)
    found = libc.open_by_handle_at(top, ctypes.byref(handle), os.O_RDONLY)
    return found, ctypes.get_errno(), int.from_bytes(text[-8:], "little")


def open_again(drive, file, path):
    found, error, number = opened(drive, file)
    assert found >= 0, f"{path}: {os.strerror(error)}"
    assert os.fstat(found).st_ino == number == os.stat(path).st_ino, path
    if os.path.isdir(path):
        assert os.listdir(found) == os.listdir(path) and os.listdir(path)
    else:
        with open(path, "rb") as file:
            assert os.read(found, 1 << 20) == file.read()


def stale(drive, file):
    found, error, _ = opened(drive, file)
    assert found < 0 and error == errno.ESTALE, f"{found} {os.strerror(error)}"


{"parent": parent, "short": short, "keep": keep, "open": open_again, "stale": stale}[sys.argv[1]](
    *sys.argv[2:]
)
