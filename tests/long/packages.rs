//! The packages that `cli/package/build` makes, one of them in a system that has nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use yore_tests::{Scratch, in_shell, needs_root, root};

/// The first build, which the tests share.
static BUILT: LazyLock<Packages> = LazyLock::new(build);

/// What is built: the package for Debian, and the one for systems with RPM.
struct Packages {
    deb: PathBuf,
    rpm: PathBuf,
}

/// Makes the packages.
fn build() -> Packages {
    let mut command = Command::new(root().join("cli/package/build"));
    // Cargo tells a test of its own package: with that, build scripts run again, and half of the crates are built anew.
    let of_package =
        |name: &str| name.starts_with("CARGO_MANIFEST") || name.starts_with("CARGO_PKG");
    for (name, _) in std::env::vars().filter(|(name, _)| of_package(name)) {
        command.env_remove(name);
    }
    let built = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{}\n{said}", built.status);
    let printed = String::from_utf8(built.stdout).expect("paths");
    let paths: Vec<&str> = printed.lines().collect();
    let [deb, rpm] = paths[..] else { panic!("two packages: {printed}\n{said}") };
    Packages { deb: deb.into(), rpm: rpm.into() }
}

/// Returns the files of a package, as a line of shell prints them, with one name for what two systems call otherwise.
fn files(line: &str, package: &Path) -> BTreeSet<String> {
    let printed = in_shell(line, &[package]);
    printed.lines().map(|file| file.replace("vendor-completions", "site-functions")).collect()
}

#[test]
fn both_packages_hold_the_same_files_and_a_second_build_makes_the_same_packages() {
    let Packages { deb, rpm } = &*BUILT;
    let of_deb = files("dpkg-deb --fsys-tarfile \"$1\" | tar t | sed -n 's|^\\.||; /[^/]$/p'", deb);
    let of_rpm = files("rpm -qpl \"$1\"", rpm);
    assert_eq!(of_deb, of_rpm);
    for file in [
        "/usr/bin/yore",
        "/usr/lib/systemd/system/yore-backup.timer",
        "/usr/lib/systemd/system/yore-watch.service",
        "/usr/share/bash-completion/completions/yore",
        "/usr/share/doc/yore/LICENSE",
        "/usr/share/doc/yore/THIRD-PARTY.gz",
        "/usr/share/doc/yore/copyright",
        "/usr/share/doc/yore/docs/lost-file.md",
        "/usr/share/fish/vendor_completions.d/yore.fish",
        "/usr/share/kio/servicemenus/yore-previous-versions.desktop",
        "/usr/share/man/man1/yore-backup.1.gz",
        "/usr/share/man/man1/yore.1.gz",
        "/usr/share/nautilus-python/extensions/yore_previous_versions.py",
        "/usr/share/yore/grafana.json",
        "/usr/share/zsh/site-functions/_yore",
    ] {
        assert!(of_deb.contains(file), "{file} is missing: {of_deb:?}");
    }
    let needed = in_shell("dpkg-deb --field \"$1\" Depends", &[deb]);
    assert!(needed.contains("libc6 (>= ") && needed.contains("fuse3"), "{needed}");
    let needed = in_shell("rpm -qp --requires \"$1\"", &[rpm]);
    assert!(needed.contains("libc.so.6(GLIBC_") && needed.contains("fuse3"), "{needed}");

    let first = [deb, rpm].map(|path| fs::read(path).expect("a package"));
    let again = build();
    for (path, first) in [again.deb, again.rpm].iter().zip(first) {
        assert!(fs::read(path).expect("a package") == first, "{} differs", path.display());
    }
}

/// Runs a script of `tests/long/packages` in a clean system, which has some files.
#[track_caller]
fn in_clean_system(options: &[&str], script: &str, files: &[&Path]) {
    needs_root("make a system of its own");
    let scratch = Scratch::in_quiet_place();
    let here = root().join("tests/long/packages");
    let mut command = Command::new(here.join("clean-system"));
    command.args(options).arg(scratch.path()).arg(here.join(script)).args(files);
    let ended = command.output().expect("bash runs");
    let printed = String::from_utf8_lossy(&ended.stdout);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{}\n{printed}\n{said}", ended.status);
}

#[test]
fn a_package_works_in_a_clean_system_and_leaves_nothing_behind() {
    in_clean_system(&[], "install-and-purge", &[&BUILT.deb]);
}

/// Everything is built there, from a clone, with what the page says and nothing else.
#[test]
fn the_page_of_installation_is_right_in_a_clean_system_from_its_first_line_to_its_last() {
    let scratch = Scratch::new();
    let clone = scratch.at("yore.git");
    in_shell("git clone --quiet --bare \"$1\" \"$2\"", &[&root(), &clone]);
    in_clean_system(&["--booted"], "build-and-install", &[&clone]);
}
