//! The program with a repository at `sftp://`, with the settings of `~/.ssh`.

use std::fs;
use std::path::{Path, PathBuf};

use yore_tests::{Direction, Ended, Link, MountGuard, Proxy, Sshd, Yore, in_shell, noise};

/// The program with a server that `~/.ssh/config` calls `nas`.
struct Scene {
    yore: Yore,
    server: Sshd,
    url: String,
}

impl Scene {
    fn new() -> Self {
        let yore = Yore::new();
        let server = Sshd::start(&yore.scratch);
        let ssh = yore.scratch.folder("home/.ssh");
        fs::create_dir(ssh.join("config.d")).expect("a folder");
        fs::write(ssh.join("config"), "Include config.d/*\nHost *\n  Port 1\n").expect("a file");
        let scene = Self { url: String::new(), yore, server };
        scene.configure(scene.server.user_key());
        fs::copy(scene.server.known_hosts(), ssh.join("known_hosts")).expect("a file");
        let url = format!("sftp://nas{}", scene.yore.scratch.at("remote/repository").display());
        Self { url, ..scene }
    }

    fn ssh(&self, name: &str) -> PathBuf {
        self.yore.scratch.at("home/.ssh").join(name)
    }

    fn configure(&self, key: PathBuf) {
        self.configure_port(self.server.port(), key);
    }

    fn configure_port(&self, port: u16, key: PathBuf) {
        let text = format!(
            "Host nas\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {}\n  IdentitiesOnly yes\n",
            key.display()
        );
        fs::write(self.ssh("config.d/nas"), text).expect("a file");
    }

    fn run(&self, words: &[&str]) -> Ended {
        self.yore.run([&["--repo", self.url.as_str()], words].concat())
    }

