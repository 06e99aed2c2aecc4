//! The names of volumes, and what they lie on.

/// The name of a volume: how its maker or its owner tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeName {
    /// The label that its owner gave it.
    Label(String),
    /// The number that its file system drew.
    Uuid(String),
    /// The number of its partition.
    PartitionUuid(String),
    /// Whichever of the three it is; the label is tried first.
    Any(String),
}

/// The thing on which a path lies, as far as losing one loses what is on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Medium {
    /// One or more disks of this machine, by the names that the system gave them.
    Disks(Vec<String>),
    /// Another machine, as the share is named.
    Server(String),
    /// Memory, which a restart loses.
    Memory,
    /// A file system of which no more is known than its number.
    Other(u64),
}
