//! The packets: a length, a type, the number of the request, and fields of big-endian numbers and counted bytes.

use std::io;

/// The types of packets and codes of a status that are used (sections 3 and 7 of the draft).
pub(in super::super) mod code {
    pub const INIT: u8 = 1;
    pub const VERSION: u8 = 2;
    pub const OPEN: u8 = 3;
    pub const CLOSE: u8 = 4;
    pub const READ: u8 = 5;
    pub const WRITE: u8 = 6;
    pub const LSTAT: u8 = 7;
    pub const FSTAT: u8 = 8;
    pub const OPENDIR: u8 = 11;
    pub const READDIR: u8 = 12;
    pub const REMOVE: u8 = 13;
    pub const MKDIR: u8 = 14;
    pub const REALPATH: u8 = 16;
    pub const STAT: u8 = 17;
    pub const RENAME: u8 = 18;
    pub const READLINK: u8 = 19;
    pub const STATUS: u8 = 101;
    pub const HANDLE: u8 = 102;
    pub const DATA: u8 = 103;
    pub const NAME: u8 = 104;
    pub const ATTRS: u8 = 105;
    pub const EXTENDED: u8 = 200;
    pub const EXTENDED_REPLY: u8 = 201;

    pub const STATUS_OK: u32 = 0;
    pub const STATUS_EOF: u32 = 1;
    pub const STATUS_NO_SUCH_FILE: u32 = 2;
    pub const STATUS_PERMISSION_DENIED: u32 = 3;
    pub const STATUS_BAD_MESSAGE: u32 = 5;
    pub const STATUS_NO_CONNECTION: u32 = 6;
    pub const STATUS_CONNECTION_LOST: u32 = 7;
    pub const STATUS_UNSUPPORTED: u32 = 8;
}

/// The bytes of a packet before its fields: length, type, number of the request.
const HEAD: usize = 9;

/// A request while its fields are appended.
pub(in super::super) struct Request(Vec<u8>);

impl Request {
    /// Begins a request with room for `capacity` bytes of fields.
    pub fn new(kind: u8, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEAD + capacity);
        bytes.extend_from_slice(&[0, 0, 0, 0, kind, 0, 0, 0, 0]);
        Self(bytes)
    }

    /// Begins a request of an extension.
    pub fn extended(name: &str) -> Self {
        Self::new(code::EXTENDED, 256).string(name.as_bytes())
    }

    /// Appends a number.
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a long number.
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends counted bytes.
    pub fn string(self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).expect("a name or handle is short");
        let mut with_length = self.u32(length);
        with_length.0.extend_from_slice(bytes);
        with_length
    }

    /// Appends bytes of a field whose count was appended, or will be set by [`Self::set_u32`].
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Returns the number of bytes so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Sets a number that was appended when the request had `at` bytes.
    pub fn set_u32(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// Completes the packet of the request with this number.
    pub fn into_packet(mut self, id: u32) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).expect("a request is far shorter than 4 GiB");
        self.set_u32(0, length);
        self.set_u32(5, id);
        self.0
    }
}

/// The answer to a request: its type and its fields.
pub(in super::super) struct Reply {
    /// The type.
    pub kind: u8,
    /// The fields.
    pub body: Vec<u8>,
}

impl Reply {
    /// Returns a reader of the fields.
    pub fn fields(&self) -> Fields<'_> {
        Fields(&self.body)
    }
}

/// A reader of fields, which never reads past their end.
pub(in super::super) struct Fields<'b>(pub &'b [u8]);

impl<'b> Fields<'b> {
    fn take(&mut self, count: usize) -> io::Result<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Reads a number.
    pub fn u32(&mut self) -> io::Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes(bytes.try_into().expect("four bytes")))
    }

    /// Reads a long number.
    pub fn u64(&mut self) -> io::Result<u64> {
        let bytes = self.take(8)?;
        Ok(u64::from_be_bytes(bytes.try_into().expect("eight bytes")))
    }

    /// Reads counted bytes.
    pub fn string(&mut self) -> io::Result<&'b [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).map_err(|_| malformed())?)
    }

    /// Reads the attributes of a file.
    pub fn attributes(&mut self) -> io::Result<Attributes> {
        let mut found = Attributes::default();
        let flags = self.u32()?;
        if flags & 1 != 0 {
            found.size = Some(self.u64()?);
        }
        if flags & 2 != 0 {
            found.owner = Some((self.u32()?, self.u32()?));
        }
        if flags & 4 != 0 {
            found.mode = Some(self.u32()?);
        }
        if flags & 8 != 0 {
            self.u32()?;
            found.modified = Some(self.u32()?);
        }
        if flags & 0x8000_0000 != 0 {
            for _ in 0..self.u32()? {
                self.string()?;
                self.string()?;
            }
        }
        Ok(found)
    }
}

/// The attributes of a file, as far as the server tells them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Attributes {
    /// The size in bytes.
    pub size: Option<u64>,
    /// The numbers of the user and the group.
    pub owner: Option<(u32, u32)>,
    /// The mode with the kind of file, as in `stat`.
    pub mode: Option<u32>,
    /// The time of the last change, in seconds by the server's clock.
    pub modified: Option<u32>,
}

impl Attributes {
    /// Returns true for a directory; servers that tell no mode are trusted.
    pub fn is_dir(&self) -> bool {
        self.mode.is_none_or(|mode| mode & 0o170_000 == 0o040_000)
    }

    /// Returns true for a symbolic link.
    pub fn is_link(&self) -> bool {
        self.mode.is_some_and(|mode| mode & 0o170_000 == 0o120_000)
    }
}

/// The error of a server that does not speak the protocol.
pub(in super::super) fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the server's answer is no SFTP")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_has_its_length_its_number_and_its_fields() {
        let request = Request::new(code::OPEN, 0).string(b"/a").u32(7).u64(9);
        let packet = request.into_packet(0x0102_0304);
        let expected = b"\0\0\0\x17\x03\x01\x02\x03\x04\0\0\0\x02/a\0\0\0\x07\0\0\0\0\0\0\0\x09";
        assert_eq!(packet, expected);
    }

    #[test]
    fn attributes_are_read_with_any_of_their_parts() {
        let bytes = Request::new(0, 0).u32(0x8000_000f).u64(5).u32(1).u32(2).u32(0o040_755);
        let bytes = bytes.u32(11).u32(12).u32(1).string(b"name").string(b"value").u32(99);
        let packet = bytes.into_packet(0);
        let mut fields = Fields(&packet[HEAD..]);
        let found = fields.attributes().expect("they are well-formed");
        let expected = Attributes {
            size: Some(5),
            owner: Some((1, 2)),
            mode: Some(0o040_755),
            modified: Some(12),
        };
        assert_eq!(found, expected);
        assert!(found.is_dir());
        assert_eq!(fields.u32().expect("a number follows"), 99);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let mut fields = Fields(&bytes);
            let attributes = fields.attributes();
            prop_assert!(attributes.is_ok() || !bytes.is_empty() || attributes.is_err());
            let text = Fields(&bytes).string();
            prop_assert!(text.is_err() || bytes.len() >= 4 + text.map_or(0, <[u8]>::len));
        }
    }
}
