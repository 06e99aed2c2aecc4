//! Passes the kernel's requests on to the volume: decode, call, encode.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use fuser::{
    AccessFlags, BsdFileFlags, CopyFileRangeFlags, Errno, FileAttr, FileHandle, FileType,
    Filesystem, FopenFlags, Generation, INodeNo, InitFlags, IoctlFlags, KernelConfig, LockOwner,
    OpenAccMode, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyStatfs,
    ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};

use super::encode::{attributes, file_type};
use super::inode_numbers::Numbers;
use super::request::{Adapter, EnforceAcls, Full, Open};
use crate::volume::Seek;

/// The longest name that Linux has.
const NAME_MAX: usize = 255;

/// The longest path that Linux follows, with the zero byte at its end.
const PATH_MAX: usize = libc::PATH_MAX as usize;

/// The largest piece that the kernel asks for at once.
const REQUEST_BYTES: u32 = 1 << 20;

/// The number of read-ahead requests that may wait: four of [`REQUEST_BYTES`] for each of 16 readers.
const MAX_BACKGROUND: u16 = 64;

/// The block size in which `statfs` counts.
const BLOCK: u64 = 4096;

/// Answers a request for a value by the kernel's protocol: its size, or the value if it fits.
fn answer_sized(value: &[u8], size: u32, reply: ReplyXattr) {
    match u32::try_from(value.len()) {
        Ok(length) if size == 0 => reply.size(length),
        Ok(length) if length <= size => reply.data(value),
        _ => reply.error(Errno::ERANGE),
    }
}

fn is_for_writing(flags: OpenFlags) -> bool {
    flags.acc_mode() != OpenAccMode::O_RDONLY || flags.0 & libc::O_TRUNC != 0
}

