//! `yore umount`: takes a drive away, alive or dead.

use std::path::PathBuf;

use clap::Args;
use yore_platform::{MountError, WhenBusy, unmount};

use crate::context::Context;
use crate::failure::{Done, Failure, Outcome};
use crate::json;

/// The options of `umount`.
#[derive(Debug, Args)]
pub struct Options {
    /// The folder at which the drive is mounted
    #[arg(value_name = "DIR")]
    mountpoint: PathBuf,
    /// Take it away even while programs use it; they keep the files that they have open
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let when_busy = if options.force { WhenBusy::Detach } else { WhenBusy::Refuse };
    unmount(&options.mountpoint, when_busy).map_err(|error| {
        let hint = matches!(error, MountError::NotThere { .. })
            .then(|| "check the spelling; `mount | grep fuse.yore` lists the drives".to_owned());
        let failure = Failure::from(error);
        Failure { hint: hint.or(failure.hint), ..failure }
    })?;
    let shown = options.mountpoint.display().to_string();
    context.screen.object(&json::Umount { mountpoint: &shown });
    context.screen.info(format!("The drive at {shown} is gone; the backups stay."));
    Ok(Done::Whole)
}
