//! A drive that is mounted inside a source.

use std::fs;

use yore_tests::{MountGuard, Yore};

#[test]
fn a_drive_inside_a_source_is_not_backed_up() {
    let yore = Yore::with_repository();
    let source = yore.scratch.path().to_owned();
    fs::write(source.join("file"), "content").expect("a file");
    let count = || {
        let words = ["backup", "--json", source.to_str().expect("UTF-8")];
        yore.run(words).assert_code(0).objects()[0]["totals"]["files"].as_u64()
    };
    let before = count();
    let mut drive = MountGuard::new(&yore, &[]);
    assert_eq!((count(), count()), (before, before));
    // A drive whose daemon was killed neither blocks nor fails the backup.
    drive.signal("KILL");
    drive.wait();
    assert_eq!(count(), before);
}
