//! The options and outcomes of reading and writing files.

/// The way in which a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadMode {
    /// Through the page cache.
    Buffered,
    /// Past the page cache where the file system can, otherwise through it.
    ///
    /// Takes effect for reads into memory aligned as that of a [`ReadBuffer`](crate::ReadBuffer)
    /// at offsets aligned likewise; the first read that is not so goes back to the page cache.
    Direct,
}

/// The outcome of making a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MkdirOutcome {
    /// The directory was made, for its owner alone (mode 0700).
    Created,
    /// The directory was there already; its content and metadata are unchanged.
    Existing,
}

/// The treatment of a file that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// The old file stays, and publishing is an error.
    Never,
    /// The old file is replaced in one step; a directory is not.
    Always,
}

/// The outcome of asking a file system to make a file durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// The file is durable.
    Yes,
    /// The file system has no such call, and writes when it likes.
    Unsupported,
}

/// The outcome of publishing a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The file has its name, durably.
    Created,
    /// The name was taken; the file that has it is unchanged, and its name is durable.
    Exists,
}
