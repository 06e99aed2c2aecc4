//! Who is told, when, and by which way.

use std::fs;

use yore_tests::{MessageSink, Person};

fn person() -> Person {
    let person = Person::with_destinations(&["disk"]);
    person.folder("docs", "x");
    person.types(["source", "add", "docs"]).assert_code(0);
    person
}

/// Adds lines to the configuration.
fn add(person: &Person, lines: &str) {
    let text = format!("{}\n{lines}\n", person.configured());
    fs::write(person.configuration(), text).expect("the configuration");
}

/// Makes the backup fail, or succeed again.
fn fails(person: &Person, fails: bool) {
    let hook = if fails { "exit 1" } else { "exit 0" };
    person.types(["config", "set", "hooks.before", hook]).assert_code(0);
    person.types(["backup"]).assert_code(i32::from(fails));
}

#[test]
fn a_failure_and_its_end_are_told_once_each_by_mail_and_by_web() {
    let (mail, web) = (MessageSink::mail(), MessageSink::http());
    let person = person();
    add(
        &person,
        &format!(
            "[mail]\nserver = \"127.0.0.1:{}\"\nfrom = \"yore@example.org\"\n\n[[alert]]\nname = \"me\"\n\
             mail-to = [\"me@example.org\"]\nwebhook = \"http://127.0.0.1:{}/hook\"",
            mail.port, web.port
        ),
    );
    person.types(["alert", "test"]).assert_code(0);
    fails(&person, true);
    fails(&person, true);
    fails(&person, false);
    fails(&person, false);
    let mails = mail.wait_for(3);
    assert_eq!(mails.len(), 3, "a test, a problem, and its end: {mails:?}");
    assert_eq!(mails[1]["to"][0], "me@example.org");
    let text = mails[1]["text"].as_str().expect("text");
    assert!(text.contains("a backup failed") && text.contains("the hook before"), "{text}");
    let states: Vec<String> = web
        .wait_for(3)
        .iter()
        .map(|request| {
            let body: serde_json::Value =
                serde_json::from_str(request["body"].as_str().expect("a body")).expect("an object");
            body["state"].as_str().expect("a state").to_owned()
        })
        .collect();
    assert_eq!(states, ["test", "problem", "recovered"]);
}

#[test]
fn a_service_that_does_not_answer_does_not_keep_the_backup_and_is_tried_again() {
    let broken = MessageSink::broken_http();
    let person = person();
    let alert = |port| format!("[[alert]]\nname = \"web\"\nwebhook = \"http://127.0.0.1:{port}/\"");
    add(&person, &alert(broken.port));
    fails(&person, true);
    let status = person.types(["status"]);
    assert!(status.out.contains("could not be sent yet"), "{}", status.out);
    let web = MessageSink::http();
    let text = person.configured().replace(&broken.port.to_string(), &web.port.to_string());
    fs::write(person.configuration(), text).expect("the configuration");
    person.types(["alert", "check"]).assert_code(3);
    assert_eq!(web.wait_for(1).len(), 1);
    person.types(["alert", "check"]).assert_code(3);
    assert_eq!(web.messages().len(), 1, "it is told once");
}

#[test]
fn each_service_gets_the_form_that_it_reads() {
    let web = MessageSink::http();
    let person = person();
    let token = person.at("token");
    fs::write(&token, "name:secret\n").expect("a file");
    for preset in ["ntfy", "slack", "discord", "gotify", "sms"] {
        add(
            &person,
            &format!(
                "[[alert]]\nname = \"{preset}\"\npreset = \"{preset}\"\ntoken-file = \"{}\"\n\
                 webhook = \"http://127.0.0.1:{}/{preset}?To=%2B49&From=1\"",
                token.display(),
                web.port
            ),
        );
    }
    let sent = person.types(["alert", "test"]).assert_code(0);
    assert!(!sent.out.contains("secret") && !sent.err.contains("secret"));
    let requests = web.wait_for(5);
    let of = |preset: &str| {
        let found = requests.iter().find(|request| {
            request["path"].as_str().is_some_and(|path| path.starts_with(&format!("/{preset}")))
        });
        found.expect("a request").clone()
    };
    assert_eq!(of("ntfy")["headers"]["title"], "a test of this way");
    assert!(of("slack")["body"].as_str().is_some_and(|body| body.starts_with("{\"text\":")));
    assert!(of("discord")["body"].as_str().is_some_and(|body| body.starts_with("{\"content\":")));
    assert_eq!(of("gotify")["headers"]["x-gotify-key"], "name:secret");
    let sms = of("sms");
    assert_eq!(sms["path"], "/sms");
    assert!(
        sms["body"].as_str().is_some_and(|body| body.contains("To=%2B49&From=1&Body=")),
        "{sms}"
    );
    assert_eq!(sms["headers"]["authorization"], "Basic bmFtZTpzZWNyZXQ=");
}

