//! The program with sources on a server: `sftp://` in the configuration and on the command line.

use std::fs;
use std::path::{Path, PathBuf};

use yore_tests::{Ended, MountGuard, Sshd, Yore, in_shell};

/// The program with a repository of its own, and a machine that `~/.ssh/config` calls `nas`.
struct Scene {
    yore: Yore,
    server: Sshd,
    folder: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let yore = Yore::new();
        let server = Sshd::start(&yore.scratch);
        let ssh = yore.scratch.folder("home/.ssh");
        fs::copy(server.known_hosts(), ssh.join("known_hosts")).expect("a file");
        let folder = yore.scratch.folder("documents");
        fs::create_dir(folder.join("letters")).expect("a folder");
        fs::write(folder.join("letters/one"), "dear reader").expect("a file");
        fs::write(folder.join("notes"), "from the machine").expect("a file");
        in_shell("find \"$1\" -exec touch -h -d @1700000000 {} +", &[&folder]);
        let scene = Self { yore, server, folder };
        scene.name_server("nas");
        scene.configured(&["config", "set", "key-file", "~/yore.key"]).assert_code(0);
        let destination = scene.yore.scratch.at("repository");
        scene.configured(&["destination", "add", text(&destination)]).assert_code(0);
        scene.configured(&["init"]).assert_code(0);
        scene
    }

    /// Gives the server a name in the configuration of SSH.
    fn name_server(&self, name: &str) {
        let config = format!(
            "Host {name}\n  HostName 127.0.0.1\n  Port {}\n  IdentityFile {}\n  IdentitiesOnly yes\n",
            self.server.port(),
            self.server.user_key().display()
        );
        fs::write(self.yore.scratch.at("home/.ssh/config"), config).expect("a file");
    }

    /// Runs a command that uses the configuration.
    fn configured(&self, words: &[&str]) -> Ended {
        Yore::finish(&mut self.yore.bare_command(words))
    }

    fn url(&self) -> String {
        format!("sftp://nas{}", self.folder.display())
    }

    fn configuration(&self) -> String {
        fs::read_to_string(self.yore.scratch.at("config.toml")).expect("a configuration")
    }

    fn hosts(&self) -> Vec<String> {
        let listed = self.configured(&["snapshots", "--json"]).assert_code(0).objects();
        let of = |line: &serde_json::Value| line["host"].as_str().map(str::to_owned);
        listed.iter().filter(|line| line["type"] == "snapshot").filter_map(of).collect()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

fn content(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_source_on_a_server_is_added_saved_shown_mounted_and_restored_as_another_machine() {
    let scene = Scene::new();
    // The folder is reached through a link; the configuration gets where it really is.
    in_shell("ln -s documents \"$1\"", &[&scene.yore.scratch.at("by-link")]);
    let by_link = scene.url().replace("/documents", "/by-link");
    scene.configured(&["source", "add", &by_link, "--name", "docs"]).assert_code(0);
    assert!(scene.configuration().contains(&format!("paths = [\"{}\"]", scene.url())));
    let listed = scene.configured(&["source", "list"]).assert_code(0);
    assert!(listed.out.contains(&scene.url()), "{listed:?}");
    let saved = scene.configured(&["backup"]).assert_code(0);
    assert!(saved.out.contains("2 files: 2 new"), "{saved:?}");
    let again = scene.configured(&["backup"]).assert_code(0);
    assert!(again.out.contains("0 new, 0 changed, 2 unchanged"), "{again:?}");
    // The same path of this machine is another thing.
    fs::write(scene.folder.join("notes"), "from here").expect("a file");
    scene.configured(&["backup", text(&scene.folder)]).assert_code(0);
    let hosts = scene.hosts();
    assert_eq!(hosts[..2], ["nas", "nas"]);
    assert_ne!(hosts[2], "nas");
    // The server tells numbers only, and the names that they have here are those of other people.
    let place = format!("latest:{}/notes", scene.folder.display());
    let listed = scene.configured(&["ls", &place, "--host", "nas"]).assert_code(0).out;
    let owner = in_shell("stat -c '%u %g' \"$1\"", &[&scene.folder.join("notes")]);
    let shown: Vec<&str> = listed.split_whitespace().skip(1).take(2).collect();
    assert_eq!(shown.join(" "), owner.trim(), "{listed}");
    let target = scene.yore.scratch.at("target");
    scene
        .configured(&["restore", "latest", "--host", "nas", "--target", text(&target)])
        .assert_code(0);
    let below = scene.folder.strip_prefix("/").expect("absolute");
    assert_eq!(content(&target.join(below).join("notes")), "from the machine");
    let refused = scene.configured(&["restore", "latest~2", "--all-hosts", "--in-place"]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    let repository = scene.yore.scratch.at("repository");
    let key = scene.yore.scratch.at("home/yore.key");
    let drive =
        MountGuard::new(&scene.yore, &["--repo", text(&repository), "--key-file", text(&key)]);
    assert_eq!(content(&drive.path().join("latest").join(below).join("notes")), "from here");
    let there = drive.path().join("hosts/nas");
    assert_eq!(content(&there.join("latest").join(below).join("notes")), "from the machine");
    let versions =
        fs::read_dir(there.join("versions").join(below).join("notes")).expect("a folder");
    assert_eq!(versions.count(), 1);
    drop(drive);
    let status = scene.configured(&["status"]).assert_code(0);
    assert!(status.out.contains("nas"), "{status:?}");
}

#[test]
fn the_rules_of_a_source_on_a_server_forget_its_snapshots_alone() {
    let scene = Scene::new();
    scene.configured(&["source", "add", &scene.url(), "--name", "docs"]).assert_code(0);
    scene.configured(&["backup", text(&scene.folder)]).assert_code(0);
    scene.configured(&["backup", text(&scene.folder)]).assert_code(0);
    for _ in 0..2 {
        scene.configured(&["backup"]).assert_code(0);
    }
    scene.configured(&["config", "set", "source.docs.retention.last", "2"]).assert_code(0);
    scene.configured(&["config", "set", "source.docs.retention.auto", "true"]).assert_code(0);
    let pruned = scene.configured(&["backup"]).assert_code(0);
    assert!(pruned.out.contains("1 snapshot forgotten"), "{pruned:?}");
    let hosts = scene.hosts();
    assert_eq!(hosts.iter().filter(|host| *host == "nas").count(), 2);
    assert_eq!(hosts.len(), 4);
}

#[test]
fn a_server_that_can_not_be_reached_is_told_at_once_by_add_status_and_backup() {
    let mut scene = Scene::new();
    scene.configured(&["source", "add", &scene.url(), "--name", "docs"]).assert_code(0);
    scene.configured(&["backup"]).assert_code(0);
    scene.server.kill();
    let failed = scene.configured(&["backup"]).assert_code(1);
    assert!(failed.err.contains("sftp://nas: connection refused"), "{failed:?}");
    assert!(failed.err.contains("`ssh nas` shows it"), "{failed:?}");
    let status = scene.configured(&["status"]).assert_code(3);
    assert!(status.err.contains("source docs: sftp://nas: connection refused"), "{status:?}");
    let other = scene.configured(&["source", "add", &scene.url(), "--name", "more"]).assert_code(1);
    assert!(other.err.contains("sftp://nas: connection refused"), "{other:?}");
    assert!(!scene.configuration().contains("more"));
    assert_eq!(scene.hosts().len(), 1);
    scene.server.restart();
    scene.configured(&["backup"]).assert_code(0);
}

#[test]
fn what_can_not_be_a_source_is_refused_with_what_to_do() {
    let scene = Scene::new();
    let run = |words: &[&str]| scene.configured(words);
    let absent = run(&["source", "add", "sftp://nas/no/such/folder"]).assert_code(1);
    assert!(absent.err.contains("sftp://nas/no/such/folder: no such file or folder"), "{absent:?}");
    let password = run(&["backup", "sftp://me:s3cret@nas/x"]).assert_code(2);
    assert!(password.err.contains("holds a password"), "{password:?}");
    assert!(!password.err.contains("s3cret") && !password.out.contains("s3cret"), "{password:?}");
    let mixed = run(&["backup", &scene.url(), text(&scene.folder)]).assert_code(2);
    assert!(mixed.err.contains("must all be on the server"), "{mixed:?}");
    let several = run(&["source", "add", &scene.url(), "sftp://other/x"]).assert_code(2);
    assert!(several.err.contains("several servers"), "{several:?}");
    for option in ["--one-file-system", "--snapshot=auto", "--unchanged-by=size,mtime,ctime"] {
        let refused = run(&["backup", option, &scene.url()]).assert_code(2);
        assert!(refused.err.contains("SFTP"), "{refused:?}");
    }
    let here = yore_platform::hostname();
    scene.name_server(&here);
    let same = run(&["backup", &scene.url().replace("nas", &here)]).assert_code(2);
    assert!(same.err.contains("a name of its own"), "{same:?}");
    let named = scene.url().replace("nas", &here);
    run(&["backup", "--host", "other", &named]).assert_code(0);
    assert_eq!(scene.hosts(), ["other"]);
    fs::remove_file(scene.yore.scratch.at("home/.ssh/known_hosts")).expect("it is removed");
    let unknown = run(&["source", "add", &named]).assert_code(1);
    assert!(unknown.err.contains("no host key is known"), "{unknown:?}");
    run(&["source", "add", &named, "--accept-host-key"]).assert_code(0);
}

#[test]
fn patterns_for_a_server_are_of_its_paths_and_its_home() {
    let scene = Scene::new();
    scene
        .configured(&[
            "source",
            "add",
            &scene.url(),
            "--exclude",
            "letters/",
            "--exclude",
            "~/none",
        ])
        .assert_code(0);
    let saved = scene.configured(&["backup"]).assert_code(0);
    assert!(saved.out.contains("1 file: 1 new"), "{saved:?}");
}
