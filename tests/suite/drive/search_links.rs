//! The links of a search, for programs that rely on the length of a link.

use std::fs;
use std::io;

use yore_tests::{MountGuard, Yore, in_shell};

#[test]
fn archivers_keep_the_links_of_a_search() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for n in 0..50 {
        fs::write(source.join(format!("report {n}.txt")), n.to_string()).expect("a file");
    }
    yore.run_on("backup", &[&source]).assert_code(0);
    let drive = MountGuard::new(&yore, &[]);
    let found = drive.path().join("search/*.txt");
    // Without an earlier listing.
    let target = fs::read_link(found.join(first(&found))).expect("a link");
    assert!(target.starts_with("../../versions"), "{target:?}");
    for entry in fs::read_dir(&found).expect("a list") {
        let path = entry.expect("a name").path();
        let (length, text) = (
            fs::symlink_metadata(&path).expect("a link").len(),
            fs::read_link(&path).expect("a link"),
        );
        assert_eq!(length, text.as_os_str().as_encoded_bytes().len() as u64, "{path:?}");
    }
    let links = "find . -type l -printf '%p %l\\n' | LC_ALL=C sort";
    let expected = in_shell(&format!("cd \"$1\" && {links}"), &[&found]);
    assert_eq!(expected.lines().count(), 50);
    let cpio = |format: &str| {
        format!(
            "cd \"$1\" && find . -print0 | cpio -0 -o -H {format} --quiet | \
             (cd \"$2\" && cpio -id --quiet)"
        )
    };
    for (name, line) in [
        ("newc", &*cpio("newc")),
        ("crc", &cpio("crc")),
        ("tar", "tar -C \"$1\" -c . | tar -C \"$2\" -x"),
        ("ustar", "tar -C \"$1\" --format=posix -c . | tar -C \"$2\" -x"),
        ("rsync", "rsync -a \"$1\"/ \"$2\"/"),
        ("cp", "cp -a \"$1\"/. \"$2\"/"),
    ] {
        let copy = yore.scratch.folder(name);
        in_shell(line, &[&found, &copy]);
        assert_eq!(in_shell(&format!("cd \"$1\" && {links}"), &[&copy]), expected, "{name}");
    }
}

fn first(folder: &std::path::Path) -> std::ffi::OsString {
    let mut names = fs::read_dir(folder).expect("a list");
    names.next().expect("one").expect("a name").file_name()
}

#[test]
fn a_link_that_is_too_long_to_follow_is_refused_as_such() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let name = "d".repeat(240);
    in_shell(
        "cd \"$1\" && for n in $(seq 15); do mkdir \"$2\" && cd \"$2\" || exit 1; done
         echo deep > \"needle $2\"",
        &[&source, name.as_ref()],
    );
    yore.run_on("backup", &[&source]).assert_code(0);
    let drive = MountGuard::new(&yore, &[]);
    let found = drive.path().join("search/needle*");
    let link = found.join(first(&found));
    let length = fs::symlink_metadata(&link).expect("a link").len();
    assert!(length > 4096, "{length}");
    let too_long = |error: io::Error| assert_eq!(error.kind(), io::ErrorKind::InvalidFilename);
    too_long(fs::read(&link).expect_err("it can't be followed"));
    too_long(fs::metadata(&link).expect_err("it can't be followed"));
    too_long(fs::read_link(&link).expect_err("it can't be read"));
    // The file itself can be reached step by step.
    let steps = "cd \"$1\" && for n in $(seq 15); do cd \"$2\" || exit 1; done
        cat needle*/needle*";
    let text = in_shell(steps, &[&drive.path_of("versions", &source), name.as_ref()]);
    assert_eq!(text, "deep\n");
}
