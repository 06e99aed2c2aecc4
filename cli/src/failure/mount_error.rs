//! The table of the errors of mounting: exit code and hint.

use yore_platform::{DriverMissing, MountError};

use crate::failure::Exit;
use crate::failure::engine_error::quoted;

/// Returns the kind of failure that an error is, and the hint.
pub fn explain(error: &MountError) -> (Exit, String) {
    let shown = |path: &std::path::Path| quoted(&path.display().to_string());
    let hint = match error {
        MountError::NotThere { path } => format!("make it: mkdir -p {}", shown(path)),
        MountError::NotADirectory { .. } => "choose an empty folder".into(),
        MountError::NotEmpty { .. } => {
            "the drive would hide what is there; choose an empty folder".into()
        }
        MountError::AlreadyMounted { path } => {
            format!("use it, or take it away: yore umount {}", shown(path))
        }
        MountError::Stale { .. } => {
            "type that, then mount again; nothing of the backups is lost".into()
        }
        MountError::NotPermitted { .. } => "choose a folder that belongs to you".into(),
        MountError::NotMounted { path } => {
            format!("`mount | grep fuse.yore` lists the drives; {} is none", shown(path))
        }
        MountError::Covered { path } => {
            format!("take that away first: umount {}", shown(path))
        }
        MountError::Busy { path, .. } => {
            let hint = format!("close them and try again, or: yore umount --force {}", shown(path));
            return (Exit::Busy, hint);
        }
        MountError::DriverMissing(missing) => fuse(*missing).into(),
        MountError::AllowOtherForbidden => {
            "leave --allow-other away, or let the administrator add the line `user_allow_other` to \
             /etc/fuse.conf"
                .into()
        }
        MountError::Helper { .. } => "check that the folder is yours, and that FUSE works".into(),
        MountError::Io { source, .. } => crate::failure::engine_error::by_cause(source).into(),
    };
    (Exit::Failed, hint)
}

/// Returns what to install or permit so that drives can be mounted.
pub fn fuse(missing: DriverMissing) -> &'static str {
    match missing {
        DriverMissing::HelperAbsent => {
            "install it. Debian, Ubuntu: sudo apt-get install fuse3 · Fedora: sudo dnf install \
             fuse3 · Arch: sudo pacman -S fuse3 · openSUSE: sudo zypper install fuse3"
        }
        DriverMissing::DeviceAbsent => {
            "load it: sudo modprobe fuse (in a container, start it with --device /dev/fuse \
             --cap-add SYS_ADMIN); where fuse3 is not installed: sudo apt-get install fuse3"
        }
        DriverMissing::DevicePermission => {
            "let everybody use it, as is usual: sudo chmod 666 /dev/fuse (in a container, start it \
             with --device /dev/fuse)"
        }
        DriverMissing::DriverAbsent => "load it: sudo modprobe fuse (in a container: on its host)",
    }
}
