"""What all parts of the reader share: the kinds of objects and blobs, the bounds on reading (§13), and its two errors."""

KIB, MIB = 1 << 10, 1 << 20

# Kinds of objects (§1)
(DATA_PACK, TREE_PACK, INDEX, SNAPSHOT, TOMBSTONE, SESSION, VERDICT, GENERATION, GENERATION_END, DESTINATION,
 HEARTBEAT) = range(1, 12)
ANNOTATION = 13
PURPOSE = {DATA_PACK: "data", TREE_PACK: "tree", INDEX: "index", SNAPSHOT: "snapshot", TOMBSTONE: "forget",
           SESSION: "session", VERDICT: "session", DESTINATION: "session", HEARTBEAT: "session",
           GENERATION: "gc", GENERATION_END: "gc", ANNOTATION: "annotation"}  # §2
SALT_IS_ID = {DATA_PACK, TREE_PACK, INDEX, SNAPSHOT, SESSION}  # §2

RECORDS = {SNAPSHOT, TOMBSTONE, SESSION, VERDICT, DESTINATION, ANNOTATION}

PURPOSE_KEY, PUBLIC_KEY, SIGNED = 0, 1, 2  # wrappings (§2, §15)

CHUNK, TREE, LIST = 0, 1, 2  # kinds of blobs

PREFIX = 72            # bytes of an object's prefix (§2)
TAG = 16               # bytes of an AES-GCM tag, after the ciphertext
SIGNATURE = 64         # bytes of an Ed25519 signature, at the end of a signed object (§15)
TRAILER = 32           # bytes of a pack's trailer (§6)
MAX_HEADER = 64 * KIB
MAX_OBJECT = 64 * MIB  # sealed whole (§5)
MAX_CONTENT = 256 * MIB
MAX_RECORD = 4 * MIB   # what kinds of §10 and §11 hold, but generations and heartbeats (§5)
MAX_BLOB = MAX_FRAME = 16 * MIB
MAX_NODES = 262_144    # in one tree blob (§13)
MAX_NAMES = 65_536     # of users, and of groups, in one tree blob (§13)
MAX_XATTRS = 65_536    # of a node (§13)
MAX_XATTR_BYTES = 8 * MIB
MAX_HOLES = 4_194_304  # of a file (§13)
MAX_HOLE_NUMBERS = 4096  # in a node itself (§8, keys 15 and 27)
MAX_GENERATIONS = 255  # of the master secret (§4)
MAX_REMOVED = 1024     # slots that one removal names (§4)
MAX_LIST_DEPTH = 8     # §9
MAX_PASSPHRASES = 64   # slots that are tried (§4)
MAX_NESTING = 16       # in CBOR (§13)


class Damaged(Exception):
    """What was read is not what the format allows."""


class Refused(Exception):
    """The request cannot be served: wrong key, unknown snapshot, unknown feature."""


def require(condition, message):
    if not condition:
        raise Damaged(message)
