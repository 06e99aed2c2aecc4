"""What a recipient needs of HPKE, RFC 9180: mode base, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, export only."""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .base import Damaged
from .primitives import hkdf_expand, mac

KEM = b"KEM\x00\x20"                      # suite ids: §4.1 there
SUITE = b"HPKE\x00\x20\x00\x01\xff\xff"   # §5.1 there: KEM 0x0020, KDF 0x0001, AEAD 0xFFFF
MODE_BASE = b"\x00"


def labeled_extract(suite, salt, label, ikm):
    return mac(salt, b"HPKE-v1" + suite + label + ikm)


def labeled_expand(suite, prk, label, info, length):
    return hkdf_expand(prk, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, length)


def derive_private(ikm):
    """The private key of DeriveKeyPair."""
    prk = labeled_extract(KEM, b"", b"dkp_prk", ikm)
    return labeled_expand(KEM, prk, b"sk", b"", 32)


def public_of(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def decapsulate(private, enc):
    """The shared secret of the KEM."""
    try:
        dh = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(enc))
    except ValueError:  # all zeros come out, §7.1.4 there
        raise Damaged("encapsulated key is a point of low order") from None
    prk = labeled_extract(KEM, b"", b"eae_prk", dh)
    return labeled_expand(KEM, prk, b"shared_secret", enc + public_of(private), 32)


def exporter_secret(shared, info):
    """The key schedule, as far as a context that only exports needs it."""
    hashes = [labeled_extract(SUITE, b"", b"psk_id_hash", b""), labeled_extract(SUITE, b"", b"info_hash", info)]
    secret = labeled_extract(SUITE, shared, b"secret", b"")
    return labeled_expand(SUITE, secret, b"exp", MODE_BASE + b"".join(hashes), 32)


def receive_export(private, enc, info, exporter_context, length):
    exporter = exporter_secret(decapsulate(private, enc), info)
    return labeled_expand(SUITE, exporter, b"sec", exporter_context, length)
