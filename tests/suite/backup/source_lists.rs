//! Lists of sources, and options that must not be empty.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;
use yore_platform::name_from_bytes;
use yore_tests::Yore;

/// Runs a backup with a list on standard input.
fn back_up(yore: &Yore, words: &[&str], list: &[u8], code: i32) -> Option<Value> {
    let mut command = yore.command(["backup", "--json"]);
    command.args(words).stdin(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    child.stdin.take().expect("a pipe").write_all(list).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().last().map(|line| serde_json::from_str(line).expect("an object"))
}

fn files(report: Option<Value>) -> Option<u64> {
    report?["totals"]["files"].as_u64()
}

#[test]
fn files_are_named_by_a_list() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for name in [&b"a"[..], b"b c", b"not \xff text", b"two\nlines", b"unlisted"] {
        std::fs::write(source.join(name_from_bytes(name)), "x").expect("a file");
    }
    let lines = b"source/a\n\nsource/b c\nsource/not \xff text\nsource/a\n";
    assert_eq!(files(back_up(&yore, &["--files-from", "-"], lines, 0)), Some(3));
    let zeros = b"source/two\nlines\0source/a\0";
    assert_eq!(files(back_up(&yore, &["--files-from0", "-"], zeros, 0)), Some(2));
    let list = yore.scratch.at("list");
    std::fs::write(&list, "source/a\nsource/gone\n").expect("a file");
    let words = ["--files-from", list.to_str().expect("text"), "source/unlisted"];
    // A listed file that has been deleted is named, and the rest is saved.
    assert_eq!(files(back_up(&yore, &words, b"", 3)), Some(2));
    assert_eq!(files(back_up(&yore, &["--files-from", "-"], b"gone\n", 2)), None);
    yore.assert_sound();
}

#[test]
fn an_empty_host_or_tag_is_refused() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for option in ["--host=", "--tag="] {
        let ended = yore.run_on(&format!("backup {option}"), &[&source]).assert_code(2);
        assert!(ended.err.contains("value"), "{}", ended.err);
    }
}
