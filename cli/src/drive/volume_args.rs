//! Options of a volume, shared by the commands that serve one.

use std::sync::Arc;

use clap::Args;
use yore_engine::backend::Meter;
use yore_fs::{Naming, VolumeOptions};
use yore_platform::{AccountNames, Owner, hostname};

use crate::args::size;
use crate::args::snapshot_filter::SnapshotFilter;
use crate::context::Context;

/// The options of a volume.
#[derive(Debug, Args)]
pub struct VolumeArgs {
    /// Show everything as this owner's
    #[arg(long, value_name = "UID:GID", value_parser = parse_owner)]
    owner: Option<Owner>,
    /// Take these permissions away from everything, as in 077
    #[arg(long, value_name = "MODE", value_parser = parse_umask)]
    umask: Option<u32>,
    /// Memory for what was decoded and for the index, as in 256M
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    cache_size: Option<u64>,
    /// Fetch at most so much a second from the repository, as in 2M
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    max_fetch_rate: Option<u64>,
    /// Name snapshots and days in UTC, as in 2026-01-15T093000Z and 2026-01-15Z
    #[arg(long)]
    utc_names: bool,
    /// Leave out the file READ ME.txt, which explains the folders
    #[arg(long)]
    no_readme: bool,
    #[command(flatten)]
    filter: SnapshotFilter,
}

fn parse_owner(text: &str) -> Result<Owner, String> {
    let names = AccountNames::new();
    let unknown = |word: &str| format!("{word} is neither a number nor a name that is known here");
    let (user, group) = text.split_once(':').ok_or("write it as UID:GID, as in 1000:1000")?;
    let uid = user.parse().ok().or_else(|| names.uid(user.as_bytes()));
    let gid = group.parse().ok().or_else(|| names.gid(group.as_bytes()));
    Ok(Owner { uid: uid.ok_or_else(|| unknown(user))?, gid: gid.ok_or_else(|| unknown(group))? })
}

fn parse_umask(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mask| *mask <= 0o777)
        .ok_or_else(|| "write it in octal digits, as in 077".into())
}

/// Returns the name of the drive, after its repository.
fn label(context: &Context) -> Option<String> {
    let name = context.places().ok()?.first()?.destination.short_name()?;
    Some(format!("Yore: {name}"))
}

impl VolumeArgs {
    /// Begins to count what is fetched, and limits its rate.
    pub fn meter(&self, context: &Context) -> Arc<Meter> {
        context.serve(self.max_fetch_rate)
    }

    /// Returns the options for the volume.
    pub fn options(&self, context: &Context) -> VolumeOptions {
        let mut options = VolumeOptions::new(context.now.time_zone().clone());
        if self.utc_names {
            options.naming = Naming::Utc;
        }
        options.label = label(context);
        options.no_readme = self.no_readme;
        options.machine = Some(self.filter.host.first().cloned().unwrap_or_else(hostname));
        options.owner = self.owner;
        options.meter = Some(self.meter(context));
        options.umask = self.umask.unwrap_or(0);
        if let Some(size) = self.cache_size {
            options.cache_size = usize::try_from(size).unwrap_or(usize::MAX);
        }
        let filter = self.filter.clone();
        options.filter = Some(Arc::new(move |_, snapshot| filter.accepts(snapshot)));
        options
    }
}
