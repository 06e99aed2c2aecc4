//! Drawing files of a snapshot at random.

use yore_engine::TreePath;
use yore_engine::format::Node;
use yore_engine::read::{DirRef, Reader, children};
use yore_platform::Kind;

use crate::failure::engine_error::message;
use crate::text::escape;

/// A file that is restored.
pub struct Sampled {
    /// The path in the snapshot.
    pub path: Vec<u8>,
    /// What the snapshot has of it.
    pub node: Node,
}

/// Files that were drawn.
pub struct Sample {
    /// The files.
    pub chosen: Vec<Sampled>,
    /// The bytes of all files of the snapshot.
    pub bytes_of_all: u64,
    /// Folders that can't be read.
    pub problems: Vec<String>,
}

/// Draws at most `most` files with `most_bytes` together, each with the same chance; at least one if there is one.
pub fn draw(reader: &Reader, root: &DirRef, most: usize, most_bytes: u64) -> Sample {
    let mut sample = Sample { chosen: Vec::new(), bytes_of_all: 0, problems: Vec::new() };
    let (mut open, mut seen) = (vec![(Vec::new(), root.clone())], 0_u64);
    while let Some((at, dir)) = open.pop() {
        let listed = children(reader, &dir, &mut |child| {
            let path = TreePath::new(&at).join(&child.node.name).into_bytes();
            if let Some(dir) = child.dir {
                open.push((path, dir));
            } else if child.node.kind == Kind::File {
                sample.bytes_of_all = sample.bytes_of_all.saturating_add(child.node.size);
                seen += 1;
                let one = Sampled { path, node: child.node };
                // The n-th file takes a place with a chance of `most` in n (Vitter, algorithm R).
                if sample.chosen.len() < most {
                    sample.chosen.push(one);
                } else if let Some(place) =
                    usize::try_from(random(seen)).ok().filter(|at| *at < most)
                {
                    sample.chosen[place] = one;
                }
            }
            Ok(())
        });
        if let Err(error) = listed {
            sample.problems.push(format!("{}: {}", escape::path(&at), message(&error)));
        }
    }
    if most < usize::MAX {
        let mut left = most_bytes;
        let mut is_first = true;
        sample.chosen.retain(|one| {
            let fits = one.node.size <= left || is_first;
            is_first = false;
            left = left.saturating_sub(if fits { one.node.size } else { 0 });
            fits
        });
    }
    sample
}

/// Draws a number below `end`.
fn random(end: u64) -> u64 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    (u128::from_le_bytes(bytes) % u128::from(end.max(1))) as u64
}
