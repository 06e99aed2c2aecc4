//! `yore ls`: lists what a snapshot holds, as `ls -l` does.

use std::ffi::OsString;

use clap::Args;
use textwrap::core::display_width;
use yore_engine::format::{Flags, Node};
use yore_engine::read::{DirRef, LONGEST_PATH, Lookup, children};
use yore_engine::{Refusal, TreePath};
use yore_platform::{AccountNames, Kind, Owner, hostname};

use crate::args::machine::MachineArgs;
use crate::context::Context;
use crate::failure::{Done, Outcome, engine_error};
use crate::json;
use crate::moment::{moment_path, state as moment_state};
use crate::text::wrap::{pad, pad_left};
use crate::text::{escape, format};

/// The options of `ls`.
#[derive(Debug, Args)]
pub struct Options {
    /// MOMENT or MOMENT:PATH, as in latest:/home/me
    #[arg(value_name = "MOMENT[:PATH]", default_value = "latest")]
    moment_path: OsString,
    /// List what is below as well
    #[arg(long, short = 'R')]
    recursive: bool,
    /// Show everything about each name (as always)
    #[arg(long, short)]
    long: bool,
    #[command(flatten)]
    machine: MachineArgs,
}

/// The names of owners that a snapshot has not.
struct Names {
    /// The accounts of this machine, which mean nothing for the numbers of another one.
    here: Option<AccountNames>,
}

impl Names {
    fn of(hosts: &[String]) -> Self {
        let is_here = |host: &String| *host == hostname();
        Self { here: hosts.iter().all(is_here).then(AccountNames::new) }
    }

    /// Names the user and the group of a node: as the snapshot does, else as this machine does if the snapshot is of
    /// it, else by their numbers.
    fn owners(&self, node: &Node) -> (String, String) {
        let Some(Owner { uid, gid }) = node.owner else { return ("?".into(), "?".into()) };
        let (stored, here) = (&node.owner_names, self.here.as_ref());
        let user = stored.user(uid).map(escape::name);
        let user = user.or_else(|| Some(escape::name(&here?.user(uid)?)));
        let group = stored.group(gid).map(escape::name);
        let group = group.or_else(|| Some(escape::name(&here?.group(gid)?)));
        (user.unwrap_or_else(|| uid.to_string()), group.unwrap_or_else(|| gid.to_string()))
    }
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let moment_path = moment_path::parse(&options.moment_path, &context.now)?;
    let repository = context.open()?;
    let state = moment_state::open(context, &repository, &moment_path, &options.machine)?;
    let names = Names::of(&state.hosts);
    let print = |path: &[u8], node: &Node, shown: &[u8]| match context.screen.is_json() {
        true => context.screen.object(&object(path, node)),
        false => print_line(context, &names, node, shown),
    };
    let (top_path, found) = moment_state::locate(&state, &moment_path)?;
    let top = match found {
        Lookup::Root(dir) => dir,
        Lookup::Node(seen) => match seen.dir {
            Some(dir) => dir,
            None => {
                print(&top_path, &seen.node, &seen.node.name);
                return Ok(Done::Whole);
            }
        },
    };
    let mut pending: Vec<(Vec<u8>, DirRef)> = vec![(top_path.clone(), top)];
    let mut done = Done::Whole;
    let mut first = Some(());
    while let Some((at, dir)) = pending.pop() {
        let mut below = Vec::new();
        let listed = children(&state.reader, &dir, &mut |seen| {
            let path = join(&at, &seen.node.name);
            let shown = match options.recursive {
                true => relative(&path, &top_path),
                false => &seen.node.name,
            };
            print(&path, &seen.node, shown);
            if let Some(dir) = seen.dir.filter(|_| options.recursive) {
                if path.len() > LONGEST_PATH {
                    return Err(Refusal::TooDeep.into());
                }
                below.push((path, dir));
            }
            Ok(())
        });
        match (listed, first.take()) {
            (Err(error), Some(())) if !options.recursive => return Err(error.into()),
            (Err(error), _) => {
                let subject = escape::path(&at);
                let (subject, what) = engine_error::with_subject(&subject, &error);
                context.screen.problem(subject, &what);
                done = Done::Partly;
            }
            (Ok(()), _) => {}
        }
        below.reverse();
        pending.append(&mut below);
    }
    Ok(done)
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    TreePath::new(folder).join(name).into_bytes()
}

fn relative<'p>(path: &'p [u8], top: &[u8]) -> &'p [u8] {
    let path = TreePath::new(path);
    path.strip_prefix(TreePath::new(top)).unwrap_or(path).as_bytes()
}

/// Prints a node on one line, or, on a narrow terminal, with its name on a line of its own.
fn print_line(context: &Context, names: &Names, node: &Node, shown: &[u8]) {
    let (user, group) = names.owners(node);
    let size = match node.kind {
        Kind::CharDevice | Kind::BlockDevice => {
            format!("{}, {}", node.device_number.major, node.device_number.minor)
        }
        Kind::File => node.size.to_string(),
        Kind::Directory | Kind::Symlink | Kind::Fifo | Kind::Socket => "-".into(),
    };
    let (permissions, name) = (permissions(node), label(node, shown));
    let time = format::time(node.modified, context.now.time_zone());
    let line = format!(
        "{permissions} {} {} {} {time} {name}",
        pad(&user, 8),
        pad(&group, 8),
        pad_left(&size, 13),
    );
    match context.screen.width() {
        Some(width) if display_width(&line) > width => {
            context.screen.line(format!("{permissions} {user} {group} {size} {time}"));
            context.screen.line(format!("  {name}"));
        }
        _ => context.screen.literal(line),
    }
}

/// Returns the name of a node, with the target of a link and the problems of its backup.
fn label(node: &Node, shown: &[u8]) -> String {
    let mut label = escape::name(shown);
    if node.kind == Kind::Symlink {
        label.push_str(" -> ");
        label.push_str(&escape::name(&node.target));
    }
    for flag in flags(node) {
        label.push_str(&format!("  ({flag})"));
    }
    label
}

fn permissions(node: &Node) -> String {
    let kind = match node.kind {
        Kind::File => '-',
        Kind::Directory => 'd',
        Kind::Symlink => 'l',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
        Kind::CharDevice => 'c',
        Kind::BlockDevice => 'b',
    };
    let Some(mode) = node.mode else { return format!("{kind}?????????") };
    let mut text = String::from(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

fn flags(node: &Node) -> Vec<&'static str> {
    let known = [
        (Flags::CHANGED_WHILE_READ, "changed while it was read"),
        (Flags::ATTRIBUTES_MISSING, "some of its attributes could not be read"),
        (Flags::STALE, "was not read; this is its state of before"),
    ];
    known.iter().filter(|(flag, _)| node.flags.contains(*flag)).map(|(_, text)| *text).collect()
}

/// Describes a node for programs.
pub fn object(path: &[u8], node: &Node) -> json::Node {
    json::Node::new(path, node, flags(node))
}
