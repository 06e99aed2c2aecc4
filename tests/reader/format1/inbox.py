"""The inbox of a write-only machine, as its owner sees it (§15)."""

import os
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .base import (
    ANNOTATION, DATA_PACK, Damaged, GENERATION, GENERATION_END, PREFIX, PUBLIC_KEY, PURPOSE_KEY, Refused, SIGNATURE, SIGNED,
    SNAPSHOT, TOMBSTONE, require)
from .hpke import derive_private, receive_export
from .primitives import hkdf_expand, mac
from .repository import Repository
from .slots import MACHINE, MACHINE_NAME

WRAPPINGS = {DATA_PACK: PUBLIC_KEY, **dict.fromkeys((SNAPSHOT, TOMBSTONE, ANNOTATION, GENERATION, GENERATION_END), SIGNED)}


def verifies(public, signature, data):
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


class Inbox(Repository):
    FEATURES = {"inbox"}

    def __init__(self, path, machine, root):
        """The inbox of `machine`, a Machine, in the folder `path`; `root` is the secret from which its keys derive."""
        super().__init__(path)
        for header in self.headers:
            require("inbox" in header.features and header.small == 0, f"{header.name}: is not that of an inbox")
        require(self.id == machine.inbox, f"{path}: is the inbox of another machine")
        self.machine = machine.verifies
        self.packs_private = derive_private(hkdf_expand(root, b"yore/1 inbox packs", 32))
        owner = Ed25519PrivateKey.from_private_bytes(hkdf_expand(root, b"yore/1 inbox signs", 32))
        self.owner = owner.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.use({1: hkdf_expand(root, b"yore/1 inbox shared", 32)})

    # What differs from other repositories

    def verify_header(self, header):
        require(verifies(self.owner, header.tag, b"yore/1 header\0" + header.body), f"{header.name}: its owner did not sign it")

    def wrapping(self, kind):
        return WRAPPINGS.get(kind, PURPOSE_KEY)

    def object_secret(self, kind, prefix):
        if self.wrapping(kind) != PUBLIC_KEY:
            return super().object_secret(kind, prefix)
        require(prefix[7] == 1, "is not of generation 1")
        return receive_export(self.packs_private, prefix[8:40], b"yore/1 inbox\0" + self.id, b"yore/1 pack", 32)

    def sealed_part(self, name, kind, whole):
        if self.wrapping(kind) != SIGNED:
            return super().sealed_part(name, kind, whole)
        require(len(whole) >= PREFIX + SIGNATURE, "cut short")
        sealed, signature = whole[PREFIX:-SIGNATURE], whole[-SIGNATURE:]
        signed = b"yore/1 signature\0" + self.associated(name, whole[:PREFIX]) + sealed
        signers = [self.owner, self.machine] if kind == SNAPSHOT else [self.owner]
        require(any(verifies(public, signature, signed) for public in signers), "nobody signed it who may make it")
        return sealed

    def opened(self, kind, parse, named):
        """What only the owner makes does not count if it is not the owner's: the machine can write such files."""
        for name, key in named:
            try:
                yield from super().opened(kind, parse, [(name, key)])
            except Damaged as error:
                if self.wrapping(kind) != SIGNED:
                    raise
                print(f"{name}: {error}", file=sys.stderr)


def open_inbox(owner, name):
    """The inbox called `name` of an unlocked repository."""
    if not MACHINE_NAME.fullmatch(name):
        raise Refused(f"{name!r} is not a name of a machine")
    path = os.path.join(owner.path, "machines", name)
    problem = Refused(f"no authentic key slot is of a machine {name}")
    for machine in machines(owner, name):
        try:
            prk = owner.purpose_key("machines", machine.generation)
            inbox = Inbox(path, machine, mac(prk, b"yore/1 inbox\0" + machine.inbox))
            for header in inbox.headers:
                inbox.verify_header(header)
            return inbox
        except Damaged as error:
            problem = error  # a machine may have been set up anew: another slot may do
    raise problem


def machines(owner, name):
    """The machines called `name`, of slots whose tags are right and that no removal names (§15)."""
    slots = list(authentic_slots(owner))
    removed = {slot_id for slot in slots for slot_id in slot.removes}
    return [slot.machine for slot in slots if slot.kind == MACHINE and slot.label == name and slot.id not in removed]


def authentic_slots(owner):
    for slot_name, slot_id in owner.ids("keys"):
        try:
            slot = owner.slot(slot_name, slot_id)
            owner.verify_slot(slot)
            yield slot
        except Damaged as error:
            print(f"{slot_name}: {error}", file=sys.stderr)
