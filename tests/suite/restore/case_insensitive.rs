//! A target for which `Readme` and `README` are one name, as rclone can serve a folder.

use std::fs;
use std::path::{Path, PathBuf};

use yore_tests::{Yore, in_shell};

/// A case-insensitive folder, unmounted when it is dropped.
struct Caseless {
    mount: PathBuf,
}

impl Caseless {
    fn new(yore: &Yore) -> Self {
        let (behind, mount) = (yore.scratch.folder("behind"), yore.scratch.folder("caseless"));
        in_shell(
            "rclone --config /dev/null mount --vfs-case-insensitive --vfs-cache-mode writes \
             --cache-dir \"$3\" --attr-timeout 0 --dir-cache-time 0 --daemon \"$1\" \"$2\"",
            &[&behind, &mount, &yore.scratch.folder("rclone")],
        );
        fs::write(mount.join("probe"), "").expect("a file");
        assert!(mount.join("PROBE").exists(), "this target does not tell cases apart");
        Self { mount }
    }
}

impl Drop for Caseless {
    fn drop(&mut self) {
        in_shell("fusermount3 -u \"$1\" || umount -l \"$1\"", &[&self.mount]);
    }
}

fn content(folder: &Path) -> String {
    in_shell("cd \"$1\" && grep -r . . | sort", &[folder])
}

#[test]
fn two_names_that_differ_in_case_are_both_kept() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for (name, text) in
        [("README", "large"), ("Readme", "small"), ("Dir/a", "1"), ("dir/a", "2"), ("other", "3")]
    {
        let path = source.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    yore.run_on("backup", &[&source]).assert_code(0);
    let target = Caseless::new(&yore);
    let words = |more: &[&'static str]| {
        let mut words = vec!["restore".into(), "latest".into()];
        words.extend(more.iter().map(|&word| word.to_owned()));
        words.extend(["--target".into(), target.mount.display().to_string()]);
        words
    };
    let place = target.mount.join(source.strip_prefix("/").expect("absolute"));
    let wanted = "./Dir/a:1\n./README:large\n./Readme (2):small\n./dir (2)/a:2\n./other:3\n";
    for more in [&[][..], &["--verify"], &["--delete"]] {
        let ended = yore.run(words(more)).assert_code(3);
        assert_eq!(content(&place), wanted, "{more:?}: {}", ended.err);
        assert!(
            ended.err.contains("source/Readme") && ended.err.contains("Readme (2)"),
            "{ended:?}"
        );
        assert!(ended.err.contains("differs in case"), "{}", ended.err);
    }
    // An entry in other case is the snapshot's own, and not an extra one.
    in_shell("cd \"$1\" && mv other temporary && mv temporary OTHER", &[&place]);
    yore.run(words(&["--delete", "--overwrite", "never"])).assert_code(3);
    assert!(content(&place).contains("./OTHER:3"), "{}", content(&place));
    // Where case counts, both have their own names.
    let plain = yore.scratch.at("plain");
    yore.run(["restore", "latest", "--target", plain.to_str().expect("text")]).assert_code(0);
    let place = plain.join(source.strip_prefix("/").expect("absolute"));
    assert_eq!(content(&place), content(&source));
}
