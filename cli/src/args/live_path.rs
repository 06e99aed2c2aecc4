//! Paths of this machine, as snapshots hold them.

use std::path::{Component, Path, PathBuf};

use yore_platform::{snapshot_path, system_path};

/// Makes a path absolute as it is written, even if nothing is there.
pub fn absolute(path: &Path) -> Vec<u8> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    snapshot_path(&plain)
}

/// Lists the paths that one may mean: as it is written, then where its links lead.
///
/// A backup names its sources without links; of a path whose end is gone, the folders that are there are followed.
pub fn spellings(path: Vec<u8>) -> Vec<Vec<u8>> {
    let system = system_path(&path);
    let real = system.ancestors().find_map(|above| {
        let real = std::fs::canonicalize(above).ok()?;
        let rest = system.strip_prefix(above).ok()?;
        Some(snapshot_path(&real.join(rest)))
    });
    let mut paths = vec![path];
    paths.extend(real.filter(|real| *real != paths[0]));
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_through_a_link_is_also_where_the_link_leads() {
        let folder = tempfile::tempdir().expect("a folder");
        let top = folder.path().canonicalize().expect("it is there");
        std::fs::create_dir_all(top.join("var/home")).expect("folders");
        let dir = yore_platform::TargetDir::create(&top).expect("it is there");
        dir.symlink(b"home", b"var/home").expect("a link");
        let written = snapshot_path(&top.join("home/gone/file"));
        let real = snapshot_path(&top.join("var/home/gone/file"));
        assert_eq!(spellings(written.clone()), [written, real.clone()]);
        assert_eq!(spellings(real.clone()), [real]);
        assert_eq!(spellings(Vec::new()), [Vec::<u8>::new()]);
    }
}