#[test]
fn the_dead_mans_switch_hears_of_start_and_end_and_figures_are_written() {
    let web = MessageSink::http();
    let person = person();
    let url = format!("http://127.0.0.1:{}/ping", web.port);
    person.types(["config", "set", "healthcheck.url", &url]).assert_code(0);
    let figures = person.at("yore.prom");
    person
        .types(["config", "set", "metrics.file", figures.to_str().expect("UTF-8")])
        .assert_code(0);
    fails(&person, false);
    fails(&person, true);
    let paths: Vec<String> = web
        .wait_for(4)
        .iter()
        .map(|one| one["path"].as_str().expect("a path").to_owned())
        .collect();
    assert_eq!(paths, ["/ping/start", "/ping", "/ping/start", "/ping/fail"]);
    let text = fs::read_to_string(&figures).expect("figures");
    assert!(text.contains("yore_last_run_success 0\n"), "{text}");
    assert!(text.contains("yore_source_files{source=\"docs\"} 1\n"), "{text}");
    let is_figure = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a value");
        name.starts_with("yore_") && value.parse::<f64>().is_ok()
    };
    assert!(text.lines().filter(|line| !line.starts_with('#')).all(is_figure), "{text}");
}

#[test]
fn an_old_backup_and_a_destination_that_is_behind_are_told() {
    let person = Person::with_destinations(&["one", "two"]);
    person.folder("docs", "x");
    person.types(["source", "add", "docs"]).assert_code(0);
    add(&person, "[[alert]]\nname = \"me\"\ncommand = \"cat >> messages\"");
    person.types(["config", "set", "max-age", "26h"]).assert_code(0);
    person.types(["backup"]).assert_code(0);
    fs::rename(person.at("two"), person.at("away")).expect("it is there");
    person.types(["backup"]).assert_code(3);
    person.types(["alert", "check"]);
    let later = |days: &str| {
        let mut check = person.command(["alert", "check"]);
        let mut faked = std::process::Command::new("faketime");
        faked.arg(days).arg(check.get_program()).args(check.get_args());
        faked.current_dir(person.at("")).env_clear();
        faked.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        faked.envs(check.get_envs().filter_map(|(key, value)| Some((key, value?))));
        check.current_dir("/");
        let _ = faked.output().expect("faketime runs");
        fs::read_to_string(person.at("messages")).unwrap_or_default()
    };
    let messages = later("+2 days");
    assert!(messages.contains("source docs was not backed up for"), "{messages}");
    assert!(!messages.contains("is behind for"), "{messages}");
    let messages = later("+8 days");
    assert!(messages.contains("is behind for"), "{messages}");
    assert_eq!(messages.matches("was not backed up").count(), 1, "{messages}");
}

