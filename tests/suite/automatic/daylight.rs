//! Hours that the clock leaves out in spring and repeats in autumn: what is due then runs once.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use yore_tests::{Ended, Person, Yore, needs_root};

const ZONE: &str = "Europe/Berlin";

fn person() -> Person {
    let person = Person::with_destinations(&["disk"]);
    person.folder("docs", "x");
    person.types(["source", "add", "docs"]).assert_code(0);
    person
}

/// Prints the lines by which a timer says when it runs.
fn calendar(person: &Person, words: &[&str]) -> Vec<String> {
    let dry = ["schedule", "install", "--with", "systemd", "--dry-run"];
    let mut install = person.command(dry.iter().chain(words));
    let shown = Yore::finish(install.env("TZ", ZONE)).assert_code(0).out;
    shown.lines().filter_map(|line| line.strip_prefix("OnCalendar=")).map(str::to_owned).collect()
}

/// Returns the times in UTC of a day at which systemd runs a timer of these lines.
fn runs(lines: &[String], day: &str) -> Vec<String> {
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["calendar", "--iterations=30", &format!("--base-time={day} 00:00:00")]);
    let output = analyze.args(lines).env("TZ", ZONE).output().expect("systemd-analyze runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let printed: Vec<&str> = text.lines().map(str::trim).collect();
    // Each local time has the same time in UTC below it.
    let is_of_day =
        |pair: &&[&str]| pair[0].contains(&format!(" {day} ")) && pair[1].contains("(in UTC)");
    let times = printed.windows(2).filter(is_of_day);
    times.filter_map(|pair| Some(pair[1].split_once(": ")?.1.to_owned())).collect()
}

#[test]
fn a_timer_of_systemd_runs_once_in_an_hour_that_is_left_out_or_repeated() {
    let person = person();
    // The clock goes from 2 to 3 on the last Sunday of March, and from 3 to 2 on that of October.
    let now = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC);
    let next = now.year() + 1;
    let last_sunday = |month: i8| {
        let back = jiff::civil::date(next, month, 31).weekday().to_sunday_zero_offset();
        jiff::civil::date(next, month, 31 - back).to_string()
    };
    for words in [&["--daily", "02:30"][..], &["--weekly", "sun 02:00"], &["--daily", "02:59"]] {
        let lines = calendar(&person, words);
        for month in [3, 10] {
            let day = last_sunday(month);
            let found = runs(&lines, &day);
            assert_eq!(found.len(), 1, "{words:?} on {day}: {found:?}, {lines:?}");
        }
    }
    let usual = runs(&calendar(&person, &["--daily", "02:30"]), &format!("{next}-01-15"));
    assert_eq!(usual.len(), 1, "{usual:?}");
    let monthly = calendar(&person, &["--monthly", "1 02:30"]);
    assert_eq!(monthly, ["*-*-01 02:30:00"], "no clock is changed on the first of a month");
    assert_eq!(calendar(&person, &["--daily", "12:00"]), ["*-*-* 12:00:00"]);
}

/// A real cron, whose clock runs 300 times as fast.
#[test]
fn cron_runs_a_line_once_in_an_hour_that_is_left_out_or_repeated() {
    needs_root("give cron tables of its own");
    let person = person();
    let script = r#"
        set -e
        mount -t tmpfs tmpfs /var/spool/cron/crontabs
        mount -t tmpfs tmpfs /etc/cron.d
        mount -t tmpfs tmpfs /run
        "$1" schedule install --daily 02:30 --splay 0s --with cron > /dev/null
        crontab -l | sed "s|^30 2 .*|30 2 * * * echo >> $2/ran|; /^@/d" > "$2/table"
        echo "59 3 * * * echo >> $2/end" >> "$2/table"
        crontab "$2/table"
        for start in 2037-03-29 2037-10-25; do
            rm -f "$2/ran" "$2/end"
            TZ=Europe/Berlin faketime -f "@$start 01:50:00 x300" cron -f &
            cron=$!
            for i in $(seq 1200); do [ -e "$2/end" ] && break; sleep 0.1; done
            # The clock that is faked is that of its child.
            kill $(pgrep -P $cron)
            wait $cron || true
            rm -f /run/crond.pid
            wc -l < "$2/ran"
        done
    "#;
    let typed = person.command(["status"]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "bash", "-c", script, "bash"]).arg(typed.get_program());
    command.arg(person.at("")).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(typed.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let ended = command.output().expect("unshare runs");
    let (out, err) =
        (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{err}");
    assert_eq!(out.split_whitespace().collect::<Vec<_>>(), ["1", "1"], "{err}");
}

/// Runs a command at another time.
fn at(person: &Person, time: &str, words: &[&str]) -> Ended {
    let time: jiff::Timestamp = time.parse().expect("a time");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let ahead = time.as_second() - i64::try_from(now).expect("a time");
    let typed = person.command(words);
    let mut command = Command::new("faketime");
    command.args(["-f", &format!("{ahead:+}")]).arg(typed.get_program()).args(typed.get_args());
    command.current_dir(person.at("")).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(typed.get_envs().filter_map(|(key, value)| Some((key, value?)))).env("TZ", ZONE);
    Yore::finish(&mut command)
}

#[test]
fn a_repeated_hour_makes_no_backup_look_too_old() {
    let person = person();
    at(&person, "2037-10-24T02:30:00+02:00", &["backup"]).assert_code(0);
    let look = |time: &str, age: &str| at(&person, time, &["status", "--max-age", age]).code;
    // By the clock it is not yet a day; the hours that passed are 24 and 50 minutes.
    assert_eq!(look("2037-10-25T02:20:00+01:00", "1d"), Some(0));
    assert_eq!(look("2037-10-25T02:20:00+01:00", "25h"), Some(0));
    assert_eq!(look("2037-10-25T02:20:00+01:00", "24h"), Some(1));
    assert_eq!(look("2037-10-25T02:40:00+01:00", "1d"), Some(1));
    // A backup in the repeated hour is not older than one of the hour before.
    at(&person, "2037-10-25T02:10:00+01:00", &["backup"]).assert_code(0);
    let again = ["backup", "--if-older-than", "1h"];
    let recent = at(&person, "2037-10-25T02:50:00+01:00", &again).assert_code(0);
    assert!(recent.out.contains("recently enough"), "{}", recent.out);
    assert_eq!(look("2037-10-25T02:50:00+01:00", "1h"), Some(0));
}
