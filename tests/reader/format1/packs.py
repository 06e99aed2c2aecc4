"""What a pack holds, as it or an index says (§6)."""

from dataclasses import dataclass

from .base import DATA_PACK, MAX_BLOB, MAX_FRAME, PREFIX, TAG, TREE_PACK, require
from .shapes import array_of, get, ids_of, uint


@dataclass
class Frame:
    offset: int   # in the pack
    sealed: int   # bytes there, with the tag
    length: int   # bytes of its blobs
    codec: int
    blobs: list   # of (id, length)


@dataclass
class Pack:
    name: str
    id: bytes
    kind: int
    size: int     # bytes of the whole pack
    frames: list

    @property
    def frames_end(self):
        return self.frames[-1].offset + self.frames[-1].sealed if self.frames else PREFIX


def parse_contents(contents, pack_id, kind, size):
    """The contents of a pack (§6), from the pack itself or from an index: they are the same map."""
    require(kind in (DATA_PACK, TREE_PACK), f"unknown kind of pack {kind}")
    numbers = get(contents, 1, array_of(uint))
    ids = get(contents, 2, ids_of)
    lengths = get(contents, 3, array_of(uint))
    require(len(numbers) % 4 == 0, "frames are not four numbers each")
    require(len(ids) == len(lengths), "as many ids as lengths of blobs are expected")
    frames, offset, first = [], PREFIX, 0
    for at in range(0, len(numbers), 4):
        sealed, length, codec, count = numbers[at:at + 4]
        require(codec in (0, 1), f"unknown codec {codec}")
        require(TAG <= sealed < 1 << 32, "sealed length of a frame out of range")
        require(codec == 1 or sealed == length + TAG, "lengths of a frame do not agree")
        require(length <= MAX_FRAME, "frame too long")
        require(1 <= count <= len(ids) - first, "frame without blobs, or more blobs than ids")
        blobs = list(zip(ids[first:first + count], lengths[first:first + count]))
        require(all(n <= MAX_BLOB for _, n in blobs), "blob too long")
        require(sum(n for _, n in blobs) == length, "lengths of blobs and of their frame do not agree")
        frames.append(Frame(offset, sealed, length, codec, blobs))
        offset, first = offset + sealed, first + count
    require(first == len(ids), "more ids than blobs in frames")
    return Pack(f"packs/{pack_id.hex()[:2]}/{pack_id.hex()}", pack_id, kind, size, frames)
