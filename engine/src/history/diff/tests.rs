//! Differences of real backups.

use std::fs;

use yore_platform::snapshot_path;

use super::*;
use crate::testing::Sample;

#[test]
fn every_change_is_reported_once_in_order_of_paths() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir_all(source.join("dir/same")).expect("folders");
    for name in ["changed", "dir/removed", "dir/same/file", "kept", "mode", "to-dir"] {
        fs::write(source.join(name), name).expect("a file");
    }
    sample.back_up(&source, 100);
    fs::write(source.join("changed"), "other").expect("a file");
    fs::remove_file(source.join("dir/removed")).expect("it is removed");
    fs::remove_file(source.join("to-dir")).expect("it is removed");
    fs::create_dir(source.join("to-dir")).expect("a folder");
    fs::write(source.join("to-dir/new"), "new").expect("a file");
    let mut mode = fs::metadata(source.join("mode")).expect("it is there").permissions();
    mode.set_readonly(true);
    fs::set_permissions(source.join("mode"), mode).expect("a mode");
    fs::File::open(source.join("kept"))
        .expect("it opens")
        .set_modified(std::time::UNIX_EPOCH)
        .expect("a time");
    sample.back_up(&source, 101);
    let reader = sample.reader();
    let list = sample.repository.snapshots().expect("snapshots").list;
    let [from, to] = [0, 1].map(|n: usize| DirRef::Tree(list[n].snapshot.root));
    let top = snapshot_path(&source);
    let mut changes = Vec::new();
    let mut each = |path: TreePath<'_>, change: Change| {
        let path = path.strip_prefix(TreePath::new(&top)).unwrap_or(path);
        let sign = match change {
            Change::Added(_) => '+',
            Change::Removed(_) => '-',
            Change::Modified { .. } => 'm',
        };
        changes.push(format!("{sign} {}", path));
        ControlFlow::Continue(())
    };
    diff(&reader, &from, &to, &mut each, &mut |_, error| panic!("{error}"));
    assert_eq!(changes, ["m changed", "- dir/removed", "m mode", "- to-dir", "+ to-dir"]);
    for (which, expected) in
        [(ChangeKind::Added, true), (ChangeKind::Removed, true), (ChangeKind::Modified, true)]
    {
        assert_eq!(any_change(&reader, &from, &to, which).expect("readable"), expected);
        assert!(!any_change(&reader, &from, &from, which).expect("readable"));
    }
}
