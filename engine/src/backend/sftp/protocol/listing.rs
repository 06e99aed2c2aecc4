//! The names in directories, with many requests on their way at once.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::packet::{Attributes, Reply, Request, code};
use super::requests::{Handle, Status, refusal};
use super::session::Session;
use super::wait::PATIENCE;
use crate::backend::pages::Pages;

/// The most requests for the names of one directory on their way at once.
const IN_FLIGHT: usize = 16;

/// The most directories that are read at once.
const DIRECTORIES: usize = 64;

/// A name in a directory.
#[derive(Debug, Clone)]
pub(in super::super) struct ListedName<N = String> {
    /// The name; in a `String`, bytes that are no text are replaced.
    pub name: N,
    /// Its attributes, those of the link itself if it is one.
    pub attributes: Attributes,
}

/// A name in a directory, with the bytes that it has there.
pub(in super::super) type RawName = ListedName<Vec<u8>>;

/// Lists a directory without `.` and `..`; `None` when it is not there.
pub(in super::super) async fn list(
    session: &Session,
    path: &str,
) -> io::Result<Option<Vec<ListedName>>> {
    let as_text = |raw: RawName| ListedName {
        name: String::from_utf8_lossy(&raw.name).into_owned(),
        attributes: raw.attributes,
    };
    match list_raw(session, path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        names => Ok(Some(names?.into_iter().map(as_text).collect())),
    }
}

/// Lists a directory without `.` and `..`, in no order.
pub(in super::super) async fn list_raw(
    session: &Session,
    path: impl AsRef<[u8]>,
) -> io::Result<Vec<RawName>> {
    let handle = session.open_dir(path).await?;
    let names = read_names(session, &handle).await;
    // The names are complete whether or not the directory can be closed.
    let _ = session.close_unwritten(&handle).await;
    names
}

async fn read_names(session: &Session, handle: &Handle) -> io::Result<Vec<RawName>> {
    let (mut names, mut pages) = (Vec::new(), Pages::default());
    let mut pending = VecDeque::new();
    // Most directories end with the second answer; long ones deserve more requests at once.
    let mut wanted = 2;
    loop {
        while pending.len() < wanted {
            let request = Request::new(code::READDIR, 16).string(handle.bytes());
            pending.push_back(session.send(request, PATIENCE).await?);
        }
        let Some(oldest) = pending.pop_front() else { return Ok(names) };
        let reply = oldest.reply().await?;
        if reply.kind != code::NAME {
            return match refusal(&reply) {
                end if end.kind() == io::ErrorKind::UnexpectedEof => Ok(names),
                error => Err(error),
            };
        }
        let before = names.len();
        append_names(&reply, &mut names)?;
        pages.add(names.get(before).map(|first: &RawName| first.name.as_slice()))?;
        wanted = (wanted * 2).min(IN_FLIGHT);
    }
}

fn append_names(reply: &Reply, names: &mut Vec<RawName>) -> io::Result<()> {
    let mut fields = reply.fields();
    for _ in 0..fields.u32()? {
        let name = fields.string()?.to_vec();
        let _as_by_ls = fields.string()?;
        let attributes = fields.attributes()?;
        if name != b"." && name != b".." {
            names.push(ListedName { name, attributes });
        }
    }
    Ok(())
}

/// Lists many directories at once, in no order; one that is not there is left out.
pub(in super::super) async fn list_many(
    session: &Arc<Session>,
    paths: Vec<String>,
) -> io::Result<Vec<(String, Vec<ListedName>)>> {
    let mut found = Vec::with_capacity(paths.len());
    let mut running = JoinSet::new();
    let mut paths = paths.into_iter();
    loop {
        while running.len() < DIRECTORIES
            && let Some(path) = paths.next()
        {
            let session = Arc::clone(session);
            running.spawn(async move { list(&session, &path).await.map(|names| (path, names)) });
        }
        let Some(listed) = running.join_next().await else { return Ok(found) };
        if let (path, Some(names)) = listed.map_err(io::Error::other)?? {
            found.push((path, names));
        }
    }
}

/// Returns the attributes of many files at once, in their order; `None` for one that is not there.
pub(in super::super) async fn stat_many(
    session: &Session,
    paths: &[String],
) -> io::Result<Vec<Option<Attributes>>> {
    let mut found = Vec::with_capacity(paths.len());
    for some in paths.chunks(DIRECTORIES) {
        let mut pending = Vec::with_capacity(some.len());
        for path in some {
            let request = Request::new(code::LSTAT, path.len() + 8).string(path.as_bytes());
            pending.push(session.send(request, PATIENCE).await?);
        }
        for reply in pending {
            let reply = reply.reply().await?;
            found.push(match reply.kind {
                code::ATTRS => Some(reply.fields().attributes()?),
                _ => match refusal(&reply) {
                    error if error.kind() == io::ErrorKind::NotFound => None,
                    error => return Err(error),
                },
            });
        }
    }
    Ok(found)
}

/// Removes many files at once; one that is not there counts as removed.
pub(in super::super) async fn remove_many(session: &Session, paths: &[String]) -> io::Result<()> {
    for some in paths.chunks(DIRECTORIES) {
        let mut pending = Vec::with_capacity(some.len());
        for path in some {
            pending.push(session.remove(path).await?);
        }
        for reply in pending {
            match Status::of(reply).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
    }
    Ok(())
}
