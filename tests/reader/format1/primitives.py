"""Keys, seals, compression and padding (§2, §5, §6)."""

import hmac

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .base import Damaged, MAX_CONTENT, require


def mac(key, data):
    return hmac.digest(key, data, "sha256")


def hkdf_expand(prk, info, length):
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = mac(prk, block + info + bytes([counter]))
        out, counter = out + block, counter + 1
    return out[:length]


def hkdf(ikm, salt, info, length):
    return hkdf_expand(mac(salt, ikm), info, length)


def gcm_open(key, nonce, sealed, associated):
    """`sealed` is the ciphertext followed by the tag."""
    try:
        return AESGCM(key).decrypt(nonce, sealed, associated)
    except (InvalidTag, ValueError):
        raise Damaged("does not authenticate") from None


def zstd_open(frame, length):
    """The content of exactly one zstd frame that holds exactly `length` bytes."""
    try:
        declared = zstandard.get_frame_parameters(frame).content_size
        require(declared in (length, zstandard.CONTENTSIZE_UNKNOWN), "zstd: another length than stated")
        content = zstandard.ZstdDecompressor().decompress(frame, max_output_size=length, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Damaged(f"zstd: {error}") from None
    require(len(content) == length, "zstd: another length than stated")
    return content


def decompress(codec, body, length):
    require(codec in (0, 1), f"unknown codec {codec}")
    if codec == 1:
        return zstd_open(body, length)
    require(len(body) == length, "another length than stated")
    return body


def padme(length):
    """§6: the length rounded up so that only its top bits tell anything."""
    if length < 2:
        return length
    e = length.bit_length() - 1          # floor(log2 length)
    s = e.bit_length()                   # floor(log2 e) + 1
    unit = 1 << (e - s) if e > s else 1
    return (length + unit - 1) // unit * unit


def unpad(plaintext, most=MAX_CONTENT):
    """§5: codec, lengths, body and zero bytes. Returns the content, of `most` bytes at most."""
    require(len(plaintext) >= 9, "cut short")
    codec = plaintext[0]
    length = int.from_bytes(plaintext[1:5], "big")
    body_length = int.from_bytes(plaintext[5:9], "big")
    require(length <= most, "content too long")
    require(body_length <= len(plaintext) - 9, "cut short")
    body, padding = plaintext[9:9 + body_length], plaintext[9 + body_length:]
    require(padding.count(0) == len(padding), "padding is not zero")
    return decompress(codec, body, length)
