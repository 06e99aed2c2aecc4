//! A volume by NFS version 3 (RFC 1813), for reading, on the local machine only.
//!
//! NFS knows no passwords: a server believes the numbers that a client sends. What protects the
//! volume here is that neither the path under which it is mounted nor the handles of its files can
//! be guessed: each begins with 128 random bits.
//!
//! Two things that the protocol's library answers by itself: the sizes of the volume are made up,
//! and a listing without attributes (READDIR) can't be continued, so that one which does not fit in
//! one answer is refused; clients ask with attributes (READDIRPLUS).

mod encode;
mod pages;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nfsserve::nfs::{
    FSF_HOMOGENEOUS, FSF_LINK, FSF_SYMLINK, fattr3, fileid3, filename3, fsinfo3, nfs_fh3, nfspath3,
    nfsstat3, nfstime3, post_op_attr, sattr3,
};
use nfsserve::tcp::{NFSTcp, NFSTcpListener};
use nfsserve::vfs::{
    DirEntry, DirEntrySimple, NFSFileSystem, ReadDirResult, ReadDirSimpleResult, VFSCapabilities,
};
use subtle::ConstantTimeEq;

use super::request::run;
use super::server::{Server, runtime};
use crate::volume::{Volume, VolumeError};
use encode::{MAX_FILE_SIZE, attributes, status};
use pages::Pages;

/// The largest piece that is read at once.
const READ_BYTES: u32 = 1 << 20;

/// The time to wait before connections are accepted again after an error.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The length of an answer to READDIR without its entries, at most: of the call, the directory's
/// attributes, its verifier and the end.
const ANSWER_BYTES: usize = 256;

/// The bytes of an entry of READDIR beside its name: four numbers and the name's padding.
const ENTRY_BYTES: usize = 32;

/// The library passes a sixteenth of the bytes that an answer to READDIR may have.
const COUNT_DIVISOR: usize = 16;

/// Random bytes; every client that knows them may read the volume.
pub type NfsToken = [u8; 16];

/// Serves `volume` by NFS at `port` of 127.0.0.1 (0: a free one). What is mounted is the path that
/// [`nfs_path`] makes of the token.
pub fn serve_nfs(volume: Arc<dyn Volume>, port: u16, token: NfsToken) -> io::Result<Server> {
    let runtime = runtime()?;
    let export = Export { volume, token, pages: Arc::new(Pages::new()) };
    let place = format!("{}:{port}", Ipv4Addr::LOCALHOST);
    let listener = runtime.block_on(NFSTcpListener::bind(&place, export))?;
    let address = SocketAddr::new(listener.get_listen_ip(), listener.get_listen_port());
    let listener = Arc::new(listener);
    runtime.spawn(async move {
        loop {
            let listener = Arc::clone(&listener);
            // It returns, or panics, when a connection can't be taken; the next one may.
            let _ = tokio::spawn(async move { listener.handle_forever().await }).await;
            tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
        }
    });
    Ok(Server::new(runtime, address))
}

/// Returns the path to mount of a volume that is served with this token.
pub fn nfs_path(token: &NfsToken) -> String {
    let digits = token.iter().map(|byte| format!("{byte:02x}"));
    std::iter::once("/".to_owned()).chain(digits).collect()
}

struct Export {
    volume: Arc<dyn Volume>,
    token: NfsToken,
    pages: Arc<Pages>,
}

impl Export {
    async fn run<T: Send + 'static>(
        &self,
        request: impl FnOnce(&dyn Volume, &Pages) -> Result<T, VolumeError> + Send + 'static,
    ) -> Result<T, nfsstat3> {
        let pages = Arc::clone(&self.pages);
        run(&self.volume, move |volume| request(volume, &pages)).await.map_err(status)
    }
}

#[async_trait]
impl NFSFileSystem for Export {
    fn capabilities(&self) -> VFSCapabilities {
        VFSCapabilities::ReadOnly
    }

    fn root_dir(&self) -> fileid3 {
        crate::volume::Ino::ROOT.0
    }

    async fn lookup(&self, directory: fileid3, name: &filename3) -> Result<fileid3, nfsstat3> {
        let name = name.to_vec();
        self.run(move |volume, pages| match &*name {
            b"." => Ok(directory),
            b".." => Ok(volume.parent(pages.ino(directory))?.0),
            _ => Ok(volume.lookup(pages.ino(directory), &name)?.attr.ino.0),
        })
        .await
    }

    async fn getattr(&self, id: fileid3) -> Result<fattr3, nfsstat3> {
        self.run(move |volume, pages| Ok(attributes(&volume.attr(pages.ino(id))?.attr))).await
    }

    async fn read(
        &self,
        id: fileid3,
        offset: u64,
        count: u32,
    ) -> Result<(Vec<u8>, bool), nfsstat3> {
        self.run(move |volume, pages| {
            let ino = pages.ino(id);
            let size = volume.attr(ino)?.attr.size;
            let mut bytes = Vec::new();
            volume.read(ino, offset, count.min(READ_BYTES), &mut |piece| bytes = piece.to_vec())?;
            let end = offset.saturating_add(bytes.len() as u64) >= size;
            Ok((bytes, end))
        })
        .await
    }

