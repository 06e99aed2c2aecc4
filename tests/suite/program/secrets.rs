//! Weak passphrases, and recovery keys as users type them.

use std::fs;

use yore_tests::{Ended, Yore, on_terminal};

/// Makes a repository with a passphrase; returns the output and the recovery key.
fn with_passphrase(passphrase: &str) -> (Yore, Ended, String) {
    let yore = Yore::new();
    let mut command = yore.bare_command(["init", "--json"]);
    command.env("YORE_REPO", yore.repository()).env("YORE_PASSWORD", passphrase);
    let made = Yore::finish(&mut command).assert_code(0);
    let key = made.objects()[0]["recovery_key"].as_str().expect("a key").to_owned();
    (yore, made, key)
}

/// Opens the repository with a variable and an option.
fn open(yore: &Yore, variable: &str, value: &str) -> Ended {
    let mut command = yore.bare_command(["snapshots"]);
    Yore::finish(command.env("YORE_REPO", yore.repository()).env(variable, value))
}

#[test]
fn a_weak_passphrase_is_accepted_with_a_warning() {
    for (passphrase, word) in [
        ("short", "5 characters"),
        ("elevenchars", "11 characters"),
        ("passwordpassword", "common words"),
        ("qwertyuiop123456", "common words"),
    ] {
        let (yore, made, _) = with_passphrase(passphrase);
        assert!(made.err.contains(word), "{passphrase}: {}", made.err);
        open(&yore, "YORE_PASSWORD", passphrase).assert_code(0);
    }
    let (yore, made, _) = with_passphrase("correct kettle violin marmot");
    assert_eq!(made.err, "");
    let mut command = yore.bare_command(["init"]);
    command.env("YORE_REPO", yore.scratch.at("second"));
    let shown = on_terminal(100, &command, "short\nshort\n").assert_code(0).out;
    assert!(shown.contains("5 characters"), "{shown}");
}

#[test]
fn the_recovery_key_is_accepted_in_place_of_every_secret() {
    let (yore, _, key) = with_passphrase("correct kettle violin marmot");
    let file = yore.scratch.at("written down");
    let sloppy = key.to_lowercase().replace('-', " ");
    fs::write(&file, format!("{sloppy}\n")).expect("a file");
    let path = file.to_str().expect("UTF-8");
    open(&yore, "YORE_PASSWORD", &key).assert_code(0);
    open(&yore, "YORE_PASSWORD", &key.replace('-', "")).assert_code(0);
    open(&yore, "YORE_PASSWORD_FILE", path).assert_code(0);
    open(&yore, "YORE_KEY_FILE", path).assert_code(0);
    open(&yore, "YORE_PASSWORD_COMMAND", &format!("echo {key}")).assert_code(0);
    let mut command = yore.bare_command(["--no-progress", "snapshots"]);
    command.env("YORE_REPO", yore.repository());
    let shown = on_terminal(100, &command, &format!("{sloppy}\n")).assert_code(0).out;
    assert!(shown.contains("recovery key"), "the question names it: {shown}");
}

#[test]
fn a_mistyped_recovery_key_is_recognised_as_such() {
    let (yore, _, key) = with_passphrase("correct kettle violin marmot");
    let other = if key.starts_with('7') { '8' } else { '7' };
    let wrong = format!("{other}{}", &key[1..]);
    let file = yore.scratch.at("written down");
    for (mistyped, word) in [(&wrong[..], "a letter is wrong"), (&key[..52], "nine groups of five")]
    {
        fs::write(&file, mistyped).expect("a file");
        let path = file.to_str().expect("UTF-8");
        for (variable, value) in
            [("YORE_PASSWORD", mistyped), ("YORE_PASSWORD_FILE", path), ("YORE_KEY_FILE", path)]
        {
            let refused = open(&yore, variable, value).assert_code(12);
            let is_said = refused.err.contains("recovery key") && refused.err.contains(word);
            assert!(is_said, "{variable}: {}", refused.err);
        }
    }
    let mut command = yore.bare_command(["--no-progress", "snapshots"]);
    command.env("YORE_REPO", yore.repository());
    let shown = on_terminal(200, &command, &format!("{wrong}\n{key}\n")).assert_code(0).out;
    assert!(shown.contains("a letter is wrong") && shown.contains("try again"), "{shown}");
    // A passphrase may have the form of a recovery key.
    let refused = open(&yore, "YORE_PASSWORD", "no key at all").assert_code(12);
    assert!(refused.err.contains("wrong secret"), "{}", refused.err);
}
