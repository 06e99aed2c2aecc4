//! The way to a server and in: keys, the agent, host keys, jumps and proxies.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use yore_engine::backend::{
    AgentKeys, Backend, Identity, Program, Sftp, SftpOptions, UnknownHosts,
};
use yore_engine::format::ObjectName;
use yore_engine::{Error, HostKeyProblem};
use yore_tests::{Scratch, Sshd, free_port, in_shell, make_key};

/// Asks for something, which needs a session.
fn ask(options: SftpOptions) -> Result<(), Error> {
    Sftp::new(options).size(&ObjectName::header()).map(drop)
}

#[track_caller]
fn assert_host_key(result: Result<(), Error>, expected: HostKeyProblem) -> String {
    match result {
        Err(Error::HostKey { problem, fingerprint, key_type, host }) => {
            assert_eq!(problem, expected);
            assert_eq!(key_type, "ssh-ed25519");
            assert!(host.starts_with("[127.0.0.1]:"), "{host}");
            fingerprint
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_no_log_in(result: Result<(), Error>, reason: &str) {
    match result {
        Err(error @ Error::LogIn { .. }) => {
            assert!(!error.is_temporary());
            assert!(error.to_string().contains(reason), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

/// Makes a key that the server accepts; returns the file with the private part.
fn accepted_key(server: &Sshd, kind: &str, passphrase: &str) -> PathBuf {
    let key = server.folder().join(format!("{kind}-{}", passphrase.len()));
    make_key(&key, kind, passphrase);
    let public = key.with_file_name(format!("{kind}-{}.pub", passphrase.len()));
    in_shell("cat \"$1\" >> \"$2\"", &[&public, &server.folder().join("authorized_keys")]);
    key
}

fn with_key(server: &Sshd, scratch: &Scratch, key: &Path) -> SftpOptions {
    let mut options = server.options(scratch.path());
    options.host.identities = vec![Identity::File(key.to_owned())];
    options
}

#[test]
fn keys_of_every_type_log_in() {
    let scratch = Scratch::new();
    let server = Sshd::start(&scratch);
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let key = accepted_key(&server, kind, "");
        ask(with_key(&server, &scratch, &key)).expect(kind);
        let text = fs::read_to_string(&key).expect("a file").into();
        let mut options = server.options(scratch.path());
        options.host.identities = vec![Identity::Text { name: kind.into(), text }];
        ask(options).expect(kind);
    }
    // The older format, as OpenSSL writes it.
    let key = server.folder().join("rsa-0");
    in_shell("ssh-keygen -q -p -m PEM -N '' -f \"$1\"", &[&key]);
    ask(with_key(&server, &scratch, &key)).expect("a key in PEM");
}

#[test]
fn a_key_or_user_that_is_not_accepted_is_a_clear_error() {
    let scratch = Scratch::new();
    let server = Sshd::start(&scratch);
    let stranger = server.folder().join("stranger");
    make_key(&stranger, "ed25519", "");
    let name = stranger.display().to_string();
    assert_no_log_in(
        ask(with_key(&server, &scratch, &stranger)),
        &format!("the server does not accept {name}"),
    );
    let mut options = server.options(scratch.path());
    options.host.user = "nobody-of-that-name".into();
    assert_no_log_in(ask(options), "does not let nobody-of-that-name log in");
    assert_no_log_in(ask(with_key(&server, &scratch, &scratch.at("missing"))), "there is no key");
    fs::write(scratch.at("nonsense"), "no key").expect("a file");
    assert_no_log_in(
        ask(with_key(&server, &scratch, &scratch.at("nonsense"))),
        "is no private key",
    );
}

/// An agent with keys, ended when this is dropped.
struct Agent(std::process::Child, PathBuf);

impl Agent {
    fn with(scratch: &Scratch) -> Self {
        let socket = scratch.at("agent");
        let mut command = Command::new("ssh-agent");
        let child = command.args(["-D", "-a"]).arg(&socket).stdout(std::process::Stdio::null());
        let agent = Self(child.spawn().expect("ssh-agent runs"), socket);
        while !agent.1.exists() {
            std::thread::yield_now();
        }
        agent
    }

    /// Adds a key whose passphrase is `secret`.
    fn add(&self, scratch: &Scratch, key: &Path) {
        let answer = scratch.at("answer");
        fs::write(&answer, "#!/bin/sh\necho secret\n").expect("a file");
        let line = "chmod 700 \"$1\"; SSH_ASKPASS=$1 SSH_ASKPASS_REQUIRE=force SSH_AUTH_SOCK=$2 ssh-add -q \"$3\"";
        in_shell(line, &[&answer, &self.1, key]);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_key_with_a_passphrase_needs_the_agent() {
    let scratch = Scratch::new();
    let server = Sshd::start(&scratch);
    let agent = Agent::with(&scratch);
    for kind in ["ed25519", "rsa"] {
        let key = accepted_key(&server, kind, "secret");
        assert_no_log_in(ask(with_key(&server, &scratch, &key)), "protected by a passphrase");
        let with_agent = || {
            let mut options = with_key(&server, &scratch, &key);
            options.host.agent = Some(agent.1.clone());
            options
        };
        assert_no_log_in(ask(with_agent()), "ssh-add");
        agent.add(&scratch, &key);
        ask(with_agent()).expect("the agent signs");
        let mut options = server.options(scratch.path());
        (options.host.identities, options.host.agent) = (Vec::new(), Some(agent.1.clone()));
        assert_no_log_in(ask(options), "there is no key");
        let mut options = server.options(scratch.path());
        (options.host.identities, options.host.agent) = (Vec::new(), Some(agent.1.clone()));
        options.host.agent_keys = AgentKeys::All;
        ask(options).expect("the agent has a key");
    }
}

#[test]
fn an_unknown_host_is_refused_until_its_key_is_accepted_and_a_changed_one_always() {
    let scratch = Scratch::new();
    let mut server = Sshd::start(&scratch);
    let options = |server: &Sshd, unknown| {
        let mut options = server.options(scratch.path());
        options.unknown_hosts = unknown;
        options
    };
    fs::remove_file(server.known_hosts()).expect("it is removed");
    let fingerprint =
        assert_host_key(ask(options(&server, UnknownHosts::Refuse)), HostKeyProblem::Unknown);
    let line = "ssh-keygen -l -f \"$1\"";
    let expected = in_shell(line, &[&server.folder().join("host.pub")]);
    assert!(expected.contains(&fingerprint), "{expected} {fingerprint}");
    assert!(!server.known_hosts().exists());
    ask(options(&server, UnknownHosts::Accept)).expect("its key is stored");
    ask(options(&server, UnknownHosts::Refuse)).expect("it is known now");
    let stored = fs::read_to_string(server.known_hosts()).expect("a file");
    assert_eq!(stored.lines().count(), 1, "{stored}");
    in_shell("ssh-keygen -q -H -f \"$1\"", &[&server.known_hosts()]);
    ask(options(&server, UnknownHosts::Refuse)).expect("it is known by a hashed name");

    fs::remove_file(server.folder().join("host")).expect("it is removed");
    make_key(&server.folder().join("host"), "ed25519", "");
    server.restart();
    for unknown in [UnknownHosts::Refuse, UnknownHosts::Accept] {
        assert_host_key(ask(options(&server, unknown)), HostKeyProblem::Changed);
    }
    let revoked = fs::read_to_string(server.folder().join("host.pub")).expect("a file");
    fs::write(server.known_hosts(), format!("@revoked * {revoked}")).expect("a file");
    assert_host_key(ask(options(&server, UnknownHosts::Accept)), HostKeyProblem::Revoked);
}

#[test]
fn a_host_known_by_one_of_several_keys_is_asked_for_that_one() {
    let scratch = Scratch::new();
    let first = Sshd::start(&scratch);
    let ecdsa = first.folder().join("ecdsa-host");
    make_key(&ecdsa, "ecdsa", "");
    let settings = yore_tests::SshdSettings {
        lines: format!("HostKey {}", ecdsa.display()),
        ..Default::default()
    };
    let server = Sshd::with(&scratch, "two-keys", settings);
    server.make_known(&ecdsa.with_extension("pub"));
    ask(server.options(scratch.path())).expect("it shows the key that is known");
}

#[test]
fn a_server_is_reached_through_another_and_through_a_command() {
    let scratch = Scratch::new();
    let (gate, inner) = (Sshd::start(&scratch), Sshd::with(&scratch, "inner", Default::default()));
    let mut options = inner.options(scratch.path());
    options.jumps = vec![gate.host()];
    ask(options).expect("through the gate");
    let proxy = |line: String| {
        let mut options = inner.options(scratch.path());
        let arguments = vec!["-c".into(), line.into()];
        options.proxy = Some(Program { program: "bash".into(), arguments });
        options
    };
    let line = "exec 3<>/dev/tcp/127.0.0.1/PORT; cat <&3 & exec cat >&3";
    ask(proxy(line.replace("PORT", &inner.port().to_string()))).expect("through the command");
    let error = ask(proxy("echo no way >&2; exit 1".into())).expect_err("there is no way");
    assert!(error.with_cause().contains("no way"), "{}", error.with_cause());
    let mut options = inner.options(scratch.path());
    options.jumps = vec![gate.host()];
    options.host.port = free_port();
    let error = ask(options).expect_err("nobody listens behind the gate");
    assert!(error.is_temporary(), "{error:?}");
}

#[test]
fn a_host_that_is_not_there_is_a_clear_error() {
    let scratch = Scratch::new();
    let server = Sshd::start(&scratch);
    let mut options = server.options(scratch.path());
    options.host.port = free_port();
    let error = ask(options).expect_err("nobody listens");
    assert!(error.is_temporary(), "{error:?}");
    let mut options = server.options(scratch.path());
    options.host.address = "no-such-host.invalid".into();
    let error = ask(options).expect_err("there is no such host");
    let told = error.with_cause();
    assert!(told.contains("no host of that name") || error.is_temporary(), "{told}");
}
