//! Ids of 32 bytes: of repositories, objects, snapshots and blobs.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// Converts exactly 32 bytes to an id.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// Parses 64 lower-case hexadecimal digits.
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut out = [0; 32];
                decode_hex(text, &mut out).then_some(Self(out))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let width = f.precision().unwrap_or(64);
                let text = encode_hex(&self.0);
                f.write_str(&text[..width.min(64)])
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:.8})", stringify!($name), self)
            }
        }
    };
}

id! {
    /// The id of a repository; public, drawn once by `init`.
    RepositoryId
}
id! {
    /// The id of a pack, an index, a session or a key slot.
    ObjectId
}
id! {
    /// The id of a snapshot.
    SnapshotId
}
id! {
    /// The id of a blob: a keyed hash of its content (FORMAT.md §6).
    BlobId
}

/// Returns the bytes as lower-case hexadecimal digits.
pub fn encode_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}

/// Decodes exactly twice as many lower-case hexadecimal digits into `out`; returns false if `text` is not such.
pub(crate) fn decode_hex(text: &str, out: &mut [u8]) -> bool {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != out.len() * 2 {
        return false;
    }
    for (pair, byte) in text.as_bytes().chunks_exact(2).zip(out) {
        let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else { return false };
        *byte = high << 4 | low;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_round_trips() {
        let id = BlobId(std::array::from_fn(|i| i as u8 * 7));
        assert_eq!(BlobId::from_hex(&id.to_string()), Some(id));
        assert_eq!(format!("{id:.8}"), "00070e15");
        assert_eq!(BlobId::from_hex(&"G".repeat(64)), None);
        assert_eq!(BlobId::from_hex("00"), None);
    }
}
