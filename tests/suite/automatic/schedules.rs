//! Timers of the system that make backups.

use std::path::Path;
use std::process::Command;

use yore_tests::{Person, needs_root};

fn person() -> Person {
    let person = Person::with_destinations(&["disk"]);
    person.folder("docs", "x");
    person.types(["source", "add", "docs"]).assert_code(0);
    person
}

fn install(person: &Person, words: &[&str]) -> yore_tests::Ended {
    person.types([&["schedule", "install"], words].concat())
}

#[test]
fn units_of_systemd_are_right_and_are_removed_again() {
    let person = person();
    for words in [
        &["--daily", "02:30", "--with", "systemd"][..],
        &["--weekly", "sun 04:00", "--source", "docs", "--name", "weekly", "--with", "systemd"],
        &["--hourly", "5", "--name", "hourly", "--with", "systemd"],
        &["--drill", "--with", "systemd"],
        &["--watch", "--with", "systemd"],
        &["--alerts", "--with", "systemd"],
    ] {
        // Without a systemd of this person, they are written and said not to be in force.
        let ended = install(&person, words);
        assert!([Some(0), Some(3)].contains(&ended.code), "{words:?}: {}", ended.err);
    }
    let folder = person.at(".config/systemd/user");
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("units").map(|e| e.expect("a name").path()).collect();
    files.retain(|path| path.is_file());
    assert_eq!(files.len(), 11, "{files:?}");
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(&files)
        .output()
        .expect("systemd-analyze runs");
    let said = String::from_utf8_lossy(&verified.stderr);
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("yore-")).collect();
    assert!(verified.status.success() && ours.is_empty(), "{said}");
    for event in ["*-*-* 02:30:00", "Sun *-*-* 04:00:00", "*-*-* *:05:00", "*-*-01 04:00:00"] {
        let understood = Command::new("systemd-analyze").args(["calendar", event]).output();
        assert!(understood.expect("it runs").status.success(), "{event}");
        let is_there = files.iter().any(|file| {
            std::fs::read_to_string(file)
                .is_ok_and(|text| text.contains(&format!("OnCalendar={event}\n")))
        });
        assert!(is_there, "{event}");
    }
    let listed = person.types(["schedule", "list", "--json"]).assert_code(0).objects();
    assert_eq!(listed.len(), 6, "{listed:?}");
    for name in ["backup", "weekly", "hourly", "drill", "watch", "alerts"] {
        person.types(["schedule", "remove", name]).assert_code(0);
    }
    assert_eq!(person.types(["schedule", "list", "--json"]).assert_code(0).objects().len(), 0);
    person.types(["schedule", "remove", "backup"]).assert_code(2);
}

#[test]
fn a_service_of_the_system_may_reach_control_groups_where_podman_needs_them() {
    let person = person();
    let words = ["--daily", "02:30", "--system", "--with", "systemd", "--dry-run"];
    let is_protected = || {
        let told = install(&person, &words).assert_code(0).out;
        assert!(told.contains("ProtectSystem=full"), "{told}");
        told.contains("ProtectControlGroups=yes")
    };
    assert!(is_protected());
    let added = ["source", "add", "--kind", "postgresql", "--name", "pg", "--through"];
    person.types(added.into_iter().chain(["podman exec -i pg"])).assert_code(0);
    assert!(!is_protected());
}

#[test]
fn an_agent_of_launchd_is_a_property_list_that_runs_the_backup() {
    let person = person();
    install(&person, &["--daily", "23:59", "--splay", "0s", "--with", "launchd"]);
    let file = person.at("Library/LaunchAgents/org.yore.backup.plist");
    let read =
        "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
    let output = Command::new("/usr/bin/python3").args(["-c", read]).arg(&file).output();
    let output = output.expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("an object");
    assert_eq!(found["StartCalendarInterval"]["Hour"], 23);
    assert_eq!(found["StartCalendarInterval"]["Minute"], 59);
    let words = found["ProgramArguments"].as_array().expect("words");
    assert!(words.iter().any(|word| word == "backup"), "{words:?}");
}

/// A real cron runs the line that was installed, in a mount namespace that has tables of its own.
#[test]
fn cron_runs_the_line_that_was_installed() {
    needs_root("give cron tables of its own");
    let person = person();
    let dry =
        install(&person, &["--daily", "02:30", "--splay", "0s", "--with", "cron", "--dry-run"]);
    let dry = dry.assert_code(0);
    assert!(dry.out.starts_with("30 2 * * * "), "{}", dry.out);
    assert!(dry.out.contains("@reboot ") && dry.out.contains("--if-older-than 24h"), "{}", dry.out);
    let yore = person.command(["schedule"]);
    let program = yore.get_program().to_owned();
    let script = r#"
        set -e
        mount -t tmpfs tmpfs /var/spool/cron/crontabs
        printf 'HOME=%s\n0 0 1 1 * true # mine\n' "$2" | crontab -
        minute=$(date -d '+70 seconds' +%H:%M)
        "$1" schedule install --daily "$minute" --splay 0s --with cron
        "$1" schedule install --hourly 3 --name second --with cron
        crontab -l > "$2/table"
        cron -f &
        cron=$!
        for i in $(seq 1 1400); do
            [ -e "$2/ran" ] && break
            sleep 0.1
        done
        kill $cron
        "$1" schedule remove backup
        "$1" schedule remove second
        crontab -l > "$2/table-after"
    "#;
    person.types(["config", "set", "hooks.after", "touch \"$HOME/ran\""]).assert_code(0);
    let mut command = Command::new("unshare");
    command.args(["--mount", "bash", "-c", script, "bash"]).arg(program).arg(person.at(""));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(yore.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let ended = command.output().expect("unshare runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    let table = std::fs::read_to_string(person.at("table")).expect("the table");
    assert_eq!(table.matches("# yore: ").count(), 4, "{table}");
    assert!(table.contains("# mine"), "{table}");
    assert!(
        Path::new(&person.at("ran")).exists() || ran_elsewhere(&person),
        "cron ran nothing: {table}"
    );
    let after = std::fs::read_to_string(person.at("table-after")).expect("the table");
    assert!(after.contains("# mine") && !after.contains("# yore: "), "{after}");
}

/// Cron gives its own HOME; the snapshot tells that it ran.
fn ran_elsewhere(person: &Person) -> bool {
    !person.types(["snapshots", "--json"]).objects().is_empty()
}

#[test]
fn a_timer_of_a_profile_runs_with_it() {
    let person = person();
    let own = person.configuration().with_file_name("work.toml");
    std::fs::copy(person.configuration(), own).expect("a profile");
    let words =
        ["--profile", "work", "schedule", "install", "--daily", "02:30", "--with", "systemd"];
    let ended = person.types(words);
    assert!([Some(0), Some(3)].contains(&ended.code), "{}", ended.err);
    let unit = person.at(".config/systemd/user/yore-work-backup.service");
    let unit = std::fs::read_to_string(unit).expect("a unit");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a command");
    let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches('"')).collect();
    person.types(&words[1..]).assert_code(0);
    let runs = |words: &[&str]| person.types(words).assert_code(0).objects().len();
    assert_eq!(runs(&["--profile", "work", "history", "--json"]), 1);
    assert_eq!(runs(&["history", "--json"]), 0);
}
