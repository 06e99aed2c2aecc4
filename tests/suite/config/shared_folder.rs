//! A folder that two users of one group share, and one that they do not.

use std::path::Path;
use std::process::Command;

use yore_tests::{Ended, Yore, in_shell, needs_root};

/// The number of the group.
const GROUP: &str = "7000";

/// Runs a command of the program as a user of the group, with a home of their own.
fn as_user(yore: &Yore, user: &str, words: &[&str]) -> Ended {
    let home = yore.scratch.at(user);
    let template = yore.command(words);
    let mut command = Command::new("setpriv");
    let primary = user.to_owned();
    command.args(["--reuid", user, "--regid", &primary, "--groups", GROUP, "--"]);
    command.arg(yore_tests::binary()).args(words);
    command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("HOME", &home).current_dir(&home);
    for (variable, folder) in [("YORE_STATE_DIR", "state"), ("YORE_CACHE_DIR", "cache")] {
        command.env(variable, home.join(folder));
    }
    Yore::finish(&mut command)
}

/// Makes homes for two users, with a file in each and a key file that both may read.
fn two_users() -> Yore {
    needs_root("become another user");
    let yore = Yore::new();
    in_shell("chmod 755 \"$1\"", &[yore.scratch.path()]);
    for user in ["7001", "7002"] {
        let home = yore.scratch.folder(user);
        std::fs::write(home.join("file"), format!("of {user}")).expect("a file");
        in_shell(&format!("chown -R {user}:{user} \"$1\""), &[&home]);
    }
    yore
}

fn modes(folder: &Path) -> String {
    let line = "find \"$1\" -mindepth 1 -printf '%y %m %G\\n' | sort -u";
    in_shell(line, &[folder])
}

#[test]
fn in_a_folder_of_a_group_both_users_back_up_and_read_what_the_other_saved() {
    let yore = two_users();
    for (name, line) in [
        ("given on", "mkdir \"$1\" && chgrp 7000 \"$1\" && chmod 2770 \"$1\""),
        ("writable", "mkdir \"$1\" && chgrp 7000 \"$1\" && chmod 770 \"$1\""),
    ] {
        let share = yore.scratch.at(&format!("share {name}"));
        in_shell(line, &[&share]);
        let repository = share.join("yore");
        let key = yore.scratch.at("7001").join(format!("key {name}"));
        let options = [
            "--repo",
            repository.to_str().expect("text"),
            "--key-file",
            key.to_str().expect("text"),
        ];
        let run = |user: &str, words: &[&str]| as_user(&yore, user, &[&options, words].concat());
        run("7001", &["init"]).assert_code(0);
        in_shell("chmod 644 \"$1\"", &[&key]);
        run("7001", &["backup", "file"]).assert_code(0);
        run("7002", &["backup", "file"]).assert_code(0);
        for user in ["7001", "7002"] {
            run(user, &["check", "--read-data"]).assert_code(0);
            let listed = run(user, &["snapshots", "--json"]).assert_code(0).objects();
            assert_eq!(listed.len(), 2, "{name}: {user}");
        }
        assert_eq!(modes(&repository), format!("d 2770 {GROUP}\nf 640 {GROUP}\n"), "{name}");
    }
}

#[test]
fn elsewhere_a_repository_is_its_owner_s_alone() {
    let yore = two_users();
    // Everybody may write there, and it is shared with no group, as `/tmp`.
    for line in ["mkdir \"$1\" && chown 7001 \"$1\"", "mkdir \"$1\" && chmod 1777 \"$1\""] {
        let place = yore.scratch.at("place");
        in_shell(line, &[&place]);
        let repository = place.join("yore");
        let key = yore.scratch.at("7001/key");
        let options = [
            "--repo",
            repository.to_str().expect("text"),
            "--key-file",
            key.to_str().expect("text"),
        ];
        let run = |user: &str, words: &[&str]| as_user(&yore, user, &[&options, words].concat());
        run("7001", &["init"]).assert_code(0);
        run("7001", &["backup", "file"]).assert_code(0);
        assert_eq!(modes(&repository), "d 700 7001\nf 600 7001\n", "{line}");
        in_shell("chmod 644 \"$1\"", &[&key]);
        let other = run("7002", &["snapshots"]);
        assert!(!matches!(other.code, Some(0)), "{other:?}");
        in_shell("rm -r \"$1\"", &[&place]);
    }
}
