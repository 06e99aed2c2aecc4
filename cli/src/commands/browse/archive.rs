//! A folder of a snapshot as one stream: a tar or a zip.

use std::io::{self, Write};

use yore_engine::format::Node;
use yore_engine::read::{DirRef, LONGEST_PATH, Lookup, ResolvedNode, children};
use yore_engine::{Error, TreePath};

use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome, engine_error};
use crate::moment::content::copy_out;
use crate::moment::state::MomentState;
use crate::text::escape;

mod as_tar;
mod as_zip;

pub use as_tar::Tar;
pub use as_zip::Zip;

/// The outcome of adding a node to an archive.
pub enum Added {
    /// It was added.
    Whole,
    /// It was added, with zeros where its content could not be read.
    Damaged(Error),
    /// The format can't hold it.
    LeftOut(&'static str),
}

/// A stream to which nodes are added one after the other.
pub trait Archive {
    /// Adds what is at `path` in the state, under `name` in the archive.
    ///
    /// # Errors
    /// The errors of the stream.
    fn add(
        &mut self,
        state: &MomentState,
        path: &[u8],
        name: &[u8],
        node: &Node,
    ) -> io::Result<Added>;

    /// Ends the stream.
    ///
    /// # Errors
    /// The errors of the stream.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Writes bytes to standard output.
pub struct StdoutWriter<'c>(pub &'c Context);

impl Write for StdoutWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.screen.content(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Puts what is at `path` and everything below it into an archive.
pub fn write(
    context: &Context,
    state: &MomentState,
    path: &[u8],
    what: Lookup,
    archive: Box<dyn Archive + '_>,
) -> Outcome {
    let mut walk = Walk { context, state, archive, done: Done::Whole };
    let written = walk.all(path, what).and_then(|()| walk.archive.finish());
    match written {
        Ok(()) => Ok(walk.done),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Done::Whole),
        Err(error) => Err(Failure::new(
            Exit::Failed,
            format!("the archive could not be written: {}", engine_error::reason(&error)),
            "check where standard output goes",
        )),
    }
}

struct Walk<'a> {
    context: &'a Context,
    state: &'a MomentState,
    archive: Box<dyn Archive + 'a>,
    done: Done,
}

/// A directory being walked: its path, its name in the archive, and the children that are left.
type Level = (Vec<u8>, Vec<u8>, std::vec::IntoIter<ResolvedNode>);

impl Walk<'_> {
    fn all(&mut self, path: &[u8], what: Lookup) -> io::Result<()> {
        let mut stack: Vec<Level> = Vec::new();
        let first = match what {
            Lookup::Root(dir) => self.list(&dir, path),
            Lookup::Node(seen) => vec![seen],
        };
        let above = TreePath::new(path).parent().as_bytes();
        stack.push((above.to_vec(), Vec::new(), first.into_iter()));
        while let Some((path, name, nodes)) = stack.last_mut() {
            let Some(seen) = nodes.next() else {
                stack.pop();
                continue;
            };
            let (path, name) = (join(path, &seen.node.name), join(name, &seen.node.name));
            self.add(&path, &name, &seen.node)?;
            if let Some(dir) = &seen.dir {
                let nodes = match path.len() > LONGEST_PATH {
                    true => self.problem(&path, "it is nested more deeply than is followed"),
                    false => self.list(dir, &path),
                };
                stack.push((path, name, nodes.into_iter()));
            }
        }
        Ok(())
    }

    /// Lists a directory, as far as it can be read.
    fn list(&mut self, dir: &DirRef, path: &[u8]) -> Vec<ResolvedNode> {
        let mut nodes = Vec::new();
        let listed = children(&self.state.reader, dir, &mut |seen| {
            nodes.push(seen);
            Ok(())
        });
        if let Err(error) = listed {
            let _ = self.problem(path, &engine_error::message(&error));
        }
        nodes
    }

    fn add(&mut self, path: &[u8], name: &[u8], node: &Node) -> io::Result<()> {
        match self.archive.add(self.state, path, name, node)? {
            Added::Whole => {}
            Added::Damaged(error) => {
                let what = format!("{}: zeros are in its place", engine_error::message(&error));
                let _ = self.problem(path, &what);
            }
            Added::LeftOut(why) => drop(self.problem(path, why)),
        }
        Ok(())
    }

    /// Reports something that is not in the archive; returns no nodes.
    fn problem(&mut self, path: &[u8], what: &str) -> Vec<ResolvedNode> {
        self.done = Done::Partly;
        self.context.screen.problem(&escape::path(path), what);
        Vec::new()
    }
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    TreePath::new(path).join(name).into_bytes()
}

/// Writes exactly as many bytes as a file has; zeros from where it can't be read.
fn content(state: &MomentState, node: &Node, out: &mut dyn Write) -> io::Result<Option<Error>> {
    let (mut left, mut written) = (node.size, Ok(()));
    let read = copy_out(&state.reader, node, &mut |bytes| {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        written = out.write_all(&bytes[..length]);
        left -= length as u64;
        written.is_ok() && left > 0
    });
    written?;
    io::copy(&mut io::Read::take(io::repeat(0), left), out)?;
    Ok(read.err())
}

/// Returns a name as text, for formats that know nothing else.
fn as_text(name: &[u8]) -> String {
    std::str::from_utf8(name).map_or_else(|_| escape::name(name), str::to_owned)
}
