"""Seeks in a directory with telldir(3) and seekdir(3), as file servers do.

    directory_positions.py DIRECTORY COUNT

Fails unless the directory has COUNT names, each once, and every position leads to the same name again, also after a read to the end.
"""

import ctypes
import random
import sys


class Entry(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64), ("length", ctypes.c_ushort), ("kind", ctypes.c_ubyte),
                ("name", ctypes.c_char * 256)]


libc = ctypes.CDLL(None, use_errno=True)
libc.opendir.restype = ctypes.c_void_p
libc.readdir.restype = ctypes.POINTER(Entry)
libc.telldir.restype = ctypes.c_long
libc.readdir.argtypes = libc.telldir.argtypes = libc.rewinddir.argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
folder = libc.opendir(sys.argv[1].encode())


def read():
    """Returns the next name and inode number, or None at the end."""
    ctypes.set_errno(0)
    entry = libc.readdir(folder)
    if not entry:
        assert ctypes.get_errno() == 0, ctypes.get_errno()
        return None
    return entry.contents.name, entry.contents.ino


def read_all():
    seen = []
    while True:
        position = libc.telldir(folder)
        found = read()
        if found is None:
            return seen
        seen.append((position, found))


seen = read_all()
names = {name for _, (name, _) in seen} - {b".", b".."}
assert len(names) == len(seen) - 2 == int(sys.argv[2]), (len(names), len(seen))
assert len({position for position, _ in seen}) == len(seen), "a position is given twice"
chance = random.Random(1)
for at in chance.sample(range(len(seen)), 2000) + [0, len(seen) - 1]:
    libc.seekdir(folder, seen[at][0])
    for _, expected in seen[at:at + chance.randrange(1, 50)]:
        assert read() == expected, (at, expected)
libc.rewinddir(folder)
assert read_all() == seen
