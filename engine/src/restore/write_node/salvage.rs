//! The intact parts of a damaged file, written beside its name, with a list of what they lack.
//!
//! Example: of `plan.odt`, 3 MB, one chunk is lost.
//!
//! ```text
//! plan (salvaged).odt            3 MB, with zeros where the chunk was
//! plan (salvaged).odt.gaps.txt   1048576 1835008     the first byte of each gap, and the first one after it
//! ```
//!
//! The name itself stays free, so that no part is taken for the whole.

use std::fmt::Write;
use std::ops::Range;

use yore_platform::{Kind, Replace, TargetDir};

use crate::error::{Deviation, Error, Result};
use crate::format::tree::Node;
use crate::operation::run::Run;
use crate::path::join;
use crate::read::file::{OpenFile, Piece};
use crate::restore::context::Context;
use crate::restore::directory::{OpenDir, metadata_of};
use crate::restore::labelled_name::labelled;

/// The label of a name.
const LABEL: &str = "salvaged";
/// The ending of the name of a list of gaps.
const ENDING: &[u8] = b".gaps.txt";

/// Writes the intact parts of a file that could not be restored for `error`, if that is asked for.
///
/// The file counts as failed all the same.
pub(in crate::restore) fn after(
    context: &Context<'_>,
    open: &OpenDir<'_>,
    node: &Node,
    error: &Error,
) {
    let is_wanted = context.options.salvage && context.options.run == Run::Real;
    if !is_wanted || node.kind != Kind::File || !error.is_of_copy() {
        return;
    }
    let path = join(&open.path, &node.name);
    match write(context, open, node) {
        Ok(Some(salvaged)) => {
            context.counts.salvaged.add(1);
            context.problem(path, salvaged.into());
        }
        // Nothing of it is left.
        Ok(None) => {}
        Err(Error::Interrupted) => context.failed(path, Error::Interrupted),
        Err(error) => context.problem(path, error),
    }
}

/// Writes the intact parts and the list of gaps; `None` if there are no intact parts.
fn write(context: &Context<'_>, open: &OpenDir<'_>, node: &Node) -> Result<Option<Deviation>> {
    let Some(target) = open.for_writing() else { return Ok(None) };
    let file = OpenFile::open(context.reader, node)?;
    let local = |source| open.local(&node.name, source);
    let out = target.create_temporary(0).map_err(local)?;
    let (mut offset, mut intact, mut gaps) = (0, 0_u64, Vec::<Range<u64>>::new());
    while let Some(at) = file.next_data(offset) {
        if context.stopped() {
            return Err(Error::Interrupted);
        }
        let bytes = match file.piece(context.reader, at) {
            Ok(piece) => piece,
            Err(error) if error.is_of_copy() => {
                offset = file.lost_until(context.reader, at);
                match gaps.last_mut() {
                    Some(last) if last.end == at => last.end = offset,
                    _ => gaps.push(at..offset),
                }
                continue;
            }
            Err(error) => return Err(error),
        };
        let bytes = match &bytes {
            Piece::Data { blob, range } => &blob[range.clone()],
            Piece::Inline(range) => &file.inline()[range.clone()],
            Piece::Hole(_) | Piece::End => break,
        };
        out.write_at(bytes, at).map_err(local)?;
        offset = at + bytes.len() as u64;
        intact += bytes.len() as u64;
    }
    if intact == 0 {
        return Ok(None);
    }
    out.set_len(node.size).map_err(local)?;
    super::report_refused(context, open, node, out.set_metadata(&metadata_of(context, node)));
    let name = free_name(target, &node.name).map_err(local)?;
    write_list(target, &name, &gaps).map_err(local)?;
    out.publish(&name, Replace::Never).map_err(local)?;
    let lost = gaps.iter().map(|gap| gap.end - gap.start).sum();
    let name = String::from_utf8_lossy(&name).into_owned();
    Ok(Some(Deviation::Salvaged { name, lost, size: node.size }))
}

/// Finds a labelled name that nothing has.
fn free_name(target: &TargetDir, own: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut number = 1;
    loop {
        // Short enough for the ending of the list.
        let own = &own[..own.len().min(255 - ENDING.len())];
        let name = labelled(own, LABEL, number);
        let name = name[..name.len().min(255 - ENDING.len())].to_vec();
        if target.child_metadata(&name)?.is_none() {
            return Ok(name);
        }
        number += 1;
    }
}

/// Writes the list of gaps beside a file.
fn write_list(target: &TargetDir, name: &[u8], gaps: &[Range<u64>]) -> std::io::Result<()> {
    let mut text = String::new();
    for gap in gaps {
        let _ = writeln!(text, "{} {}", gap.start, gap.end);
    }
    let list = target.create_temporary(text.len() as u64)?;
    list.write_at(text.as_bytes(), 0)?;
    list.publish(&[name, ENDING].concat(), Replace::Always)
}