/// A real notification daemon on a screen without a monitor, on a message bus of its own.
#[test]
fn a_notification_appears_on_the_desktop_with_all_that_it_says() {
    let person = person();
    add(&person, "[[alert]]\nname = \"here\"\ndesktop = true");
    let script = r#"
        exec 3> display
        Xvfb -displayfd 3 -screen 0 800x600x24 > xvfb 2>&1 &
        xvfb=$!
        for i in $(seq 300); do [ -s display ] && break; sleep 0.1; done
        export DISPLAY=:$(cat display)
        dunst > dunst 2>&1 &
        dunst=$!
        for i in $(seq 300); do dunstctl count > /dev/null 2>&1 && break; sleep 0.1; done
        "$0" alert test here
        "$0" config set hooks.before 'exit 1'
        "$0" backup || true
        dunstctl close-all
        dunstctl history > history
        kill $dunst
        code=0; timeout 60 "$0" alert test here 2> refused || code=$?
        kill $xvfb
        exit $code
    "#;
    let typed = person.command(["status"]);
    let mut session = std::process::Command::new("dbus-run-session");
    session.args(["--", "bash", "-c", script]).arg(typed.get_program());
    session.current_dir(person.at("")).env_clear();
    session.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    session.envs(typed.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let ended = session.output().expect("dbus-run-session runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    let history = fs::read_to_string(person.at("history")).expect("the daemon's history");
    let history: serde_json::Value = serde_json::from_str(&history).expect("an object");
    let shown = history["data"][0].as_array().expect("notifications");
    let find = |title: &str| {
        let found = shown.iter().find(|one| one["summary"]["data"] == title);
        found.unwrap_or_else(|| panic!("{title}: {shown:?}, {said}"))
    };
    let (test, problem) = (find("a test of this way"), find("a backup failed"));
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_eq!(
        (&test["appname"]["data"], &problem["appname"]["data"]),
        (&"Yore".into(), &"Yore".into())
    );
    let body = problem["body"]["data"].as_str().expect("a text");
    assert!(body.contains("the hook before the backup failed"), "{body}");
    // Without a daemon that shows it, nothing is said to have been sent.
    assert_eq!(ended.status.code(), Some(1), "{said}");
    let refused = fs::read_to_string(person.at("refused")).expect("what was said");
    assert!(refused.contains("desktop: "), "{refused}");
}

/// The dashboard asks for figures that there are, and each of its panels has a place of its own.
#[test]
fn the_dashboard_of_grafana_shows_figures_that_are_written() {
    let root = yore_tests::root();
    let text = fs::read_to_string(root.join("cli/share/grafana.json")).expect("the dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("an object");
    for key in ["title", "uid", "schemaVersion", "templating", "time"] {
        assert!(!dashboard[key].is_null(), "{key}");
    }
    let written = fs::read_to_string(root.join("cli/src/runs/metrics.rs")).expect("a source");
    let (mut ids, mut places) = (std::collections::BTreeSet::new(), Vec::new());
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(ids.insert(panel["id"].as_u64()), "{panel}");
        let expression = panel["targets"][0]["expr"].as_str().expect("an expression");
        let start = expression.find("yore_").expect("a figure");
        let name = expression[start..].split('{').next().expect("a name");
        assert!(written.contains(&format!("\"{name}\"")), "{name} is not written");
        let number = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
        let place = (number("x"), number("y"), number("w"), number("h"));
        assert!(place.0 + place.2 <= 24, "{panel}");
        let meets = |other: &(u64, u64, u64, u64)| {
            place.0 < other.0 + other.2
                && other.0 < place.0 + place.2
                && place.1 < other.1 + other.3
                && other.1 < place.1 + place.3
        };
        assert!(!places.iter().any(meets), "{panel}");
        places.push(place);
    }
    assert!(places.len() >= 8);
}

#[test]
fn a_backup_that_a_person_ends_is_no_failure() {
    let web = MessageSink::http();
    let person = person();
    let url = format!("http://127.0.0.1:{}", web.port);
    add(&person, &format!("[[alert]]\nname = \"me\"\nwebhook = \"{url}/hook\""));
    person.types(["config", "set", "healthcheck.url", &format!("{url}/ping")]).assert_code(0);
    fails(&person, false);
    // A command is run by a shell, whose parent is the program.
    let command = "command = \"kill -INT $PPID; sleep 5; echo x\"";
    add(
        &person,
        &format!("[[source]]\nname = \"dump\"\nkind = \"command\"\nfile = \"x\"\n{command}"),
    );
    person.types(["backup"]).assert_code(130);
    let asked: Vec<String> = web
        .wait_for(3)
        .iter()
        .map(|request| request["path"].as_str().expect("a path").to_owned())
        .collect();
    assert_eq!(asked, ["/ping/start", "/ping", "/ping/start"]);
    let status = person.types(["status"]);
    assert!(status.out.contains("succeeded") && !status.out.contains("FAILED"), "{}", status.out);
    let history = person.types(["history", "--json"]).assert_code(0).objects();
    assert!(history.iter().any(|run| run["result"] == "interrupted"), "{history:?}");
    person.types(["alert", "check"]).assert_code(0);
}

/// Alerts are those of the configuration, and what is wrong is of it as well.
#[test]
fn with_a_repository_in_the_options_nothing_is_told_or_forgotten() {
    let person = person();
    add(&person, "[[alert]]\nname = \"me\"\ncommand = \"cat >> messages\"");
    fails(&person, true);
    let sent = || fs::read_to_string(person.at("messages")).unwrap_or_default();
    assert_eq!(sent().matches("a backup failed").count(), 1, "{}", sent());
    person.types(["backup", "docs"]).assert_code(0);
    let disk = person.at("disk");
    let repo = disk.to_str().expect("UTF-8");
    for words in [["alert", "check"], ["alert", "test"]] {
        let refused = person.types([&["--repo", repo][..], &words].concat()).assert_code(2);
        assert!(refused.err.contains("--repo"), "{}", refused.err);
    }
    let key = person.at("yore.key");
    let opened = ["--repo", repo, "--key-file", key.to_str().expect("UTF-8"), "drill"];
    person.types(opened).assert_code(0);
    assert!(!sent().contains("right again"), "{}", sent());
    let status = person.types(["status", "--json"]).objects();
    let known = status.iter().find(|object| object["type"] == "automatic").expect("it is told");
    assert_eq!(known["drill_succeeded"], serde_json::Value::Null, "{known}");
    assert_eq!(known["wrong"][0], "a backup failed", "{known}");
}

#[test]
fn of_two_that_find_the_same_wrong_one_tells() {
    let person = person();
    fails(&person, true);
    let slow = "[[alert]]\nname = \"me\"\ncommand = \"sleep 1; echo told >> messages\"";
    add(&person, slow);
    let check = || person.command(["alert", "check"]).spawn().expect("it starts");
    for mut child in [check(), check(), check()] {
        assert_eq!(child.wait().expect("it ends").code(), Some(3));
    }
    assert_eq!(fs::read_to_string(person.at("messages")).expect("a message"), "told\n");
}

#[test]
fn a_source_that_is_removed_has_no_figures() {
    let person = person();
    let figures = person.at("yore.prom");
    let path = figures.to_str().expect("UTF-8");
    person.types(["config", "set", "metrics.file", path]).assert_code(0);
    person.folder("more", "y");
    person.types(["source", "add", "more"]).assert_code(0);
    person.types(["backup"]).assert_code(0);
    let of_more = || fs::read_to_string(&figures).expect("figures").contains("source=\"more\"");
    assert!(of_more());
    person.types(["source", "remove", "more"]).assert_code(0);
    person.types(["backup"]).assert_code(0);
    assert!(!of_more());
}
