//! Commands around backups, runs that do not overlap, and their history.

use std::time::Duration;

use yore_tests::{Person, needs_root};

fn person() -> Person {
    let person = Person::with_destinations(&["disk"]);
    person.folder("docs", "x");
    person.types(["source", "add", "docs"]).assert_code(0);
    person
}

fn set(person: &Person, key: &str, value: &str) {
    person.types(["config", "set", key, value]).assert_code(0);
}

fn log(person: &Person) -> Vec<String> {
    let text = std::fs::read_to_string(person.at("log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn hooks_run_in_order_with_the_facts_of_the_run() {
    let person = person();
    for name in ["before", "after", "on-success", "on-failure"] {
        let line = "echo \"run $YORE_HOOK $YORE_RESULT\" >> log";
        set(&person, &format!("hooks.{name}"), line);
        let line = "echo \"$YORE_SOURCE $YORE_HOOK $YORE_RESULT\" >> log";
        set(&person, &format!("source.docs.hooks.{name}"), line);
    }
    person.types(["backup"]).assert_code(0);
    let expected = [
        "run before ",
        "docs before ",
        "docs on-success success",
        "docs after success",
        "run on-success success",
        "run after success",
    ];
    assert_eq!(log(&person), expected);
    std::fs::remove_file(person.at("log")).expect("it is there");
    set(&person, "source.docs.hooks.on-success", "cat > facts");
    person.types(["backup"]).assert_code(0);
    let facts = std::fs::read_to_string(person.at("facts")).expect("facts");
    let facts: serde_json::Value = serde_json::from_str(&facts).expect("an object");
    let ids = person.types(["snapshots", "--json"]).assert_code(0).objects();
    assert_eq!(facts["snapshot"], ids[1]["id"]);
    // A hook that fails before it keeps the backup from being made.
    set(&person, "source.docs.hooks.before", "exit 7");
    let failed = person.types(["backup"]).assert_code(1);
    assert!(failed.err.contains("the hook before the backup failed"), "{}", failed.err);
    assert!(log(&person).contains(&"docs on-failure failure".to_owned()), "{:?}", log(&person));
    assert_eq!(person.types(["snapshots", "--json"]).assert_code(0).objects().len(), 2);
}

#[test]
fn a_hook_that_takes_too_long_is_ended_with_what_it_started() {
    let person = person();
    set(&person, "hooks.timeout", "1s");
    set(&person, "hooks.before", "sleep 3456 & echo $! > pid; wait");
    let failed = person.types(["backup"]).assert_code(1);
    assert!(failed.err.contains("longer than 1 s"), "{}", failed.err);
    let id = std::fs::read_to_string(person.at("pid")).expect("its number");
    let is_gone = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.trim()));
        stat.map_or(true, |stat| stat.contains(") Z "))
    };
    for _ in 0..500 {
        if is_gone() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the process that the hook started goes on");
}

#[test]
fn two_runs_do_not_overlap_and_both_are_in_the_history() {
    let person = person();
    set(&person, "source.docs.hooks.before", "touch begun; while ! [ -e go ]; do sleep 0.02; done");
    let mut first = person.command(["backup"]).spawn().expect("it starts");
    while !person.at("begun").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let busy = person.types(["backup"]).assert_code(11);
    assert!(busy.err.contains("another run"), "{}", busy.err);
    let mut waiting = person.command(["backup", "--wait"]).spawn().expect("it starts");
    std::fs::write(person.at("go"), "").expect("a file");
    assert!(first.wait().expect("it ends").success());
    assert!(waiting.wait().expect("it ends").success());
    assert_eq!(person.types(["snapshots", "--json"]).assert_code(0).objects().len(), 2);
    let runs = person.types(["history", "--json"]).assert_code(0).objects();
    let results: Vec<_> = runs.iter().map(|run| run["result"].as_str()).collect();
    assert_eq!(results, [Some("success"), Some("success")]);
    assert_eq!(runs[0]["sources"][0]["source"], "docs");
    // Nothing is due.
    person.types(["backup", "--if-older-than", "1h"]).assert_code(0);
    assert_eq!(person.types(["history", "--json"]).assert_code(0).objects().len(), 2);
}

/// In a mount namespace in which the system describes a battery.
#[test]
fn a_timer_does_not_back_up_on_battery_or_on_a_busy_machine() {
    needs_root("let the system describe a battery");
    let person = person();
    set(&person, "limits.battery", "false");
    let yore = person.command(["backup"]);
    let program = yore.get_program().to_owned();
    let script = r#"
        set -e
        mount -t tmpfs tmpfs /sys/class/power_supply
        cd /sys/class/power_supply
        mkdir BAT0 AC
        echo Battery > BAT0/type
        echo Mains > AC/type
        echo "$2" > AC/online
        "$1" backup --if-idle
    "#;
    let on = |online: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "bash", "-c", script, "bash"]).arg(&program).arg(online);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(yore.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let ended = command.output().expect("unshare runs");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{said}");
        String::from_utf8_lossy(&ended.stdout).into_owned()
    };
    let waits = on("0");
    assert!(waits.contains("runs on its battery"), "{waits}");
    assert_eq!(person.types(["snapshots", "--json"]).assert_code(0).objects().len(), 0);
    on("1");
    assert_eq!(person.types(["snapshots", "--json"]).assert_code(0).objects().len(), 1);
    person.types(["backup"]).assert_code(0);
    assert_eq!(person.types(["snapshots", "--json"]).assert_code(0).objects().len(), 2);
}
