//! The metadata that a restored file shall have, and what of it could not be applied.

use std::io;

use crate::metadata::{Kind, Owner, Timestamp, Xattrs};

/// The metadata that a restored file shall have.
#[derive(Debug, Clone, Copy)]
pub struct WantedMetadata<'a> {
    /// The kind of the file.
    pub kind: Kind,
    /// Permission bits; set-user-ID and set-group-ID bits are left out unless their owner is in
    /// force. `None` leaves the mode that the file was made with, which is its owner's alone.
    pub mode: Option<u32>,
    /// The owner; `None` leaves the user that restores.
    pub owner: Option<Owner>,
    /// The time of the last change of the content.
    pub modified: Timestamp,
    /// Extended attributes.
    pub xattrs: &'a Xattrs,
    /// The treatment of other `user.` attributes and ACLs that the file has.
    pub others: OtherXattrs,
}

/// The treatment of extended attributes that a restored file shall not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherXattrs {
    /// They are removed.
    Removed,
    /// They stay: not all that the file had could be read when it was backed up.
    Kept,
}

/// A part of the metadata that could not be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataPart {
    /// All of it.
    All,
    /// User or group.
    Owner,
    /// Permission bits, or some of them.
    Mode,
    /// The extended attribute of this name.
    Xattr(Vec<u8>),
    /// The time of modification.
    Modified,
}

/// A part of the metadata that could not be applied, with the error.
#[derive(Debug)]
pub struct RefusedMetadata {
    /// The part.
    pub part: MetadataPart,
    /// The error.
    pub error: io::Error,
}
