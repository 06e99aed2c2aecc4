//! SFTP against OpenSSH's server: what clobbers, what a killed server does, what is left behind.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use yore_engine::Error;
use yore_engine::backend::{Backend, Published, save};
use yore_engine::format::{Area, ObjectName};
use yore_tests::{Scratch, Sshd, SshdSettings, noise};

fn pack(digit: char) -> ObjectName {
    let id: String = std::iter::repeat_n(digit, 64).collect();
    ObjectName::parse(Area::Packs, &format!("packs/{digit}{digit}/{id}")).expect("a name")
}

/// Runs commands of OpenSSH's own client; returns its messages.
fn client(server: &Sshd, commands: &str) -> String {
    let mut command = Command::new("sftp");
    command.arg("-b").arg("-").arg("-i").arg(server.user_key());
    command.args(["-P", &server.port().to_string(), "-o", "IdentitiesOnly=yes"]);
    command.arg("-o").arg(format!("UserKnownHostsFile={}", server.known_hosts().display()));
    command.arg("-F").arg("/dev/null").arg("127.0.0.1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("sftp runs (Debian package openssh-client)");
    let mut input = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, commands.as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("its output");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn of_the_ways_to_name_a_file_only_posix_rename_clobbers() {
    let scratch = Scratch::new();
    let server = Sshd::start(&scratch);
    // The client renames by posix-rename where it is offered, so it is denied to see the other.
    let denied = "-P posix-rename".to_owned();
    let plain = SshdSettings { sftp_arguments: denied, ..SshdSettings::default() };
    let without = Sshd::with(&scratch, "without", plain);
    for (server, way, clobbers) in
        [(&server, "rename", true), (&without, "rename", false), (&server, "ln", false)]
    {
        let folder = scratch.folder(&format!("{}-{way}-{clobbers}", server.port()));
        let (from, to) = (folder.join("from"), folder.join("to"));
        fs::write(&from, "new").expect("a file");
        fs::write(&to, "old").expect("a file");
        let said = client(server, &format!("{way} {} {}\n", from.display(), to.display()));
        let content = fs::read_to_string(&to).expect("a file");
        assert_eq!(content, if clobbers { "new" } else { "old" }, "{way}: {said}");
        assert_eq!(said.is_empty(), clobbers, "{way}: {said}");
    }
}

#[test]
fn a_killed_server_is_a_temporary_error_and_the_next_call_connects_again() {
    let scratch = Scratch::new();
    let mut server = Sshd::start(&scratch);
    let folder = scratch.folder("repository");
    let backend = server.backend(&folder);
    let bytes = noise(8 << 20, 1);
    save(&backend, &pack('a'), &bytes).expect("it is saved");

    let mut object = backend.create(&pack('b')).expect("it can be begun");
    object.append(&bytes).expect("it can be appended");
    server.kill_connections();
    let mut failed = Ok(());
    // What the system still sends is accepted, so several pieces may be appended.
    for _ in 0..100 {
        failed = object.append(&bytes);
        if failed.is_err() {
            break;
        }
    }
    let error = failed.expect_err("nothing can be appended");
    assert!(error.is_temporary(), "{error:?}");
    drop(object);
    assert_eq!(backend.size(&pack('b')).expect("it connects again"), None);

    server.kill();
    for _ in 0..2 {
        let error = backend.read(&pack('a'), 0..10).map(drop).expect_err("nobody listens");
        assert!(error.is_temporary(), "{error:?}");
    }
    server.restart();
    let read = backend.read(&pack('a'), 0..bytes.len() as u64).expect("it connects again");
    assert!(*read == *bytes);
    // The writer of this process may go on, so its file stays until the process has ended.
    assert_eq!(backend.names(Area::Packs).expect("a list"), [pack('a')]);
    let left = backend.unfinished().expect("a list");
    assert!(left.iter().all(|file| !file.is_abandoned), "{left:?}");
}

#[test]
fn a_server_killed_at_any_moment_of_a_transfer_loses_nothing_published() {
    let scratch = Scratch::new();
    let server = Sshd::start(&scratch);
    let backend = server.backend(&scratch.folder("repository"));
    let bytes = noise(4 << 20, 2);
    let digits = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b'];
    let (mut published, mut failed) = (Vec::new(), 0);
    for (number, digit) in digits.into_iter().enumerate() {
        let (before, after) = bytes.split_at(number * bytes.len() / digits.len());
        let saved = backend.create(&pack(digit)).and_then(|mut object| {
            object.append(before)?;
            if number % 2 == 1 {
                server.kill_connections();
            }
            object.append(after)?;
            object.publish()
        });
        match saved {
            Ok(outcome) => {
                assert_eq!(outcome, Published::Created);
                published.push(pack(digit));
            }
            Err(error) => {
                assert!(error.is_temporary(), "{error:?}");
                failed += 1;
            }
        }
    }
    assert_eq!((published.len(), failed), (6, 6));
    // An object whose answer was lost may be there; whatever is there is whole.
    let listed = backend.list(Area::Packs).expect("a list");
    for name in &published {
        assert!(listed.iter().any(|object| object.name == *name), "{name}");
    }
    for object in &listed {
        assert_eq!(object.size, bytes.len() as u64, "{}", object.name);
    }
}

#[test]
fn the_root_is_made_once_and_never_again() {
    let scratch = Scratch::new();
    let server = Sshd::start(&scratch);
    let folder = scratch.at("share/deep/repository");
    let backend = server.backend(&folder);
    let header = ObjectName::header();
    let missing = |result: Result<(), Error>| {
        assert!(matches!(result, Err(Error::NoRepository { .. })), "{result:?}");
    };
    missing(backend.create(&header).map(drop));
    missing(backend.list(Area::Packs).map(drop));
    backend.prepare().expect("it makes the folders");
    save(&backend, &header, b"header").expect("it is saved");
    save(&backend, &pack('a'), b"pack").expect("it makes the folders of packs");
    fs::rename(scratch.at("share"), scratch.at("unmounted")).expect("renamed");
    missing(backend.create(&pack('b')).map(drop));
    missing(backend.list(Area::Index).map(drop));
    assert!(!scratch.at("share").exists());
}

#[test]
fn a_folder_with_something_in_it_is_occupied() {
    let scratch = Scratch::new();
    let server = Sshd::start(&scratch);
    let occupied = |folder: &Path, reason: &str| match server.backend(folder).check_vacant() {
        Err(Error::Occupied { found, .. }) => assert_eq!(found, reason),
        other => panic!("{other:?}"),
    };
    let folder = scratch.folder("some");
    fs::write(folder.join(".tmp-0123"), "an interrupted creation").expect("a file");
    fs::create_dir(folder.join("keys")).expect("a folder");
    server.backend(&folder).check_vacant().expect("it counts as empty");
    fs::write(folder.join("letter"), "dear").expect("a file");
    occupied(&folder, "is not empty");
    fs::write(folder.join("yore.cbor"), "header").expect("a file");
    occupied(&folder, "holds a repository already");
    occupied(&folder.join("letter"), "is not a folder");
    server.backend(&folder.join("missing")).check_vacant().expect("it is not there");
    assert!(!folder.join("missing").exists());
}

#[test]
fn temporary_files_of_ended_writers_are_removed_by_the_clock_of_the_server() {
    let scratch = Scratch::new();
    let server = Sshd::start(&scratch);
    let folder = scratch.folder("repository");
    let backend = server.backend(&folder);
    save(&backend, &ObjectName::header(), b"header").expect("it is saved");
    save(&backend, &pack('a'), b"pack").expect("it is saved");
    let (young, old) = (folder.join("packs/aa/.tmp-7-1"), folder.join(".tmp-7-2"));
    for path in [&young, &old] {
        fs::write(path, "a part").expect("a file");
    }
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(8 * 24 * 60 * 60);
    let file = fs::File::options().write(true).open(&old).expect("a file");
    file.set_times(fs::FileTimes::new().set_modified(then)).expect("a time");
    backend.list(Area::Packs).expect("a list");
    let mut found = backend.unfinished().expect("a list");
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let found: Vec<_> =
        found.iter().map(|file| (file.name.as_str(), file.size, file.is_abandoned)).collect();
    assert_eq!(found, [(".tmp-7-2", 6, true), ("packs/aa/.tmp-7-1", 6, false)]);
    backend.remove_abandoned().expect("it is removed");
    assert!(young.exists() && !old.exists());
}

#[test]
fn the_space_of_the_server_is_told() {
    let scratch = Scratch::new();
    let server = Sshd::start(&scratch);
    let told = server.backend(scratch.path()).space().expect("an answer").expect("it is offered");
    let local = yore_platform::free_space(scratch.path()).expect("an answer");
    assert_eq!(told.total, local.total);
}

#[test]
fn a_read_only_folder_is_a_clear_error() {
    let scratch = Scratch::new();
    let settings = SshdSettings { sftp_arguments: "-R".into(), ..SshdSettings::default() };
    let server = Sshd::with(&scratch, "sshd", settings);
    let backend = server.backend(&scratch.folder("repository"));
    let error = save(&backend, &ObjectName::header(), b"header").expect_err("it is read-only");
    assert!(!error.is_temporary(), "{error:?}");
    assert!(error.with_cause().contains("permission denied"), "{}", error.with_cause());
}

#[test]
fn connections_end_with_the_backend() {
    let scratch = Scratch::new();
    let server = Sshd::start(&scratch);
    let backend = server.backend(scratch.path());
    backend.space().expect("an answer");
    assert!(!server.connections().is_empty());
    drop(backend);
    let began = std::time::Instant::now();
    while !server.connections().is_empty() {
        assert!(began.elapsed().as_secs() < 60, "the connection stays");
        std::thread::yield_now();
    }
}
