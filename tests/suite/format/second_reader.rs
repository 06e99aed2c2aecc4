//! A reader that was written from FORMAT.md alone finds in a repository what was backed up.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use yore_tests::{Yore, build_matrix, python, reader};

fn assert_succeeds(output: &std::process::Output, what: &str) {
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {out}{err}");
    assert_eq!(err, "", "{what}");
}

#[test]
fn the_second_reader_passes_its_own_test() {
    assert_succeeds(&python("reader/yore_reader.py", &["--self-test"]), "self-test");
}

fn assert_reads(yore: &Yore, source: &Path) {
    let (repository, key) = (yore.repository(), yore.key_file());
    let arguments = [source, &repository, &key].map(Path::as_os_str);
    assert_succeeds(&python("reader/compare.py", &arguments), "compare");
    let arguments =
        [repository.as_os_str(), "--key-file".as_ref(), key.as_os_str(), "check".as_ref()];
    assert_succeeds(&python("reader/yore_reader.py", &arguments), "check");
}

#[test]
fn the_second_reader_finds_every_kind_of_file_as_it_was() {
    let yore = Yore::with_repository();
    let source = yore.scratch.at("source");
    build_matrix(&source);
    // It walks by name: what is deeper than a path can be is left to others.
    std::fs::remove_dir_all(source.join("deep")).expect("it is there");
    yore.run_on("backup", &[&source]).assert_code(0);
    assert_reads(&yore, &source);
    // And after a change, when most comes from packs of before.
    std::fs::write(source.join("many/new"), yore_tests::noise(300_000, 8)).expect("a file");
    std::fs::remove_file(source.join("text")).ok();
    yore.run_on("backup", &[&source]).assert_code(0);
    assert_reads(&yore, &source);
}

#[test]
fn the_second_reader_opens_with_a_passphrase_and_the_recovery_key() {
    let yore = Yore::new();
    let mut init = yore.bare_command(["init", "--json"]);
    init.env("YORE_REPO", yore.repository()).env("YORE_PASSWORD", "pass phrase");
    let made = Yore::finish(&mut init).assert_code(0).objects();
    let recovery = made[0]["recovery_key"].as_str().expect("it is shown").to_owned();
    let source = yore.scratch.folder("source");
    std::fs::write(source.join("file"), "x").expect("a file");
    let mut backup = yore.bare_command(["backup"]);
    backup.arg(&source).env("YORE_REPO", yore.repository()).env("YORE_PASSWORD", &recovery);
    Yore::finish(&mut backup).assert_code(0);
    for secret in [["--password", "pass phrase"], ["--recovery", &recovery]] {
        let listed = reader(&yore.repository(), secret.map(OsStr::new), &["list"]);
        assert_eq!(listed.len(), 1, "{secret:?}");
    }
    let wrong: [PathBuf; 4] =
        [yore.repository(), "--password".into(), "wrong".into(), "list".into()];
    assert!(!python("reader/yore_reader.py", &wrong).status.success());
}

#[test]
fn a_damaged_tombstone_forgets_nothing_and_hides_no_snapshot_from_the_second_reader() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for text in ["one", "two"] {
        std::fs::write(source.join("file"), text).expect("a file");
        yore.run_on("backup", &[&source]).assert_code(0);
    }
    yore.run(["forget", "latest~1"]).assert_code(0);
    let (repository, key) = (yore.repository(), yore.key_file());
    let arguments =
        [repository.as_os_str(), "--key-file".as_ref(), key.as_os_str(), "list".as_ref()];
    let list = || {
        let output = python("reader/yore_reader.py", &arguments);
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stdout).lines().count(), text(&output.stderr))
    };
    assert_eq!(list(), (1, String::new()));
    let mut forgotten = std::fs::read_dir(repository.join("forgotten")).expect("a folder");
    let tombstone = forgotten.next().expect("one").expect("an entry").path();
    let mut bytes = std::fs::read(&tombstone).expect("a tombstone");
    *bytes.last_mut().expect("a byte") ^= 1;
    std::fs::remove_file(&tombstone).expect("it is read-only");
    std::fs::write(&tombstone, bytes).expect("damaged");
    let (snapshots, errors) = list();
    assert_eq!(snapshots, 2);
    assert!(errors.contains("forgotten/"), "{errors}");
}

#[test]
fn tombstones_that_prune_put_together_are_known_to_the_second_reader() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for text in 0..18 {
        std::fs::write(source.join("file"), text.to_string()).expect("a file");
        yore.run_on("backup", &[&source]).assert_code(0);
    }
    yore.run(["forget", "--keep-last", "2", "--force"]).assert_code(0);
    let names = || -> Vec<String> {
        let entries = std::fs::read_dir(yore.repository().join("forgotten")).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        names.map(|name| name.into_string().expect("UTF-8")).collect()
    };
    for expected in [17, 1] {
        yore.run(["prune", "--grace", "0"]).assert_code(0);
        assert_eq!(names().len(), expected, "{:?}", names());
    }
    assert!(names()[0].ends_with(".1"), "{:?}", names());
    assert_reads(&yore, &source);
    let key = yore.key_file();
    let secret = ["--key-file".as_ref(), key.as_os_str()];
    assert_eq!(reader(&yore.repository(), secret, &["list"]).len(), 2);
}
