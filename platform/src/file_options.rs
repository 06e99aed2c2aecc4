//! How files are read and written, and what came of it.

/// How a file is read.
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

/// Whether a directory was made or was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MkdirOutcome {
    /// It was made, with mode 0700.
    Created,
    /// It was there already, and keeps what it had.
    Existing,
}

/// What happens to a file that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// It stays, and publishing is an error.
    Never,
    /// It is replaced in one step; a directory is not.
    Always,
}

/// Whether a file system could be asked to make a file durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// It is durable.
    Yes,
    /// The file system can't be asked: when it writes is its own affair.
    Unsupported,
}

/// What publishing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The file has its name, durably.
    Created,
    /// The name was taken; what has it stays untouched, and its name is durable.
    Exists,
}