impl Filesystem for Adapter {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        let offered = config.capabilities();
        // The kernel keeps listings, and with them numbers for longer than it holds what they stand for.
        let keeps_listings = matches!(*self.numbers, Numbers::Long(_));
        let mut wanted = InitFlags::FUSE_ASYNC_READ
            | InitFlags::FUSE_PARALLEL_DIROPS
            | InitFlags::FUSE_DO_READDIRPLUS
            | InitFlags::FUSE_CACHE_SYMLINKS
            // Handles of files are understood after the kernel forgot them, as a server of NFS needs.
            | InitFlags::FUSE_EXPORT_SUPPORT
            // A listing or content is thrown away when its time changes; nothing is asked of what
            // never expires.
            | InitFlags::FUSE_AUTO_INVAL_DATA;
        if self.enforce_acls == EnforceAcls::Yes {
            wanted |= InitFlags::FUSE_POSIX_ACL;
        }
        // Only what is offered is requested, and the numbers are within the kernel's bounds.
        let _ = config.add_capabilities(wanted & offered);
        let _ = config.set_max_write(REQUEST_BYTES);
        let _ = config.set_max_background(MAX_BACKGROUND);
        let _ = config.set_congestion_threshold(MAX_BACKGROUND / 4 * 3);
        if offered.contains(InitFlags::FUSE_NO_OPEN_SUPPORT) {
            self.opening.file = Open::LeftToKernel;
        }
        if !keeps_listings {
            self.opening.directory = Open::AnsweredUncached;
        } else if offered.contains(InitFlags::FUSE_NO_OPENDIR_SUPPORT) {
            self.opening.directory = Open::LeftToKernel;
        }
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let name = name.as_bytes();
        if name.len() > NAME_MAX {
            return reply.error(Errno::ENAMETOOLONG);
        }
        let found = self.find(parent, name);
        match found.and_then(|entry| Ok((entry.ttl, self.hold(&entry.attr)?))) {
            Ok((ttl, (attr, generation))) => reply.entry(&ttl, &attr, generation),
            Err(Errno::ENOENT) => self.no_such_name(parent, reply),
            Err(error) => reply.error(error),
        }
    }

    fn forget(&self, _: &Request, ino: INodeNo, times: u64) {
        self.forget(ino, times);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.run_on(ino, |volume, ino| volume.attr(ino)) {
            Ok(entry) => reply.attr(&entry.ttl, &FileAttr { ino, ..attributes(&entry.attr) }),
            Err(error) => reply.error(error),
        }
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        match self.run_on(ino, |volume, ino| volume.read_link(ino)) {
            // The kernel follows no longer ones, and takes what does not fit into a page for a failure.
            Ok(text) if text.len() >= PATH_MAX => reply.error(Errno::ENAMETOOLONG),
            Ok(text) => reply.data(&text),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        if is_for_writing(flags) {
            reply.error(Errno::EROFS);
        } else if self.opening.file == Open::LeftToKernel {
            reply.error(Errno::ENOSYS);
        } else {
            reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut reply = Some(reply);
        let answer = self.run_on(ino, |volume, ino| {
            volume.read(ino, offset, size, &mut |bytes| {
                let wanted = bytes.len().min(size as usize);
                if let (Some(reply), Some(bytes)) = (reply.take(), bytes.get(..wanted)) {
                    reply.data(bytes);
                }
            })
        });
        match (reply, answer) {
            (Some(reply), Ok(())) => reply.data(&[]),
            (Some(reply), Err(error)) => reply.error(error),
            (None, _) => {}
        }
    }

    fn lseek(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let whence = match whence {
            libc::SEEK_DATA => Seek::Data,
            libc::SEEK_HOLE => Seek::Hole,
            _ => return reply.error(Errno::EINVAL),
        };
        let Ok(offset) = u64::try_from(offset) else {
            return reply.error(Errno::ENXIO);
        };
        match self.run_on(ino, |volume, ino| volume.seek(ino, offset, whence)) {
            Ok(found) => match i64::try_from(found) {
                Ok(found) => reply.offset(found),
                Err(_) => reply.error(Errno::EOVERFLOW),
            },
            Err(error) => reply.error(error),
        }
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let cached = FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE;
        match self.opening.directory {
            Open::LeftToKernel => reply.error(Errno::ENOSYS),
            Open::Answered => reply.opened(FileHandle(0), cached),
            Open::AnsweredUncached => reply.opened(FileHandle(0), FopenFlags::empty()),
        }
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let answer = self.list(ino, offset, &mut |next, listed| {
            let ino = self.numbers.mention(listed.entry.attr.ino);
            let kind: FileType = file_type(listed.entry.attr.kind);
            let name = OsStr::from_bytes(listed.name);
            reply.add(ino, next, kind, name).into()
        });
        match answer {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn readdirplus(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let (mut held, mut added) = (Ok(()), false);
        let answer = self.list(ino, offset, &mut |next, listed| {
            let (name, ttl) = (OsStr::from_bytes(listed.name), listed.entry.ttl);
            let attr = &listed.entry.attr;
            // The kernel holds what it learns by a name, but for these two.
            if matches!(listed.name, b"." | b"..") {
                let attr = self.attributes_of(attr);
                return reply.add(attr.ino, next, name, &ttl, &attr, Generation(0)).into();
            }
            match self.hold(attr) {
                Ok((attr, generation)) => {
                    let full = reply.add(attr.ino, next, name, &ttl, &attr, generation);
                    if full {
                        self.forget(attr.ino, 1);
                    }
                    added |= !full;
                    full.into()
                }
                Err(error) => {
                    held = Err(error);
                    Full::Yes
                }
            }
        });
        match answer.and(held) {
            // What the kernel holds by this answer must reach it; the next one begins at the error.
            Err(error) if !added => reply.error(error),
            Ok(()) | Err(_) => reply.ok(),
        }
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        match self.run(|volume| volume.space()) {
            Ok(space) => {
                let (total, free) = (space.total.div_ceil(BLOCK), space.free / BLOCK);
                let (block, name) = (BLOCK as u32, NAME_MAX as u32);
                reply.statfs(total, free, free, space.files, 0, block, name, block);
            }
            Err(error) => reply.error(error),
        }
    }

    fn getxattr(&self, _: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        match self.run_on(ino, |volume, ino| volume.xattr(ino, name.as_bytes())) {
            Ok(value) => answer_sized(&value, size, reply),
            Err(error) => reply.error(error),
        }
    }

    fn listxattr(&self, _: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        match self.run_on(ino, |volume, ino| volume.xattr_names(ino)) {
            Ok(names) => {
                let mut list = Vec::new();
                for name in names {
                    list.extend_from_slice(&name);
                    list.push(0);
                }
                answer_sized(&list, size, reply);
            }
            Err(error) => reply.error(error),
        }
    }

    /// ENOSYS tells the kernel to grant what its own checks grant, and not to ask again.
    fn access(&self, _: &Request, _: INodeNo, _: AccessFlags, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    /// ENOSYS tells the kernel that closing needs no message; there is nothing to flush.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply.ok();
    }

    fn ioctl(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: IoctlFlags,
        _: u32,
        _: &[u8],
        _: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }

    fn setattr(
        &self,
        _: &Request,
        _: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        reply.error(Errno::EROFS);
    }

    fn mknod(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn mkdir(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn unlink(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn rmdir(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn symlink(&self, _: &Request, _: INodeNo, _: &OsStr, _: &Path, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn rename(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _: INodeNo,
        _: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EROFS);
    }

    fn link(&self, _: &Request, _: INodeNo, _: INodeNo, _: &OsStr, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        reply.error(Errno::EROFS);
    }

    fn create(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        reply.error(Errno::EROFS);
    }

    fn setxattr(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _: &[u8],
        _: i32,
        _: u32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EROFS);
    }

    fn removexattr(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn fallocate(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: u64,
        _: i32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EROFS);
    }

    fn copy_file_range(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: u64,
        _: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        reply.error(Errno::EROFS);
    }
}
