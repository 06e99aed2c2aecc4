//! The folder into which a restore copies.

use std::path::{Path, PathBuf};

use yore_engine::TreePath;
use yore_engine::read::Lookup;
use yore_platform::{name_bytes, system_path};

use super::Options;
use crate::args::exclude;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Returns the folder in which the first restored name comes to lie.
///
/// # Errors
/// When it lies inside the repository.
pub(super) fn folder(context: &Context, options: &Options, path: &[u8]) -> Outcome<PathBuf> {
    let target = match &options.target {
        Some(target) => std::path::absolute(target).map_err(|e| Failure::local(target, e))?,
        None => system_path(TreePath::new(path).parent().as_bytes()),
    };
    let whole = std::fs::canonicalize(&target).unwrap_or_else(|_| target.clone());
    let is_inside = context.places()?.iter().any(|place| {
        place.destination.local_folder().is_some_and(|folder| {
            let real = std::fs::canonicalize(&folder);
            whole.starts_with(real.as_deref().unwrap_or(&folder))
        })
    });
    match is_inside {
        false => Ok(target),
        true => Err(Failure::usage(
            format!("{} lies inside the repository", target.display()),
            "choose another folder",
        )),
    }
}

/// Returns patterns of the repository and the cache, where they lie in the target: nothing removes those.
pub(super) fn protected_patterns(
    context: &Context,
    target: &Path,
    path: &[u8],
) -> Outcome<Vec<String>> {
    let above = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    let target = std::fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
    let within = context.own_folders()?.into_iter().filter_map(|folder| {
        let below = folder.strip_prefix(&target).ok()?.to_owned();
        Some(exclude::exactly(&system_path(&path[..above]).join(below)).patterns)
    });
    Ok(within.flatten().collect())
}

/// Returns the name that `--target` gives to a single file; `None` where it is the folder for it.
pub(super) fn name(options: &Options, target: &Path, what: &Lookup) -> Option<Vec<u8>> {
    let typed = name_bytes(options.target.as_ref()?.as_os_str());
    let is_one = matches!(what, Lookup::Node(seen) if seen.dir.is_none());
    let ends_in_a_name = !matches!(typed, [.., b'/'] | [.., b'/', b'.'] | b"." | []);
    let named = target.file_name().filter(|_| is_one && ends_in_a_name && !target.is_dir())?;
    Some(name_bytes(named).to_vec())
}
