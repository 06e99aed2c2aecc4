//! `yore mount`: shows the snapshots as a drive, until it is asked to take it away.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use yore_engine::repository::Repository;
use yore_platform::{
    Access, DetachError, InodeNumbers, MountOptions, Readiness, check_mountpoint,
    create_private_dir, driver_available, open_log, spawn_detached,
};
use zeroize::Zeroizing;

use crate::access::secret::{self, GivenSecret};
use crate::access::state;
use crate::context::Context;
use crate::drive::volume_args::VolumeArgs;
use crate::drive::{self, Drive};
use crate::failure::engine_error::quoted;
use crate::failure::engine_error::reason;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;

/// The hidden option by which a process in the background recognises itself.
const IN_BACKGROUND: &str = "--in-background";

/// The options of `mount`.
#[derive(Debug, Args)]
pub struct Options {
    /// An empty folder
    #[arg(value_name = "DIR")]
    mountpoint: PathBuf,
    /// Serve the drive in the background
    #[arg(long)]
    detach: bool,
    /// Let other users look as well, as far as the files' permissions let them
    #[arg(long)]
    allow_other: bool,
    /// Number files within 32 bits, for old programs that refuse larger numbers
    #[arg(long)]
    inode32: bool,
    #[command(flatten)]
    volume: VolumeArgs,
    #[arg(long, hide = true)]
    in_background: bool,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    options.volume.meter(context);
    if options.in_background {
        return run_in_background(context, options);
    }
    let mountpoint = check(context, &options.mountpoint)?;
    if options.detach {
        return detach(context, options, &mountpoint);
    }
    let repository = context.open()?;
    let interrupt = context.interrupt()?;
    let drive = mount(context, options, repository)?;
    print_mounted(context, options, &mountpoint, std::process::id());
    drive.serve(context, interrupt)
}

/// Refuses a bad mountpoint before a secret is asked for; returns its absolute path.
fn check(context: &Context, mountpoint: &Path) -> Outcome<PathBuf> {
    check_mountpoint(mountpoint)?;
    let real = std::fs::canonicalize(mountpoint).map_err(|e| Failure::local(mountpoint, e))?;
    let places = context.places()?;
    let repositories =
        places.iter().map(|place| (place.destination.local_folder(), "the repository"));
    let cache = (context.cache(), "Yore's cache");
    let state = (state::state_folder(), "Yore's own folder");
    for (folder, what) in repositories.chain([cache, state]) {
        let Some(Ok(folder)) = folder.map(std::fs::canonicalize) else { continue };
        let how = match (real.starts_with(&folder), folder.starts_with(&real)) {
            (true, _) => "lies inside",
            (_, true) => "holds",
            (false, false) => continue,
        };
        return Err(Failure::new(
            Exit::Failed,
            format!(
                "mountpoint {} {how} {what} ({}), which the drive would hide",
                real.display(),
                folder.display()
            ),
            "choose an empty folder elsewhere",
        ));
    }
    driver_available()?;
    Ok(real)
}

fn mount(context: &Context, options: &Options, repository: Repository) -> Outcome<Drive> {
    let presented = options.volume.options(context);
    let access = if options.allow_other { Access::Everyone } else { Access::OwnerOnly };
    let inode_numbers = if options.inode32 { InodeNumbers::Short } else { InodeNumbers::Long };
    let how = MountOptions { access, inode_numbers, ..MountOptions::default() };
    drive::mount(Arc::new(repository), &options.mountpoint, presented, &how, &context.screen)
}

fn print_mounted(context: &Context, options: &Options, mountpoint: &Path, pid: u32) {
    let mountpoint = mountpoint.display().to_string();
    context.screen.object(&json::Mount { mountpoint: &mountpoint, pid });
    context.screen.info(format!("The drive is at {mountpoint}. Look into latest and snapshots."));
    context.screen.info(match options.detach {
        true => format!("To take it away: yore umount {}", quoted(&mountpoint)),
        false => "Ctrl-C takes it away.".to_owned(),
    });
}

