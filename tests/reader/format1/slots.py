"""Secrets, and the key slots that they open (§4)."""

import hashlib
import hmac
import re
from dataclasses import dataclass

import argon2.low_level

from .base import MAX_GENERATIONS, MAX_REMOVED, Refused, require
from .cbor import cbor_bstr, cbor_decode
from .shapes import anything, array_of, bstr, bstr32, get, integer, tstr, uint
from .primitives import gcm_open, hkdf

REMOVAL, PASSPHRASE, KEY_FILE, RECOVERY, MACHINE = range(5)
MACHINE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9_-])?")  # §15
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def parse_key_file(raw):
    match = re.fullmatch(rb"yore-key-1:([0-9a-f]{64}):([0-9a-f]{8})\r?\n?", raw)
    if not match:
        raise Refused("not a key file")
    secret = bytes.fromhex(match[1].decode())
    if hashlib.sha256(secret).hexdigest()[:8] != match[2].decode():
        raise Refused("the key file's check digits are wrong")
    return secret


def read_key_file(path):
    with open(path, "rb") as file:
        return parse_key_file(file.read(4096))


def base32(data, digits):
    """The first `digits` digits, of five bits each, most significant first."""
    number = int.from_bytes(data, "big") >> (len(data) * 8 - digits * 5)
    return "".join(CROCKFORD[number >> (5 * i) & 31] for i in reversed(range(digits)))


def recovery_check(secret):
    return base32(hashlib.sha256(b"yore recovery" + secret).digest(), 5)


def format_recovery(secret):
    digits = base32(secret, 40) + recovery_check(secret)
    return "-".join(digits[at:at + 5] for at in range(0, 45, 5))


def parse_recovery(text):
    digits = re.sub(r"[-\s]", "", text).upper().translate(str.maketrans("OIL", "011"))
    if len(digits) != 45 or set(digits) - set(CROCKFORD):
        raise Refused("not a recovery key: 45 letters and digits are expected")
    number = 0
    for digit in digits[:40]:
        number = number << 5 | CROCKFORD.index(digit)
    secret = number.to_bytes(25, "big")
    if recovery_check(secret) != digits[40:]:
        raise Refused("the recovery key's check digits are wrong")
    return secret


@dataclass
class Machine:
    """A write-only machine (§15)."""
    inbox: bytes      # id of its inbox
    generation: int   # of the owner's master secret, from which the keys of its inbox derive
    verifies: bytes   # public key of its signatures


@dataclass
class Slot:
    body: bytes
    sealed: bytes
    tag: bytes
    id: bytes
    kind: int
    label: str
    argon: list | None
    machine: Machine | None
    removes: list     # of a removal: the ids of slots
    commitment: bytes | None

    @property
    def tagged(self):
        """What the tag is made over."""
        return b"yore slot" + b"\x82" + cbor_bstr(self.body) + cbor_bstr(self.sealed)

    def open(self, secret, repository_id):
        """The master secrets by their generation, or None if `secret` is not this slot's."""
        if self.kind == PASSPHRASE:
            memory, passes, lanes = self.argon
            secret = argon2.low_level.hash_secret_raw(
                secret, self.id, time_cost=passes, memory_cost=memory, parallelism=lanes, hash_len=32,
                type=argon2.low_level.Type.ID, version=0x13)
        derived = hkdf(secret, self.id, b"yore/1 slot\0" + bytes([self.kind]) + repository_id, 64)
        if not hmac.compare_digest(derived[32:], self.commitment):
            return None
        plaintext = cbor_decode(gcm_open(derived[:32], bytes(12), self.sealed, self.body))
        pairs = get(plaintext, 1, array_of(array_of(anything, 2)), None)
        if pairs is None:
            return None  # what it holds is for later programs
        generations = [uint(generation, MAX_GENERATIONS) for generation, _ in pairs]
        require(generations and generations == list(range(1, len(generations) + 1)), "does not hold all generations from 1")
        return {generation: bstr32(master) for generation, master in pairs}


def parse_slot(raw, slot_id, repository_id):
    body, sealed, tag = array_of(bstr, 3)(cbor_decode(raw))
    fields = cbor_decode(body)
    require(get(fields, 0, bstr32) == slot_id, "has another id than its name")
    require(get(fields, 2, bstr32) == repository_id, "is of another repository")
    get(fields, 3, integer)
    kind = get(fields, 1, uint)
    if kind not in (REMOVAL, PASSPHRASE, KEY_FILE, RECOVERY, MACHINE):
        return Slot(body, sealed, bstr32(tag), slot_id, kind, get(fields, 4, tstr, ""), None, None, [], None)
    label, commitment = get(fields, 4, tstr), get(fields, 6, bstr32)
    argon = machine = None
    removed = []
    if kind == PASSPHRASE:
        argon = get(fields, 5, array_of(uint, 3))
        for value, least, most in zip(argon, (8192, 1, 1), (1048576, 16, 16)):
            require(least <= value <= most, f"argon2id parameters {argon} out of bounds")
        require(argon[0] * argon[1] <= 4194304, f"argon2id parameters {argon} out of bounds")
    if kind == REMOVAL:
        removed = get(fields, 7, array_of(bstr32))
        require(1 <= len(removed) <= MAX_REMOVED and sealed == b"", "a removal that removes nothing, or holds a secret")
    if kind == MACHINE:
        inbox, generation, verifies = get(fields, 8, array_of(anything, 3))
        machine = Machine(bstr32(inbox), uint(generation, 255), bstr32(verifies))
        require(MACHINE_NAME.fullmatch(label), f"{label!r} is not a name of a machine")
    require(kind not in (REMOVAL, MACHINE) or commitment == bytes(32), "a commitment where nothing is committed to")
    return Slot(body, sealed, bstr32(tag), slot_id, kind, label, argon, machine, removed, commitment)
