//! The requests of the protocol, each with its answer.

use std::io;
use std::time::Duration;

use super::packet::{Attributes, Fields, Reply, Request, code, malformed};
use super::session::{Chunk, Pending, Session};
use super::wait::{PATIENCE, SETTLE_PATIENCE};

/// The extensions that are used, by their names.
pub(in super::super) mod extension {
    pub const FSYNC: &str = "fsync@openssh.com";
    pub const HARDLINK: &str = "hardlink@openssh.com";
    pub const LIMITS: &str = "limits@openssh.com";
    pub const POSIX_RENAME: &str = "posix-rename@openssh.com";
    pub const STATVFS: &str = "statvfs@openssh.com";
}

/// The largest piece of a file in one request. With 64 requests, that is what a link of 1 Gbit/s holds at 30 ms.
const LARGEST_CHUNK: u64 = 64 << 10;

/// The flag of a file system that is mounted read-only, in the answer to `statvfs`.
const READ_ONLY: u64 = 1;

/// An open file or directory, by the server's name for it: any bytes.
#[derive(Debug, Clone)]
pub(in super::super) struct Handle(Vec<u8>);

impl Handle {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The ways to open a file (section 6.3 of the draft).
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Mode {
    /// An existing file.
    Read,
    /// A new file, of these permissions.
    Create(u32),
}

/// The space of a file system.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Statvfs {
    /// All of it, in bytes.
    pub total: u64,
    /// The bytes that the user may still write.
    pub available: u64,
    /// The files that it can hold; 0 where it is not known.
    pub files: u64,
    /// Nothing can be written.
    pub is_read_only: bool,
}

impl Session {
    /// Asks for the limits of the server, and uses larger pieces where it accepts them.
    pub(super) async fn adopt_limits(&mut self) -> io::Result<()> {
        if !self.offers(extension::LIMITS) {
            return Ok(());
        }
        let reply = self.call(Request::extended(extension::LIMITS)).await?;
        if reply.kind != code::EXTENDED_REPLY {
            return Ok(());
        }
        let mut fields = reply.fields();
        let (_packet, read, write) = (fields.u64()?, fields.u64()?, fields.u64()?);
        // A limit of zero means that the server names none.
        let size = |limit: u64| match limit {
            0 => 32 << 10,
            limit => limit.min(LARGEST_CHUNK) as usize,
        };
        self.chunk = Chunk { read: size(read), write: size(write) };
        Ok(())
    }

    async fn call(&self, request: Request) -> io::Result<Reply> {
        self.send(request, PATIENCE).await?.reply().await
    }

    async fn status(&self, request: Request, patience: Duration) -> io::Result<()> {
        Status::of(self.send(request, patience).await?).await
    }

    /// Opens a file.
    pub async fn open_file(&self, path: impl AsRef<[u8]>, mode: Mode) -> io::Result<Handle> {
        let request = with_path(code::OPEN, path);
        let request = match mode {
            Mode::Read => request.u32(0x01).u32(0),
            // Write, create, fail if it exists; with permissions as the only attribute.
            Mode::Create(mode) => request.u32(0x02 | 0x08 | 0x20).u32(4).u32(mode),
        };
        handle(&self.call(request).await?)
    }

    /// Opens a directory.
    pub async fn open_dir(&self, path: impl AsRef<[u8]>) -> io::Result<Handle> {
        handle(&self.call(with_path(code::OPENDIR, path)).await?)
    }

    /// Closes a file that was written; the answer may be ignored.
    pub async fn close(&self, handle: &Handle) -> io::Result<Pending> {
        let request = Request::new(code::CLOSE, 16).string(handle.bytes());
        self.send(request, SETTLE_PATIENCE).await
    }

    /// Closes a file or directory that was only read; the answer may be ignored.
    ///
    /// Nothing has to be stored, so it does not make the other requests of the session wait longer for a server that is
    /// stuck.
    pub async fn close_unwritten(&self, handle: &Handle) -> io::Result<Pending> {
        let request = Request::new(code::CLOSE, 16).string(handle.bytes());
        self.send(request, PATIENCE).await
    }

