//! Mounts, and obtains the descriptor through which the kernel asks.
//!
//! `fuser` could mount by itself; it is not used for that because it reports refusals as prose and,
//! when a drive was unmounted from outside, unmounts a second time whatever lies at the mountpoint
//! then.

use std::ffi::CString;
use std::io::{self, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::mount::MountFlags;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};

use super::mountpoint::{find_helper, open_device, refused};
use crate::mount::error::{DriverMissing, MountError};
use crate::mount::{Access, MountOptions};

/// Mounts at `point`, by itself where the kernel permits it and else through `fusermount3`.
pub(super) fn attach(point: &Path, options: &MountOptions) -> Result<OwnedFd, MountError> {
    match attach_directly(point, options)? {
        Some(connection) => Ok(connection),
        None => attach_by_helper(point, options),
    }
}

/// Returns `None` where only the helper may mount.
fn attach_directly(point: &Path, options: &MountOptions) -> Result<Option<OwnedFd>, MountError> {
    let connection = open_device()?;
    let mut data = format!(
        "fd={},rootmode=40000,user_id={},group_id={}",
        connection.as_raw_fd(),
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw(),
    );
    if options.access == Access::Everyone {
        data.push_str(",default_permissions,allow_other");
    }
    let data = CString::new(data).unwrap_or_default();
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOATIME;
    match rustix::mount::mount(&*options.name, point, "fuse.yore", flags, data.as_c_str()) {
        Ok(()) => Ok(Some(connection)),
        Err(Errno::PERM) => Ok(None),
        Err(Errno::NODEV) => Err(DriverMissing::DriverAbsent.into()),
        Err(error) => Err(refused(point, error.into())),
    }
}

fn attach_by_helper(point: &Path, options: &MountOptions) -> Result<OwnedFd, MountError> {
    let helper = find_helper().ok_or(DriverMissing::HelperAbsent)?;
    let name = options.name.replace('\\', "\\\\").replace(',', "\\,");
    let mut list = format!("ro,nosuid,nodev,noatime,subtype=yore,fsname={name}");
    if options.access == Access::Everyone {
        list.push_str(",default_permissions,allow_other");
    }
    let io = |source| refused(point, source);
    let (ours, theirs) = UnixStream::pair().map_err(io)?;
    // As its standard input the helper inherits the socket, and no other child does.
    let mut child = Command::new(helper)
        .args(["-o", &list, "--"])
        .arg(point)
        .env("_FUSE_COMMFD", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(io)?;
    let received = receive_descriptor(&ours).map_err(io)?;
    drop(ours);
    let mut message = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        // What the helper says only explains a failure that is known from the missing descriptor.
        let _ = stderr.read_to_string(&mut message);
    }
    child.wait().map_err(io)?;
    received.ok_or_else(|| explain(point, message.trim()))
}

fn explain(point: &Path, message: &str) -> MountError {
    let path = point.to_owned();
    if message.contains("user_allow_other") {
        MountError::AllowOtherForbidden
    } else if message.contains("no write access") {
        MountError::NotPermitted { path }
    } else if message.contains("device not found") || message.contains("/dev/fuse: No such") {
        DriverMissing::DeviceAbsent.into()
    } else {
        let message = message.to_owned();
        MountError::Helper { path, message }
    }
}

/// Receives the descriptor that the helper sends; `None` when it hangs up without.
fn receive_descriptor(socket: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut pieces = [IoSliceMut::new(&mut byte)];
    rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut pieces, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok(descriptor)
}
