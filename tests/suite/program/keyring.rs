//! Secrets in the keyring of the desktop: GNOME's own, on a message bus of its own.

use std::fs;
use std::process::{Command, Output, Stdio};

use yore_tests::{MessageSink, Person, binary};

/// The script that begins a session whose keyring is unlocked, as logging in does.
const UNLOCKED: &str =
    "printf login | gnome-keyring-daemon --unlock --components=secrets > daemon 2>&1\n";
/// The script that begins one whose keyring nobody unlocks.
const LOCKED: &str = "gnome-keyring-daemon --start --components=secrets > daemon 2>&1\n";

fn person() -> Person {
    let person = Person::new();
    person.folder("docs", "kept");
    person.types(["config", "set", "password-keyring", "main"]).assert_code(0);
    person.types_on("destination add --name disk", &person.at("disk")).assert_code(0);
    person.types(["source", "add", "docs"]).assert_code(0);
    person
}

/// Runs a script in a session with a message bus of its own, which ends with it.
fn in_session(person: &Person, script: &str) -> Output {
    let script = format!(
        "mkdir -p -m 700 run; export XDG_RUNTIME_DIR=$PWD/run\nyore() {{ \"{}\" \"$@\"; }}\n{script}",
        binary().display()
    );
    let typed = person.command(["status"]);
    let mut command = Command::new("dbus-run-session");
    command.args(["--", "bash", "-euo", "pipefail", "-c", &script]).current_dir(person.at(""));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(typed.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.stdin(Stdio::null()).output().expect("dbus-run-session runs")
}

#[track_caller]
fn succeed(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{error}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_secret_of_the_keyring_opens_the_repository_and_sends_alerts() {
    let person = person();
    let web = MessageSink::http();
    let alert = |name: &str, token: &str| {
        let url = format!("http://127.0.0.1:{}/{name}", web.port);
        format!("[[alert]]\nname = \"{name}\"\nwebhook = \"{url}\"\npreset = \"gotify\"\n{token}\n")
    };
    let kept = alert("kept", "token-keyring = \"token\"");
    let printed = alert("printed", "token-command = \"echo from-command\"");
    person.configure(&format!("{}\n{kept}\n{printed}", person.configured()));
    let script = "printf 'correct kettle violin marmot\\n' | yore secret set main
        printf 'from-keyring' | yore secret set token
        secret-tool lookup service yore username main > seen
        yore init > /dev/null
        yore backup
        yore alert test";
    let printed = succeed(&in_session(&person, &format!("{UNLOCKED}{script}")));
    assert!(printed.contains("password-keyring main"), "{printed}");
    assert!(!printed.contains("marmot"), "{printed}");
    let seen = fs::read_to_string(person.at("seen")).expect("what another program sees");
    assert_eq!(seen, "correct kettle violin marmot");
    let keys: Vec<String> = web
        .wait_for(2)
        .iter()
        .map(|one| one["headers"]["x-gotify-key"].as_str().expect("a key").to_owned())
        .collect();
    assert_eq!(keys, ["from-keyring", "from-command"]);
    // Another day, another session; the passphrase is the one that a person can type.
    let script = "yore backup --quiet
        yore restore latest --target back --quiet
        yore secret set main <<< 'another one that opens nothing'
        code=0; yore backup || code=$?; [ $code = 12 ]
        YORE_PASSWORD='correct kettle violin marmot' yore backup --quiet
        yore secret remove main
        code=0; yore secret remove main || code=$?; [ $code = 2 ]
        code=0; yore backup || code=$?; [ $code = 1 ]";
    let output = in_session(&person, &format!("{UNLOCKED}{script}"));
    succeed(&output);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("yore secret set main"), "{said}");
    let docs = person.at("docs");
    let back = person.at("back").join(docs.strip_prefix("/").expect("absolute")).join("file");
    assert_eq!(fs::read_to_string(back).expect("restored"), "kept");
}

#[test]
fn a_keyring_that_is_locked_or_missing_is_told() {
    let person = person();
    let script =
        "printf 'correct kettle violin marmot' | yore secret set main; yore init > /dev/null";
    succeed(&in_session(&person, &format!("{UNLOCKED}{script}")));
    for words in ["backup", "secret set other < docs/file"] {
        let script = format!("{LOCKED}code=0; yore {words} || code=$?; [ $code = 1 ]");
        let output = in_session(&person, &script);
        succeed(&output);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("the keyring of the desktop is locked"), "{words}: {said}");
        assert!(said.contains("password-file"), "{words}: {said}");
    }
    let missing = person.types(["backup"]).assert_code(1);
    assert!(missing.err.contains("can't be reached"), "{}", missing.err);
    assert!(missing.err.contains("password-command"), "{}", missing.err);
    let mut given = person.command(["backup"]);
    given.env("YORE_PASSWORD", "correct kettle violin marmot");
    yore_tests::Yore::finish(&mut given).assert_code(0);
}
