"""The data sets, made once and kept in the cache folder, and the change that is made to their copies."""

import dataclasses
import os
import random
import shutil
import subprocess

MB = 1_000_000
MIB = 1 << 20
BIG = MIB            # files from here on are deleted early, to bound the disk that is needed
CHANGE_IN_PLACE = 16 * MIB


@dataclasses.dataclass
class Data:
    """A data set: its path, and whether the design's bars for sizes and memory apply to it."""

    name: str
    path: str
    says: str
    barred: bool


def cargo_sources():
    """Returns the folder of the crates that cargo has unpacked here."""
    home = os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")
    return os.path.join(home, "registry", "src")


def find_data(name, cache, given, scale):
    """Finds a data set, or makes it."""
    if name == "sources":
        path = os.path.abspath(given or cargo_sources())
        if not os.path.isdir(path):
            raise SystemExit(f"the sources at {path} are not there; give another folder with --data")
        return Data(name, path, "a folder of one's own" if given else "the sources of crates, as cargo unpacks them", not given)
    make, says = {"large": (make_large, "random bytes, and a tar of sources cut at 373 MB"),
                  "small": (make_small, "files of about 300 bytes, in folders of 1,000")}[name]
    path = os.path.join(cache, "data", name if scale == 1 else f"{name}-{scale:g}")
    if not os.path.isdir(path):
        half = path + ".half"
        shutil.rmtree(half, ignore_errors=True)
        os.makedirs(half)
        make(half, scale)
        os.rename(half, path)
    return Data(name, path, says, scale == 1)


def make_large(folder, scale):
    """Makes 1.5 GB that can't be compressed, and 373 MB of a tar that can."""
    rnd = random.Random(1)
    os.makedirs(folder + "/images")
    os.makedirs(folder + "/archives")
    left = int(1500 * MB * scale)
    with open(folder + "/images/random.img", "wb") as file:
        while left:
            piece = rnd.randbytes(min(left, MIB))
            file.write(piece)
            left -= len(piece)
    sources = cargo_sources()
    if not os.path.isdir(sources):
        raise SystemExit(f"the sources at {sources} are not there, of which the tar is made; run `cargo fetch` first")
    left = int(373 * MB * scale)
    tar = subprocess.Popen(["tar", "--sort=name", "-cf", "-", "-C", sources, "."], stdout=subprocess.PIPE)
    with tar, open(folder + "/archives/sources.tar", "wb") as file:
        while left and (piece := tar.stdout.read(min(left, MIB))):
            file.write(piece)
            left -= len(piece)
        tar.stdout.close()


def make_small(folder, scale):
    """Makes records of little text and many random digits: about 125 bytes each when compressed alone, 65 when compressed together."""
    rnd = random.Random(2)
    for number in range(int(200_000 * scale)):
        name = f"{folder}/{number // 20_000:02}/{number // 1_000 % 20:02}/record-{number:06}.txt"
        if number % 1_000 == 0:
            os.makedirs(os.path.dirname(name))
        token, state = rnd.randbytes(50).hex(), rnd.choice(["new", "open", "done", "lost"])
        with open(name, "w") as file:
            file.write(f"record {number}: {state}\nnow    {token}\nbefore {token}\nfirst  {token}\n")


@dataclasses.dataclass
class Survey:
    """The files of a folder: counted once, to be compared with what the tools restore and to choose what they read."""

    entries: int = 0
    files: list = dataclasses.field(default_factory=list)     # (path below the folder, size), sorted
    bytes: int = 0
    folder: str = ""                                          # a folder below it with about a tenth of everything

    def largest(self):
        """Returns the largest file."""
        return max(self.files, key=lambda file: file[1])[0]

    def places(self, count):
        """Draws `count` places to read 4 KiB at, uniformly over all bytes."""
        rnd = random.Random(3)
        chosen = rnd.choices(self.files, [size for _, size in self.files], k=count)
        return [(path, rnd.randrange(max(1, size - 4096 + 1))) for path, size in chosen]


def survey(folder):
    """Walks a folder once."""
    found, below = Survey(entries=1), {}
    for path, _, size in walk(folder):
        found.entries += 1
        if size is None:
            continue
        relative = os.path.relpath(path, folder)
        found.files.append((relative, size))
        found.bytes += size
        for depth in range(1, min(4, relative.count("/")) + 1):
            above = "/".join(relative.split("/")[:depth])
            below[above] = below.get(above, 0) + size + 4096
    found.files.sort()
    tenth = sum(size + 4096 for _, size in found.files) / 10
    found.folder = min(below, key=lambda name: (abs(below[name] - tenth), name), default="")
    return found


def walk(folder):
    """Yields (path, entry, size of a regular file or None) of everything below a folder."""
    pending = [folder]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                regular = entry.is_file(follow_symlinks=False)
                yield entry.path, entry, entry.stat(follow_symlinks=False).st_size if regular else None
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)


def change(folder, found):
    """Changes 1 % of a copy: a line more in each hundredth file; in large files, 1 MiB of each 100 anew. Returns how many."""
    rnd, changed = random.Random(7), 0
    few = min(50, len(found.files) - 1)
    for number, (relative, size) in enumerate(found.files):
        path = os.path.join(folder, relative)
        if size >= CHANGE_IN_PLACE:
            with open(path, "r+b") as file:
                for start in range(0, size, 100 * MIB):
                    file.seek(start + rnd.randrange(max(1, min(100 * MIB, size - start) - MIB)))
                    file.write(rnd.randbytes(MIB))
        elif number % 100 == few:
            with open(path, "ab") as file:
                file.write(b"changed\n")
        else:
            continue
        changed += 1
    return changed


def drop_big_files(folder):
    """Deletes the big files below a folder. Few inodes go; freeing many just before a timed step would make ext4 create files
    ten times slower, so everything else stays until the very end."""
    for path, _, size in walk(folder):
        if size is not None and size >= BIG:
            os.unlink(path)


def total(folder):
    """Returns (regular files, their bytes) below a folder."""
    sizes = [size for _, _, size in walk(folder) if size is not None]
    return len(sizes), sum(sizes)