    fn source(&self) -> PathBuf {
        let source = self.yore.scratch.folder("source");
        fs::write(source.join("letter"), "dear reader").expect("a file");
        source
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

#[test]
fn a_repository_on_a_server_is_made_written_checked_mounted_and_restored() {
    let scene = Scene::new();
    let source = scene.source();
    scene.run(&["init"]).assert_code(0);
    scene.run(&["backup", text(&source)]).assert_code(0);
    scene.run(&["check", "--read-data"]).assert_code(0);
    let listed = scene.run(&["snapshots", "--json"]).assert_code(0).objects();
    assert_eq!(listed.iter().filter(|line| line["type"] == "snapshot").count(), 1);
    let status = scene.run(&["status"]).assert_code(0);
    assert!(status.out.contains("sftp://nas/"), "{status:?}");
    let target = scene.yore.scratch.at("target");
    scene.run(&["restore", "latest", "--target", text(&target)]).assert_code(0);
    let letter = source.strip_prefix("/").expect("absolute").join("letter");
    assert_eq!(fs::read_to_string(target.join(&letter)).expect("a file"), "dear reader");
    let drive = MountGuard::new(&scene.yore, &["--repo", &scene.url]);
    let shown = drive.path().join("latest").join(&letter);
    assert_eq!(fs::read_to_string(shown).expect("a file"), "dear reader");
    drop(drive);
    // What a server keeps is an ordinary repository.
    let local = scene.yore.scratch.at("remote/repository");
    scene.yore.run(["--repo", text(&local), "check", "--read-data"]).assert_code(0);
}

#[test]
fn an_unknown_host_is_accepted_once_by_an_option() {
    let scene = Scene::new();
    fs::remove_file(scene.ssh("known_hosts")).expect("it is removed");
    let refused = scene.run(&["init"]).assert_code(1);
    assert!(refused.err.contains("no host key is known of [127.0.0.1]"), "{refused:?}");
    assert!(refused.err.contains("SHA256:") && refused.err.contains("--accept-host-key"));
    scene.run(&["init", "--accept-host-key"]).assert_code(0);
    scene.run(&["check"]).assert_code(0);
    // The key of another server now stands for this one.
    let line = format!("[127.0.0.1]:{} ", scene.server.port());
    let user = fs::read_to_string(scene.server.user_key().with_extension("pub")).expect("a file");
    fs::write(scene.ssh("known_hosts"), line + &user).expect("a file");
    let changed = scene.run(&["check", "--accept-host-key"]).assert_code(1);
    assert!(changed.err.contains("the host key has changed of"), "{changed:?}");
}

#[test]
fn what_can_not_work_is_told_with_what_to_do() {
    let scene = Scene::new();
    let none = scene.run(&["snapshots"]).assert_code(10);
    assert!(none.err.contains("there is no repository at sftp://nas/"), "{none:?}");
    let stranger = scene.server.folder().join("stranger");
    yore_tests::make_key(&stranger, "ed25519", "");
    scene.configure(stranger);
    let refused = scene.run(&["snapshots"]).assert_code(1);
    assert!(refused.err.contains("log in: the server does not accept"), "{refused:?}");
    assert!(refused.err.contains("authorized_keys"), "{refused:?}");
    let run = |url: &str| scene.yore.run(["--repo", url, "snapshots"]);
    let password = run("sftp://me:s3cret@nas/x").assert_code(2);
    assert!(password.err.contains("holds a password"), "{password:?}");
    assert!(!password.err.contains("s3cret"), "{password:?}");
    let meant = run("me@nas:/backups").assert_code(2);
    assert!(meant.err.contains("sftp://me@nas/backups"), "{meant:?}");
    let no_folder = run("sftp://nas").assert_code(2);
    assert!(no_folder.err.contains("sftp://user@host:22/path"), "{no_folder:?}");
}

#[test]
fn a_folder_that_can_not_be_written_is_a_clear_error() {
    let scene = Scene::new();
    scene.run(&["init"]).assert_code(0);
    let folder = scene.yore.scratch.at("remote/repository");
    // The user may be root, whom permissions do not stop.
    in_shell("mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\"", &[&folder]);
    let _mounted = yore_tests::MountedAt::new(&folder);
    let source = scene.source();
    let refused = scene.run(&["backup", text(&source)]).assert_code(1);
    assert!(refused.err.contains("read-only"), "{refused:?}");
}

#[test]
fn a_path_may_be_relative_to_the_home_of_the_user() {
    let scene = Scene::new();
    let home = scene.yore.scratch.folder("server-home");
    // The server's subsystem starts in another folder than the real home of this user.
    let settings = yore_tests::SshdSettings {
        lines: format!("ForceCommand internal-sftp -d {}", home.display()),
        ..Default::default()
    };
    let server = Sshd::with(&scene.yore.scratch, "homely", settings);
    let scene = Scene { server, ..scene };
    scene.configure(scene.server.user_key());
    fs::copy(scene.server.known_hosts(), scene.ssh("known_hosts")).expect("a file");
    scene.yore.run(["--repo", "sftp://nas/~/backups", "init"]).assert_code(0);
    assert!(home.join("backups/yore.cbor").is_file());
}

#[test]
fn a_connection_that_is_lost_is_made_anew_and_logged() {
    let scene = Scene::new();
    scene.run(&["init"]).assert_code(0);
    let server = format!("127.0.0.1:{}", scene.server.port()).parse().expect("an address");
    let proxy = Proxy::start(server, Link::UNSHAPED);
    scene.configure_port(proxy.port(), scene.server.user_key());
    let source = scene.source();
    fs::write(source.join("large"), noise(4 << 20, 1)).expect("a file");
    // Another port is another host.
    scene.run(&["--accept-host-key", "snapshots"]).assert_code(0);
    proxy.reset_after(Direction::Up, 1 << 20);
    scene.run(&["backup", text(&source)]).assert_code(0);
    let log = scene.yore.scratch.at("state/log-default.log");
    let log = fs::read_to_string(log).expect("a log");
    let has = |message: &str| log.lines().any(|line| line.contains(message));
    for message in [
        "request failed, and is repeated location=sftp://nas",
        "connection ended, and is made anew",
        "destination answers again",
    ] {
        assert!(has(message), "{message}: {log}");
    }
    scene.run(&["check", "--read-data"]).assert_code(0);
}
