"""A repository in a folder: its objects by name, its blobs, its snapshots."""

import hmac
import os
import re
import sys
from collections import OrderedDict

from .base import (
    CHUNK, DATA_PACK, DESTINATION, Damaged, GENERATION, GENERATION_END, INDEX, LIST, MAX_CONTENT, MAX_HEADER, MAX_OBJECT, MAX_PASSPHRASES,
    MAX_RECORD, PREFIX, PURPOSE, PURPOSE_KEY, RECORDS, Refused, SALT_IS_ID, SESSION, SNAPSHOT, TAG, TOMBSTONE, TRAILER, TREE, TREE_PACK, VERDICT, require)
from .cbor import cbor_decode
from .shapes import anything, array_of, bstr32, get, uint
from .primitives import decompress, gcm_open, hkdf, hkdf_expand, mac, unpad
from .slots import PASSPHRASE, parse_slot
from .packs import parse_contents
from .trees import Node, parse_holes, parse_list, parse_tree, settle, with_holes
from .records import condemned_by, parse_destination, parse_generation, parse_session, parse_snapshot, parse_tombstones, parse_verdict
from .header import parse_header


class Repository:
    FEATURES = set()  # of the header, that are known

    def __init__(self, path):
        """Reads the headers as far as that goes without a key; `unlock` does the rest."""
        self.path = path
        self.packs = {}               # id -> Pack, of all packs that an index describes
        self.blobs = {}               # id -> list of (Pack, number of frame, offset in frame, length)
        self.pack_keys = {}
        self.frame_cache = OrderedDict()
        names = [("yore.cbor", 0), *self.numbered("headers", 16)]
        self.headers = [self.header(name, number) for name, number in names]
        self.id = self.headers[-1].id
        for older, newer in zip(self.headers, self.headers[1:]):
            require(newer.number > 0 and newer.id == older.id, f"{newer.name}: is of another repository")
            lacking = set(older.writing) - set(newer.writing) | set(older.features) - set(newer.features)
            require(not lacking, f"{newer.name}: lacks features of the header before it")

    def header(self, name, number):
        try:
            return parse_header(name, number, self.read(name, MAX_HEADER), self.FEATURES)
        except Damaged as error:
            raise Damaged(f"{name}: {error}") from None

    # Files

    def read(self, name, most, offset=0, length=None):
        with open(os.path.join(self.path, name), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = size - offset if length is None else length
            require(length <= most, f"{name}: too long")
            require(0 <= offset and 0 <= length and offset + length <= size, f"{name}: cut short")
            file.seek(offset)
            data = file.read(length)
        require(len(data) == length, f"{name}: cut short")
        return data

    def size(self, name):
        return os.path.getsize(os.path.join(self.path, name))

    def names(self, folder, pattern):
        """(name, id) of the objects in a folder; what is not named like an object is ignored (§1)."""
        path = os.path.join(self.path, folder)
        found = []
        for entry in sorted(os.listdir(path)) if os.path.isdir(path) else []:
            match = re.fullmatch(pattern, entry)
            if match:
                found.append((f"{folder}/{entry}", bytes.fromhex(match[1])))
        return found

    def ids(self, folder):
        return self.names(folder, "([0-9a-f]{64})")

    def numbered(self, folder, digits, before="", after=""):
        return [(name, int.from_bytes(number, "big"))
                for name, number in self.names(folder, f"{before}([0-9a-f]{{{digits}}}){after}")]

    def indexes(self):
        """(name, id) of the indexes, the highest level first (§7)."""
        found = self.names("index", r"([0-9a-f]{64})(?:\.[1-9a-f])?")
        return sorted(found, key=lambda named: named[0].partition(".")[2], reverse=True)

    def tombstones(self):
        """(name, (name, id)) of the objects of tombstones: those of one snapshot, and lists with a level (§11)."""
        return [(name, (name, i)) for name, i in self.names("forgotten", r"([0-9a-f]{64})(?:\.[1-9a-f])?")]

    def verdicts(self):
        return self.names("sessions", r"([0-9a-f]{64})\.end")

    def heartbeats(self):
        return self.numbered("sessions", 8, before=r"[0-9a-f]{64}\.")

    def annotations(self):
        """(name, id of the snapshot) of the annotations."""
        return self.names("annotations", r"([0-9a-f]{64})\.[0-9a-f]{8}")

    def generations(self):
        return self.numbered("gc", 16)

    def generation_ends(self):
        return self.numbered("gc", 16, after=r"\.end")

    def pack_names(self):
        return [found for high in range(256) for found in self.names(f"packs/{high:02x}", f"({high:02x}[0-9a-f]{{62}})")]

    # Keys

    def slot(self, name, slot_id):
        return parse_slot(self.read(name, MAX_HEADER), slot_id, self.id)

    def unlock(self, kind, secret):
        problem = Refused("no key slot opens with this secret")
        for masters in self.masters(kind, secret):
            self.use(masters)
            try:
                # An interrupted change of the keys may have left a slot whose newest generation no header has put in force,
                # and one from before it may still be there.
                for header in reversed(self.headers):
                    self.verify_header(header)
                return
            except Damaged as error:
                problem = error
        raise problem

    def use(self, masters):
        """Derives all keys from the master secrets."""
        self.purpose_keys = {
            (purpose, generation): hkdf_expand(master, b"yore/1 purpose " + purpose.encode() + b"\0" + self.id, 32)
            for generation, master in masters.items() for purpose in {"id", "header", "machines", *PURPOSE.values()}}

    def verify_header(self, header):
        require(hmac.compare_digest(self.tag(header.generation, header.body), header.tag), f"{header.name}: does not authenticate")

    def masters(self, kind, secret):
        """The master secrets by their generation, of each key slot that opens."""
        tried = 0
        for name, slot_id in self.ids("keys"):
            try:
                slot = self.slot(name, slot_id)
                if slot.kind != kind or kind == PASSPHRASE and tried == MAX_PASSPHRASES:
                    continue
                tried += 1
                masters = slot.open(secret, self.id)
            except Damaged as error:
                print(f"{name}: {error}", file=sys.stderr)  # another slot may do
                continue
            if masters is not None:
                yield masters

    def purpose_key(self, purpose, generation):
        require((purpose, generation) in self.purpose_keys, f"generation {generation} of the master secret is not known")
        return self.purpose_keys[purpose, generation]

    def tag(self, generation, data):
        return mac(self.purpose_key("header", generation), data)

    def verify_slot(self, slot):
        """§4 does not say under which generation of the master secret a slot's tag is made: any that is known."""
        generations = {generation for _, generation in self.purpose_keys}
        require(any(hmac.compare_digest(self.tag(generation, slot.tagged), slot.tag) for generation in generations),
                "its tag is wrong")

    def object_key(self, name, kind, prefix):
        """Checks an object's prefix (§2) and returns its AES key."""
        require(len(prefix) == PREFIX and prefix[:5] == b"yore\x01", "does not begin as an object of version 1")
        require(prefix[5] == kind, "is of another kind than its name")
        require(prefix[6] == self.wrapping(kind), f"has the wrapping {prefix[6]}, which objects of its kind may not have here")
        salt, commitment = prefix[8:40], prefix[40:72]
        if kind in SALT_IS_ID:
            require(salt.hex() == name.rpartition("/")[2].partition(".")[0], "salt is not the id in its name")
        info = b"yore/1 object\0" + bytes([kind]) + self.id
        derived = hkdf(self.object_secret(kind, prefix), salt, info, 64)
        require(hmac.compare_digest(derived[32:], commitment), "key commitment is wrong")
        return derived[:32]

    def wrapping(self, kind):
        """The only one that objects of a kind have here."""
        return PURPOSE_KEY

    def object_secret(self, kind, prefix):
        """From what an object's key derives."""
        return self.purpose_key(PURPOSE[kind], prefix[7])

    def sealed_part(self, name, kind, whole):
        """What is sealed of an object that is sealed whole."""
        return whole[PREFIX:]

    def associated(self, name, prefix, position=b""):
        return prefix + self.id + name.encode("ascii") + b"\0" + position

    def open_object(self, name, kind):
        """The content of an object sealed whole (§5)."""
        whole = self.read(name, MAX_OBJECT)
        prefix = whole[:PREFIX]
        key = self.object_key(name, kind, prefix)
        sealed = self.sealed_part(name, kind, whole)
        most = MAX_RECORD if kind in RECORDS else MAX_CONTENT
        return unpad(gcm_open(key, bytes(12), sealed, self.associated(name, prefix)), most)

    def blob_id(self, kind, blob):
        return mac(self.purpose_key("id", 1), bytes([kind]) + blob)

    # Packs

    def pack_key(self, pack):
        """The pack's AES key and its prefix."""
        if pack.id not in self.pack_keys:
            prefix = self.read(pack.name, PREFIX, 0, PREFIX)
            self.pack_keys[pack.id] = self.object_key(pack.name, pack.kind, prefix), prefix
        return self.pack_keys[pack.id]

    def read_frame(self, pack, number):
        """The blobs of a frame, concatenated (§6)."""
        frame = pack.frames[number]
        key, prefix = self.pack_key(pack)
        sealed = self.read(pack.name, frame.sealed, frame.offset, frame.sealed)
        position = b"".join(n.to_bytes(4, "big") for n in (number, frame.sealed, frame.length)) + bytes([frame.codec])
        nonce = bytes(4) + (number + 1).to_bytes(8, "big")
        return decompress(frame.codec, gcm_open(key, nonce, sealed, self.associated(pack.name, prefix, position)), frame.length)

    def read_contents(self, name, pack_id):
        """A pack as it describes itself in its contents."""
        size = self.size(name)
        trailer = self.read(name, TRAILER, size - TRAILER, TRAILER)
        require(trailer[-4:] == b"yend", "trailer does not end a pack")
        prefix = self.read(name, PREFIX, 0, PREFIX)
        kind = prefix[5]
        require(kind in (DATA_PACK, TREE_PACK), "is not a pack")
        key = self.object_key(name, kind, prefix)
        position = b"\xff\xff\xff\xfe" + bytes(8) + b"\xfe"
        place = gcm_open(key, bytes(4) + b"\xff" * 7 + b"\xfe", trailer[:-4], self.associated(name, prefix, position))
        offset, length = int.from_bytes(place[:8], "big"), int.from_bytes(place[8:], "big")
        require(offset + length + TRAILER == size and offset >= PREFIX, "trailer and size do not agree")
        position = b"\xff" * 4 + length.to_bytes(4, "big") + bytes(4) + b"\xff"
        sealed = self.read(name, MAX_OBJECT, offset, length)
        plaintext = gcm_open(key, bytes(4) + b"\xff" * 8, sealed, self.associated(name, prefix, position))
        pack = parse_contents(cbor_decode(unpad(plaintext)), pack_id, kind, size)
        require(pack.frames_end == offset, "frames do not end where the contents begin")
        return pack

    # The index

    def load_index(self, name, condemned=frozenset()):
        """Takes over what an index says of packs; returns the ids of the indexes that it replaces."""
        content = cbor_decode(self.open_object(name, INDEX))
        for entry in get(content, 1, array_of(anything)):
            pack_id, kind, size = get(entry, 1, bstr32), get(entry, 2, uint), get(entry, 3, uint)
            pack = parse_contents(get(entry, 4, anything), pack_id, kind, size)
            require(pack.frames_end + TAG + TRAILER < size, f"{pack.name}: frames do not fit the size")
            if pack_id in self.packs:
                require(self.packs[pack_id] == pack, f"{pack.name}: described differently")
                continue
            self.packs[pack_id] = pack
            for number, frame in enumerate(pack.frames):
                at = 0
                for blob_id, length in frame.blobs:
                    copies = self.blobs.setdefault(blob_id, [])
                    # Copies in packs that prune may take away come last.
                    copies.insert(len(copies) if pack_id in condemned else 0, (pack, number, at, length))
                    at += length
        return get(content, 2, array_of(bstr32), [])

    def blob(self, blob_id, kind):
        """A blob's bytes; any good copy will do."""
        problem = Damaged(f"blob {blob_id.hex()} is in no pack")
        for pack, number, at, length in self.blobs.get(blob_id, []):
            try:
                data = self.frame_cache.pop((pack.id, number), None)
                data = self.read_frame(pack, number) if data is None else data
                self.frame_cache[pack.id, number] = data
                if len(self.frame_cache) > 32:
                    self.frame_cache.popitem(last=False)
                blob = data[at:at + length]
                require(self.blob_id(kind, blob) == blob_id, f"blob {blob_id.hex()} has another name")
                return blob
            except (Damaged, OSError) as error:
                problem = Damaged(f"{pack.name}: {error}")
        raise problem

    # Snapshots

    def destination(self):
        """What this copy of the repository is called; only sessions and generations that carry it count (§11)."""
        return parse_destination(self.open_object("destination", DESTINATION))

    def mine(self, kind, parse, named):
        """name -> what `parse(id or number, content)` makes of the objects of a kind that belong to this destination."""
        destination = self.destination()
        return {name: value for name, _, (belongs, value) in self.readable(kind, parse, named) if belongs == destination}

    def opened(self, kind, parse, named):
        """(name, id or number, what `parse` makes of it) of objects of a kind."""
        for name, key in named:
            yield name, key, parse(key, self.open_object(name, kind))

    def readable(self, kind, parse, named):
        """As `opened`, without what is damaged: it commits, condemns and forgets nothing (§11)."""
        for name, key in named:
            try:
                yield from self.opened(kind, parse, [(name, key)])
            except Damaged as error:
                print(f"{name}: {error}", file=sys.stderr)

    def condemned(self):
        """Packs that a generation of prune condemns and its end does not keep."""
        generations = self.mine(GENERATION, parse_generation, self.generations())
        ends = self.mine(GENERATION_END, parse_generation, self.generation_ends())
        return condemned_by(generations, ends)

    def committed(self):
        """Ids of the snapshots that count: a verdict commits them, its session is there, no tombstone names them (§11)."""
        sessions = self.mine(SESSION, lambda _, content: parse_session(content), self.ids("sessions"))
        verdicts = self.mine(VERDICT, lambda _, content: parse_verdict(content), self.verdicts())
        ids = {snapshot for name, snapshots in verdicts.items() if name.removesuffix(".end") in sessions
               for snapshot in snapshots}
        parse = lambda named, content: parse_tombstones(*named, content)
        return ids - {i for _, _, named in self.readable(TOMBSTONE, parse, self.tombstones()) for i in named}

    def snapshot(self, snapshot_id):
        name = f"snapshots/{snapshot_id.hex()}"
        return parse_snapshot(snapshot_id, self.open_object(name, SNAPSHOT))

    def nodes(self, tree_id):
        """The nodes of one directory, in order, of however many leaves."""
        nodes, leaves = parse_tree(self.blob(tree_id, TREE))
        if nodes is not None:
            yield from nodes
            return
        last = b""
        for first, leaf_id, count in leaves:
            nodes, deeper = parse_tree(self.blob(leaf_id, TREE))
            require(deeper is None, "leaf of a directory has leaves")
            require(len(nodes) == count and nodes[0].name == first and last < first, "leaf and its description do not agree")
            last = nodes[-1].name
            yield from nodes

    def walk(self, tree_id):
        """(path, node) of everything below a root tree, each directory before what is in it."""
        stack = [(b"", self.nodes(tree_id))]
        while stack:
            path, nodes = stack[-1]
            node = next(nodes, None)
            if node is None:
                stack.pop()
                continue
            here = path + node.name
            yield here, node
            if isinstance(node, Node) and node.tree is not None:
                stack.append((here + b"/", self.nodes(node.tree)))

    def chunks(self, depth, parts):
        """(id, length) of the chunks under lists of a depth; None: `parts` are chunks already (§9)."""
        if depth is None:
            yield from parts
            return
        for list_id, length in parts:
            below = parse_list(self.blob(list_id, LIST), depth, length)
            yield from self.chunks(depth - 1 if depth > 0 else None, below)

    def settled(self, data):
        """The data with its holes read from their list blobs, if that is where they are."""
        if data.holes is not None:
            return data
        numbers = []
        for blob_id in data.hole_lists:
            numbers += array_of(uint)(cbor_decode(self.blob(blob_id, LIST)))
        return settle(data, parse_holes(numbers))

    def bytes_of(self, data):
        """All bytes of a file or of a stream, in pieces, with zeros for holes."""
        data = self.settled(data)
        return with_holes(self.pieces(data), data.holes)

    def pieces(self, data):
        if data.small is not None:
            yield data.small
        for chunk_id, length in self.chunks(data.depth, data.parts):
            chunk = self.blob(chunk_id, CHUNK)
            require(len(chunk) == length, f"chunk {chunk_id.hex()} has another length than stated")
            yield chunk


def load_indexes(repository):
    condemned = repository.condemned()
    replaced = set()
    for name, index_id in repository.indexes():
        if index_id in replaced:
            continue
        try:
            replaced.update(repository.load_index(name, condemned))
        except Damaged as error:
            raise Damaged(f"{name}: {error}") from None


def snapshots(repository):
    """The snapshots that count, oldest first."""
    return sorted(map(repository.snapshot, repository.committed()), key=lambda s: (s.time, s.id))