    /// Closes a file without waiting.
    pub fn close_unanswered(&self, handle: &Handle) {
        self.send_unanswered(Request::new(code::CLOSE, 16).string(handle.bytes()));
    }

    /// Returns the attributes of a file, of its target if it is a link; `None` when it is not there.
    pub async fn stat(&self, path: impl AsRef<[u8]>) -> io::Result<Option<Attributes>> {
        self.attributes(with_path(code::STAT, path)).await
    }

    /// Returns the attributes of a file, of the link itself if it is one; `None` when it is not there.
    pub async fn lstat(&self, path: impl AsRef<[u8]>) -> io::Result<Option<Attributes>> {
        self.attributes(with_path(code::LSTAT, path)).await
    }

    /// Returns the text of a link.
    pub async fn read_link(&self, path: impl AsRef<[u8]>) -> io::Result<Vec<u8>> {
        one_name(&self.call(with_path(code::READLINK, path)).await?)
    }

    /// Returns the absolute path, without links, of one that may lie in the user's home.
    pub async fn real_path(&self, path: impl AsRef<[u8]>) -> io::Result<Vec<u8>> {
        one_name(&self.call(with_path(code::REALPATH, path)).await?)
    }

    /// Returns the attributes of an open file.
    pub async fn fstat(&self, handle: &Handle) -> io::Result<Attributes> {
        let found = self.attributes(Request::new(code::FSTAT, 16).string(handle.bytes())).await?;
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    async fn attributes(&self, request: Request) -> io::Result<Option<Attributes>> {
        let reply = self.call(request).await?;
        match reply.kind {
            code::ATTRS => reply.fields().attributes().map(Some),
            _ => match refusal(&reply) {
                error if error.kind() == io::ErrorKind::NotFound => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Makes a directory.
    pub async fn mkdir(&self, path: &str, mode: u32) -> io::Result<()> {
        self.status(with_path(code::MKDIR, path).u32(4).u32(mode), PATIENCE).await
    }

    /// Removes a file; the answer may be ignored.
    pub async fn remove(&self, path: &str) -> io::Result<Pending> {
        self.send(with_path(code::REMOVE, path), PATIENCE).await
    }

    /// Renames a file in the way of the draft: an existing target is an error, at least when nobody races.
    pub async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let request = with_path(code::RENAME, from).string(to.as_bytes());
        self.status(request, SETTLE_PATIENCE).await
    }

    /// Renames a file over an existing one.
    pub async fn posix_rename(&self, from: &str, to: &str) -> io::Result<()> {
        let request = Request::extended(extension::POSIX_RENAME);
        let request = request.string(from.as_bytes()).string(to.as_bytes());
        self.status(request, SETTLE_PATIENCE).await
    }

    /// Gives a file a second name, which must be free.
    pub async fn hardlink(&self, from: &str, to: &str) -> io::Result<Pending> {
        let request = Request::extended(extension::HARDLINK);
        self.send(request.string(from.as_bytes()).string(to.as_bytes()), SETTLE_PATIENCE).await
    }

    /// Makes the content of a file durable.
    pub async fn fsync(&self, handle: &Handle) -> io::Result<Pending> {
        let request = Request::extended(extension::FSYNC).string(handle.bytes());
        self.send(request, SETTLE_PATIENCE).await
    }

    /// Returns the space of the file system of a path; `None` where the server does not tell it.
    pub async fn statvfs(&self, path: &str) -> io::Result<Option<Statvfs>> {
        if !self.offers(extension::STATVFS) {
            return Ok(None);
        }
        let request = Request::extended(extension::STATVFS).string(path.as_bytes());
        let reply = self.call(request).await?;
        if reply.kind != code::EXTENDED_REPLY {
            return match refusal(&reply) {
                error if error.kind() == io::ErrorKind::Unsupported => Ok(None),
                error => Err(error),
            };
        }
        let mut fields = reply.fields();
        let (_block, fragment, blocks) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let (_free, available) = (fields.u64()?, fields.u64()?);
        let (files, _free_files, _available_files) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let (_id, flags) = (fields.u64()?, fields.u64()?);
        Ok(Some(Statvfs {
            total: blocks.saturating_mul(fragment),
            available: available.saturating_mul(fragment),
            files,
            is_read_only: flags & READ_ONLY != 0,
        }))
    }
}

fn with_path(kind: u8, path: impl AsRef<[u8]>) -> Request {
    let path = path.as_ref();
    Request::new(kind, path.len() + 16).string(path)
}

/// Reads an answer that is one name.
fn one_name(reply: &Reply) -> io::Result<Vec<u8>> {
    if reply.kind != code::NAME {
        return Err(refusal(reply));
    }
    let mut fields = reply.fields();
    match fields.u32()? {
        1 => Ok(fields.string()?.to_vec()),
        _ => Err(malformed()),
    }
}

fn handle(reply: &Reply) -> io::Result<Handle> {
    match reply.kind {
        code::HANDLE => Ok(Handle(reply.fields().string()?.to_vec())),
        _ => Err(refusal(reply)),
    }
}

/// An answer that tells success or failure only.
pub(in super::super) struct Status;

impl Status {
    /// Waits for the answer, and fails unless it is success.
    pub async fn of(pending: Pending) -> io::Result<()> {
        let reply = pending.reply().await?;
        let is_ok = reply.kind == code::STATUS && reply.fields().u32()? == code::STATUS_OK;
        if is_ok { Ok(()) } else { Err(refusal(&reply)) }
    }
}

/// Returns the error that an answer tells.
pub(super) fn refusal(reply: &Reply) -> io::Error {
    let mut fields = reply.fields();
    if reply.kind != code::STATUS {
        return malformed();
    }
    match fields.u32() {
        Ok(status) => of_status(status, &message(&mut fields)),
        Err(error) => error,
    }
}

/// Reads the message of a status: of one line, without control characters.
fn message(fields: &mut Fields<'_>) -> String {
    let text = String::from_utf8_lossy(fields.string().unwrap_or_default()).into_owned();
    let text = text.lines().next().unwrap_or_default().chars();
    text.filter(|character| !character.is_control()).take(200).collect()
}

fn of_status(status: u32, message: &str) -> io::Error {
    use io::ErrorKind as Kind;
    let says = |words: &str| message.to_ascii_lowercase().contains(words);
    let (kind, text) = match status {
        code::STATUS_EOF => (Kind::UnexpectedEof, "end of file"),
        code::STATUS_NO_SUCH_FILE => (Kind::NotFound, "no such file or folder"),
        code::STATUS_PERMISSION_DENIED => (Kind::PermissionDenied, "permission denied"),
        code::STATUS_BAD_MESSAGE => (Kind::InvalidInput, "the server can't do that there"),
        code::STATUS_UNSUPPORTED => (Kind::Unsupported, "the server does not support it"),
        code::STATUS_NO_CONNECTION | code::STATUS_CONNECTION_LOST => {
            (Kind::ConnectionReset, "the server lost its connection")
        }
        // Version 3 has no codes for these; servers in Go send the words of the system.
        _ if says("no space left") => (Kind::StorageFull, "no space left"),
        _ if says("quota") => (Kind::QuotaExceeded, "the quota is exceeded"),
        _ if says("read-only file system") => (Kind::ReadOnlyFilesystem, "it is read-only"),
        _ if says("file exists") => (Kind::AlreadyExists, "it exists already"),
        _ if message.is_empty() || message.eq_ignore_ascii_case("failure") => {
            (Kind::Other, "the server refused it without a reason")
        }
        _ => return io::Error::other(format!("the server refused it: {message}")),
    };
    io::Error::new(kind, text)
}
