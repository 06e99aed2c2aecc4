//! The metadata that a restored file shall have, and what of it could not be applied.

use std::io;

use crate::metadata::{Kind, Owner, Timestamp, Xattrs};

/// The metadata that a restored file shall have.
#[derive(Debug, Clone, Copy)]
pub struct WantedMetadata<'a> {
    /// What the file is.
    pub kind: Kind,
    /// Permission bits; set-user-ID and set-group-ID bits are left out unless their owner is in
    /// force. `None` leaves the mode that the file was made with, which is its owner's alone.
    pub mode: Option<u32>,
    /// The owner; `None` leaves whoever restores.
    pub owner: Option<Owner>,
    /// When the content last changed.
    pub modified: Timestamp,
    /// Extended attributes.
    pub xattrs: &'a Xattrs,
    /// What becomes of other `user.` ones and ACLs that the file has.
    pub others: OtherXattrs,
}

/// What becomes of extended attributes that a restored file shall not have.
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

/// What could not be applied, and why.
#[derive(Debug)]
pub struct RefusedMetadata {
    /// What it was.
    pub part: MetadataPart,
    /// Why.
    pub error: io::Error,
}
