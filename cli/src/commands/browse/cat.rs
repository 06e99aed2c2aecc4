//! `yore cat`: prints a file of a snapshot, byte for byte, or a folder as an archive.

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal};

use clap::Args;
use yore_engine::read::{Lookup, ResolvedNode};
use yore_platform::Kind;

use super::archive::{self, Archive, StdoutWriter, Tar, Zip};
use crate::args::machine::MachineArgs;
use crate::context::Context;
use crate::failure::engine_error::reason;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::moment::content::copy_out;
use crate::moment::state::MomentState;
use crate::moment::{moment_path, state as moment_state};
use crate::text::escape;

/// The options of `cat`.
#[derive(Debug, Args)]
pub struct Options {
    /// MOMENT:PATH, as in yesterday:/home/me/report.odt; a folder is printed as a tar, as for
    /// `yore cat yesterday:/home/me/docs | tar -x`
    #[arg(value_name = "MOMENT:PATH")]
    moment_path: OsString,
    /// Print a zip
    #[arg(long)]
    zip: bool,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let moment_path = moment_path::parse(&options.moment_path, &context.now)?;
    let repository = context.open()?;
    let state = moment_state::open(context, &repository, &moment_path, &options.machine)?;
    let (path, found) = moment_state::locate(&state, &moment_path)?;
    let is_file = matches!(&found, Lookup::Node(seen) if seen.dir.is_none());
    if options.zip || !is_file {
        return print_archive(context, options, &state, &path, found);
    }
    let Lookup::Node(ResolvedNode { node, .. }) = found else {
        return Err(no_file(&path, "a folder"));
    };
    match node.kind {
        Kind::File => {}
        Kind::Directory => return Err(no_file(&path, "a folder")),
        Kind::Symlink => {
            let what = format!("a link to {}", escape::name(&node.target));
            return Err(no_file(&path, &what));
        }
        Kind::Fifo | Kind::Socket | Kind::CharDevice | Kind::BlockDevice => {
            return Err(no_file(&path, "not a regular file"));
        }
    }
    let mut printed = Ok(());
    copy_out(&state.reader, &node, &mut |bytes| {
        printed = context.screen.content(bytes);
        printed.is_ok()
    })?;
    match printed {
        Ok(()) => Ok(Done::Whole),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Done::Whole),
        Err(error) => Err(Failure::new(
            Exit::Failed,
            format!("the file could not be printed: {}", reason(&error)),
            "check where standard output goes",
        )),
    }
}

/// Prints a folder, or with `--zip` anything, as an archive.
fn print_archive(
    context: &Context,
    options: &Options,
    state: &MomentState,
    path: &[u8],
    found: Lookup,
) -> Outcome {
    if io::stdout().is_terminal() {
        return Err(Failure::usage(
            "an archive is not for a terminal",
            "write it to a file (> docs.tar), or pipe it: | tar -x",
        ));
    }
    let out = BufWriter::with_capacity(256 << 10, StdoutWriter(context));
    let archive: Box<dyn Archive + '_> = match options.zip {
        true => Box::new(Zip::new(out, context.now.time_zone().clone())),
        false => Box::new(Tar::new(out)),
    };
    archive::write(context, state, path, found, archive)
}

fn no_file(path: &[u8], what: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("{} is {what}, and only files can be printed", escape::path(path)),
        "`yore ls` lists folders, `yore restore` copies anything out",
    )
}