    async fn readdir(
        &self,
        directory: fileid3,
        after: fileid3,
        most: usize,
    ) -> Result<ReadDirResult, nfsstat3> {
        let page =
            self.run(move |volume, pages| pages.list(volume, directory, after, most)).await?;
        let page = page.ok_or(nfsstat3::NFS3ERR_BAD_COOKIE)?;
        let entry = |listed: pages::Named| DirEntry {
            fileid: listed.id,
            name: listed.name.into(),
            attr: attributes(&listed.attr),
        };
        Ok(ReadDirResult { entries: page.names.into_iter().map(entry).collect(), end: page.end })
    }

    /// Lists a directory without attributes, from its beginning: whole, or not at all.
    async fn readdir_simple(
        &self,
        directory: fileid3,
        count: usize,
    ) -> Result<ReadDirSimpleResult, nfsstat3> {
        let room = count.saturating_mul(COUNT_DIVISOR).saturating_sub(ANSWER_BYTES);
        let listed = self.readdir(directory, 0, room / ENTRY_BYTES).await?;
        let taken: usize = listed.entries.iter().map(|entry| ENTRY_BYTES + entry.name.len()).sum();
        if !listed.end || taken > room {
            return Err(nfsstat3::NFS3ERR_NOTSUPP);
        }
        let entry = |entry: DirEntry| DirEntrySimple { fileid: entry.fileid, name: entry.name };
        Ok(ReadDirSimpleResult {
            entries: listed.entries.into_iter().map(entry).collect(),
            end: true,
        })
    }

    async fn readlink(&self, id: fileid3) -> Result<nfspath3, nfsstat3> {
        self.run(move |volume, pages| volume.read_link(pages.ino(id))).await.map(Into::into)
    }

    async fn fsinfo(&self, root: fileid3) -> Result<fsinfo3, nfsstat3> {
        let attributes = self.getattr(root).await?;
        Ok(fsinfo3 {
            obj_attributes: post_op_attr::attributes(attributes),
            rtmax: READ_BYTES,
            rtpref: READ_BYTES,
            rtmult: 4096,
            wtmax: READ_BYTES,
            wtpref: READ_BYTES,
            wtmult: 4096,
            dtpref: READ_BYTES,
            maxfilesize: MAX_FILE_SIZE,
            time_delta: nfstime3 { seconds: 0, nseconds: 1 },
            properties: FSF_LINK | FSF_SYMLINK | FSF_HOMOGENEOUS,
        })
    }

    fn id_to_fh(&self, id: fileid3) -> nfs_fh3 {
        nfs_fh3 { data: [&self.token[..], &id.to_be_bytes()].concat() }
    }

    fn fh_to_id(&self, handle: &nfs_fh3) -> Result<fileid3, nfsstat3> {
        let (token, id) =
            handle.data.split_at_checked(self.token.len()).ok_or(nfsstat3::NFS3ERR_BADHANDLE)?;
        let id = id.try_into().map_err(|_| nfsstat3::NFS3ERR_BADHANDLE)?;
        match bool::from(token.ct_eq(&self.token)) {
            true => Ok(u64::from_be_bytes(id)),
            false => Err(nfsstat3::NFS3ERR_STALE),
        }
    }

    /// Finds what is mounted: nothing without the token.
    async fn path_to_id(&self, path: &[u8]) -> Result<fileid3, nfsstat3> {
        let wanted = nfs_path(&self.token);
        let (top, below) = path.split_at_checked(wanted.len()).ok_or(nfsstat3::NFS3ERR_ACCES)?;
        if !bool::from(top.ct_eq(wanted.as_bytes())) {
            return Err(nfsstat3::NFS3ERR_ACCES);
        }
        let mut id = self.root_dir();
        for name in below.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            id = self.lookup(id, &name.into()).await?;
        }
        Ok(id)
    }

    async fn setattr(&self, _: fileid3, _: sattr3) -> Result<fattr3, nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }

    async fn write(&self, _: fileid3, _: u64, _: &[u8]) -> Result<fattr3, nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }

    async fn create(
        &self,
        _: fileid3,
        _: &filename3,
        _: sattr3,
    ) -> Result<(fileid3, fattr3), nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }

    async fn create_exclusive(&self, _: fileid3, _: &filename3) -> Result<fileid3, nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }

    async fn mkdir(&self, _: fileid3, _: &filename3) -> Result<(fileid3, fattr3), nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }

    async fn remove(&self, _: fileid3, _: &filename3) -> Result<(), nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }

    async fn rename(
        &self,
        _: fileid3,
        _: &filename3,
        _: fileid3,
        _: &filename3,
    ) -> Result<(), nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }

    async fn symlink(
        &self,
        _: fileid3,
        _: &filename3,
        _: &nfspath3,
        _: &sattr3,
    ) -> Result<(fileid3, fattr3), nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }
}
