"""Everything there is, read and compared."""

import os
import sys

from .base import (
    ANNOTATION, CHUNK, DATA_PACK, DESTINATION, Damaged, GENERATION, GENERATION_END, LIST, SESSION, HEARTBEAT, SNAPSHOT, TOMBSTONE,
    TREE, VERDICT, require)
from .primitives import padme
from .slots import KEY_FILE, MACHINE, PASSPHRASE, RECOVERY, REMOVAL
from .trees import Unpresentable, parse_list
from .records import (
    condemned_by, parse_annotation, parse_destination, parse_generation, parse_session, parse_heartbeat, parse_snapshot, parse_tombstones,
    parse_verdict)
from .repository import snapshots


class Check:
    """Reads everything there is. Each method reports what is wrong and goes on."""

    def __init__(self, repository):
        self.repository = repository
        self.problems = 0
        self.packs_present = {}   # id -> Pack, as it describes itself
        self.good_blobs = {}      # id -> (kind, length), of blobs whose name was recomputed
        self.trees_seen = set()
        self.lists_seen = set()

    def problem(self, text):
        self.problems += 1
        print(text)

    def attempt(self, name, action, *arguments):
        """The action's result, or None when what it read is damaged."""
        try:
            return action(*arguments)
        except (Damaged, OSError) as error:
            self.problem(f"{name}: {error}")
            return None

    def each(self, names, kind, parse):
        """Opens all objects of a kind; returns what `parse(id or number, content)` makes of them, by name."""
        results = {}
        for name, key in names:
            def read(name=name, key=key):
                results[name] = parse(key, self.repository.open_object(name, kind))
                self.padded(name)
            self.attempt(name, read)
        return results

    def padded(self, name):
        size = self.repository.size(name)
        require(size == padme(size), f"{size} bytes is not a Padmé length")

    def mine(self, found, destination):
        """Of what `each` found, what belongs to this destination."""
        return {name: value for name, (belongs, value) in found.items() if belongs == destination}

    def run(self):
        repository = self.repository
        for before, header in zip(repository.headers, repository.headers[1:]):
            if header.number != before.number + 1:
                print(f"{header.name}: there is a gap in the numbers of headers before it", file=sys.stderr)
        for name, slot_id in repository.ids("keys"):
            self.attempt(name, self.slot, name, slot_id)
        destination = self.each([("destination", None)], DESTINATION, lambda _, content: parse_destination(content))
        destination = destination.get("destination")
        sessions = self.each(repository.ids("sessions"), SESSION, lambda _, content: parse_session(content))
        verdicts = self.each(repository.verdicts(), VERDICT, lambda _, content: parse_verdict(content))
        self.each(repository.heartbeats(), HEARTBEAT, parse_heartbeat)
        generations = self.each(repository.generations(), GENERATION, parse_generation)
        ends = self.each(repository.generation_ends(), GENERATION_END, parse_generation)
        snapshots = self.each(repository.ids("snapshots"), SNAPSHOT, parse_snapshot)
        self.each(repository.annotations(), ANNOTATION, parse_annotation)
        parse = lambda named, content: parse_tombstones(*named, content)
        tombstones = self.each(repository.tombstones(), TOMBSTONE, parse)
        sessions, verdicts, generations, ends = (
            self.mine(found, destination) for found in (sessions, verdicts, generations, ends))

        for name, pack_id in repository.pack_names():
            self.attempt(name, self.pack, name, pack_id)
        self.indexes(condemned_by(generations, ends))

        forgotten = {snapshot_id for named in tombstones.values() for snapshot_id in named}
        committed = {i for name, ids in verdicts.items() if name.removesuffix(".end") in sessions for i in ids}
        for snapshot_id in sorted(committed - forgotten):
            name = f"snapshots/{snapshot_id.hex()}"
            if name in snapshots:
                self.attempt(name, self.tree, b"", snapshots[name].root)
            elif not os.path.exists(os.path.join(repository.path, name)):
                self.problem(f"{name}: committed, not forgotten, and missing")
        return self.problems

    def slot(self, name, slot_id):
        require("inbox" not in self.repository.FEATURES, "an inbox has no key slots")
        slot = self.repository.slot(name, slot_id)
        self.repository.verify_slot(slot)
        if slot.kind not in (REMOVAL, PASSPHRASE, KEY_FILE, RECOVERY, MACHINE):
            print(f"{name}: of a kind that this reader does not know ({slot.kind})", file=sys.stderr)

    def pack(self, name, pack_id):
        """Every byte of a pack."""
        repository = self.repository
        pack = repository.read_contents(name, pack_id)
        self.attempt(name, self.padded, name)
        self.packs_present[pack_id] = pack
        for number, frame in enumerate(pack.frames):
            self.attempt(f"{name}, frame {number}", self.frame, pack, number, frame)

    def frame(self, pack, number, frame):
        data = self.repository.read_frame(pack, number)
        at = 0
        for blob_id, length in frame.blobs:
            blob = data[at:at + length]
            at += length
            kinds = (CHUNK,) if pack.kind == DATA_PACK else (TREE, LIST)
            for kind in kinds:
                if self.repository.blob_id(kind, blob) == blob_id:
                    self.good_blobs[blob_id] = kind, length
                    break
            else:
                self.problem(f"{pack.name}, frame {number}: blob {blob_id.hex()} has another name")

    def indexes(self, condemned):
        """The indexes, and whether they say of each pack what the pack says itself."""
        repository = self.repository
        for name, _ in repository.indexes():
            self.attempt(name, repository.load_index, name, condemned)
            self.attempt(name, self.padded, name)
        for pack_id, pack in repository.packs.items():
            # An index may name packs that are not here; what needs one of them is found by what it needs.
            if pack != self.packs_present.get(pack_id, pack):
                self.problem(f"{pack.name}: the index describes it differently")

    def usable(self, blob_id, kind, length=None):
        """Whether a blob is both indexed and good."""
        require(blob_id in self.repository.blobs, f"blob {blob_id.hex()} is in no index")
        require(blob_id in self.good_blobs, f"blob {blob_id.hex()} is in no pack undamaged")
        found_kind, found_length = self.good_blobs[blob_id]
        require(found_kind == kind, f"blob {blob_id.hex()} is of another kind")
        require(length in (None, found_length), f"blob {blob_id.hex()} has another length")

    def tree(self, path, tree_id):
        """Everything below a tree; what another snapshot had already is not looked at twice."""
        todo = [(path, tree_id)]
        while todo:
            path, tree_id = todo.pop()
            if tree_id in self.trees_seen:
                continue
            self.trees_seen.add(tree_id)
            where = f"directory {'/' + path.decode('utf-8', 'backslashreplace')} ({tree_id.hex()})"
            for node in self.attempt(where, lambda tree_id=tree_id: list(self.repository.nodes(tree_id))) or []:
                here = path + b"/" + node.name if path else node.name
                shown = "/" + here.decode("utf-8", "backslashreplace")
                if isinstance(node, Unpresentable):
                    print(f"{shown}: needs a newer reader ({node.reason})", file=sys.stderr)
                    continue
                if node.tree is not None:
                    todo.append((here, node.tree))
                for data in [node.data] * (node.data is not None) + [data for _, data in node.streams]:
                    self.attempt(shown, self.content, data)

    def content(self, data):
        data = self.repository.settled(data)
        self.parts(data.depth, data.parts)

    def parts(self, depth, parts):
        for blob_id, length in parts:
            if depth is None:
                self.usable(blob_id, CHUNK, length)
            elif (blob_id, depth, length) not in self.lists_seen:
                self.usable(blob_id, LIST)
                below = parse_list(self.repository.blob(blob_id, LIST), depth, length)
                self.parts(depth - 1 if depth > 0 else None, below)
                self.lists_seen.add((blob_id, depth, length))