/// Starts this program again in the background, and waits until the drive is there.
fn detach(context: &Context, options: &Options, mountpoint: &Path) -> Outcome {
    let given = match secret::given(&context.global, context.references()?)? {
        Some(given) => given,
        // A mistyped passphrase is noticed while it can be asked for again.
        None => context.open_and_keep_secret()?.1,
    };
    let arguments = for_background(std::env::args_os().skip(1).collect());
    match spawn_detached(&arguments, &given.to_bytes()) {
        Ok(detached) => {
            print_output(context, &detached.stderr);
            print_mounted(context, options, mountpoint, detached.pid);
            Ok(Done::Whole)
        }
        Err(DetachError::Refused { message, code }) => {
            let (what, hint) = message.split_once('\n').unwrap_or((&message, ""));
            let hint = (!hint.is_empty()).then(|| hint.to_owned());
            Err(Failure { exit: Exit::Code(code), what: what.to_owned(), hint })
        }
        Err(error) => {
            if let DetachError::Died { stderr, .. } = &error {
                print_output(context, stderr);
            }
            let what = match std::error::Error::source(&error) {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            };
            Err(Failure::new(
                Exit::Failed,
                what,
                "run it without --detach to see what happens, as in `yore mount DIR &`",
            ))
        }
    }
}

/// Returns the arguments by which the process in the background recognises itself: an option, which
/// must come before a `--` that ends the options.
fn for_background(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    arguments.insert(end, IN_BACKGROUND.into());
    arguments
}

/// Prints the messages of the process in the background, which have the form of this one's.
fn print_output(context: &Context, said: &str) {
    for line in said.lines() {
        match context.screen.is_json() && !line.starts_with('{') {
            true => context.screen.problem("", line),
            false => context.screen.ask(line),
        }
    }
}

fn run_in_background(context: &Context, options: &Options) -> Outcome {
    let (readiness, secret) = Readiness::take().map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("this is no process that yore started in the background: {error}"),
            "use yore mount --detach",
        )
    })?;
    let secret = Zeroizing::new(secret);
    let interrupt = context.interrupt()?;
    let mounted =
        open_given(context, &secret).and_then(|repository| mount(context, options, repository));
    drop(secret);
    match mounted {
        Ok(drive) => {
            let log = log(context);
            readiness.ready(log).map_err(|error| Failure::local(Path::new("/"), error))?;
            drive.serve(context, interrupt)
        }
        Err(failure) => {
            let hint = failure.hint.as_deref().unwrap_or_default();
            let message = format!("{}\n{hint}", failure.what);
            let code = failure.exit.code(interrupt.signal());
            readiness.refuse(&message, code);
            Err(failure)
        }
    }
}

/// Opens the log of drives in the background; warns where there is none.
fn log(context: &Context) -> Option<File> {
    let opened = match state::state_folder() {
        None => Err("there is no home folder".to_owned()),
        Some(folder) => {
            let log = folder.join("mount.log");
            let opened = create_private_dir(&folder).and_then(|()| open_log(&log));
            opened.map_err(|error| format!("{}: {}", log.display(), reason(&error)))
        }
    };
    let without = |why: String| {
        context.screen.problem("", &format!("this drive will keep no log of errors ({why})"));
    };
    opened.map_err(without).ok()
}

fn open_given(context: &Context, secret: &[u8]) -> Outcome<Repository> {
    let given = GivenSecret::from_bytes(secret).ok_or_else(|| {
        Failure::new(Exit::Failed, "the secret did not arrive", "run the command again")
    })?;
    context.open_given(&given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_of_the_background_comes_before_the_end_of_the_options() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (typed, expected) in [
            ("mount --detach dir", "mount --detach dir --in-background"),
            ("mount --detach -- dir", "mount --detach --in-background -- dir"),
            ("mount --detach -- --", "mount --detach --in-background -- --"),
        ] {
            assert_eq!(for_background(words(typed)), words(expected));
        }
    }
}
