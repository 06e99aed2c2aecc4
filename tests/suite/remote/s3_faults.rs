//! What bad input gets at a bucket: clear errors for what is wrong for good, repetition of what passes.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use yore_engine::Error;
use yore_engine::backend::s3::{Patience, S3, S3Options};
use yore_engine::backend::{Backend, Guarantee, Published, probe_create_if_absent, save};
use yore_engine::format::{Area, ObjectId, ObjectName};
use yore_tests::{Action, BucketAt, Ended, Exchange, FaultyProxy, Moto, S3s, Yore, binary, noise};

/// A pack of these bytes is sent in parts.
const LARGE: usize = 9 << 20;

fn pack() -> ObjectName {
    let text = format!("packs/ab/ab{}", "0".repeat(62));
    ObjectName::parse(Area::Packs, &text).expect("a name")
}

/// Makes a backend that gives up soon.
fn hasty(at: &BucketAt) -> S3 {
    let patience = Patience { attempts: 3, upload_attempts: 3, ..Patience::default() };
    S3::new(S3Options { patience, ..at.options(Guarantee::Kept) })
}

/// Spoils the first `count` requests that fit.
fn first(
    count: usize,
    fits: impl Fn(&Exchange) -> bool + Send + Sync + 'static,
    action: Action,
) -> impl Fn(&Exchange) -> Action + Send + Sync + 'static {
    let spoiled = AtomicUsize::new(0);
    move |request| {
        let spoils = fits(request) && spoiled.fetch_add(1, Ordering::SeqCst) < count;
        if spoils { action.clone() } else { Action::Relay }
    }
}

fn is(method: &'static str) -> impl Fn(&Exchange) -> bool + Send + Sync + 'static {
    move |request| request.method == method
}

#[test]
fn half_a_body_is_read_again_and_never_a_short_success() {
    let moto = Moto::shared();
    let at = moto.at("half");
    let bytes = noise(100_000, 1);
    save(&at.backend(Guarantee::Kept), &pack(), &bytes).expect("it is saved");
    let once = FaultyProxy::start(&at.endpoint, first(2, is("GET"), Action::HalfOfBody));
    let backend = hasty(&at.through(&once.endpoint()));
    assert!(*backend.read(&pack(), 10..90_000).expect("it is read again") == bytes[10..90_000]);
    let always = FaultyProxy::start(&at.endpoint, |_| Action::HalfOfBody);
    let failed = hasty(&at.through(&always.endpoint())).read(&pack(), 10..90_000);
    let Err(error) = failed else { panic!("half of a body is no success") };
    assert!(error.is_temporary(), "{error:?}");
}

#[test]
fn a_busy_server_is_asked_again_and_a_busy_minute_is_a_temporary_error() {
    let moto = Moto::shared();
    let at = moto.at("busy");
    for (status, code) in [(503, "SlowDown"), (500, "InternalError"), (409, "OperationAborted")] {
        let busy = first(2, |_| true, Action::Refuse(status, code));
        let relay = FaultyProxy::start(&at.endpoint, busy);
        let backend = hasty(&at.through(&relay.endpoint()));
        let saved = save(&backend, &pack(), b"x").expect("it is saved in the end");
        assert_eq!(saved, Published::Created, "{code}");
        backend.delete(&pack()).expect("it is deleted");
    }
    let relay = FaultyProxy::start(&at.endpoint, |_| Action::Refuse(503, "SlowDown"));
    let backend = hasty(&at.through(&relay.endpoint()));
    let errors = [
        backend.list(Area::Packs).err(),
        backend.read(&pack(), 0..1).err(),
        backend.size(&pack()).err(),
        save(&backend, &pack(), b"x").err(),
        save(&backend, &pack(), &noise(LARGE, 1)).err(),
    ];
    for error in errors {
        let error = error.expect("it is busy");
        assert!(error.is_temporary() && error.with_cause().contains("503"), "{error:?}");
    }
}

#[test]
fn a_writer_whose_answer_was_lost_knows_its_own_object() {
    let moto = Moto::shared();
    let creates = |request: &Exchange| request.header("if-none-match").is_some();
    for (prefix, bytes) in [("lost/small", noise(100, 1)), ("lost/large", noise(LARGE, 1))] {
        let at = moto.at(prefix);
        let relay = FaultyProxy::start(&at.endpoint, first(1, creates, Action::LoseAnswer));
        let backend = hasty(&at.through(&relay.endpoint()));
        let saved = save(&backend, &pack(), &bytes).expect("it is saved");
        assert_eq!(saved, Published::Created, "{prefix}");
        assert_eq!(save(&backend, &pack(), &bytes).expect("an answer"), Published::Exists);
        assert!(*backend.read(&pack(), 0..bytes.len() as u64).expect("it is there") == *bytes);
        assert_eq!(backend.unfinished().expect("a list"), []);
    }
}

#[test]
fn a_server_that_ignores_or_does_not_know_the_condition_is_found_by_the_probe() {
    let moto = Moto::shared();
    let refuses = |request: &Exchange| match request.header("if-none-match") {
        Some(_) => Action::Refuse(501, "NotImplemented"),
        None => Action::Relay,
    };
    let ignores = |_: &Exchange| Action::Without("if-none-match");
    let at = moto.at("ignores");
    let ignoring = FaultyProxy::start(&at.endpoint, ignores);
    let refusing = FaultyProxy::start(&at.endpoint, refuses);
    for (prefix, relay) in [("ignores", ignoring), ("refuses", refusing)] {
        let at = moto.at(prefix).through(&relay.endpoint());
        let backend = at.backend(Guarantee::Unprobed);
        save(&backend, &ObjectName::header(), b"header").expect("it is saved");
        let found = probe_create_if_absent(&backend).expect("an answer");
        assert_eq!(found, Guarantee::Broken, "{prefix}");
        for bytes in [noise(100, 1), noise(LARGE, 1)] {
            // A name that another writer may give, too.
            let name = ObjectName::verdict(ObjectId([1; 32]));
            backend.delete(&name).expect("it is deleted");
            let saved = save(&backend, &name, &bytes).expect("it is saved");
            assert_eq!(saved, Published::Created, "{prefix}");
            let again = save(&backend, &name, b"other").expect("an answer");
            assert_eq!(again, Published::Exists, "found without the condition, {prefix}");
        }
    }
}

#[test]
fn a_missing_bucket_and_wrong_keys_are_told_and_permanent() {
    let s3s = S3s::start();
    let moto = Moto::shared();
    let missing = BucketAt { bucket: "nowhere".into(), ..moto.at("") };
    let unknown = s3s.at("").with_keys(["NOBODY".into(), "SECRET".into()]);
    let wrong = s3s.at("").with_keys(["ACCESS".into(), "a-wrong-secret".into()]);
    for (at, text) in [
        (missing, "there is no bucket nowhere"),
        (unknown, "the server does not know the access key"),
        (wrong, "the secret key does not belong to the access key"),
    ] {
        let backend = hasty(&at);
        let errors = [
            backend.size(&ObjectName::header()).err(),
            backend.list(Area::Packs).err(),
            backend.read(&pack(), 0..1).err(),
            backend.prepare().err(),
        ];
        for error in errors {
            let error = error.expect("it fails");
            assert!(!error.is_temporary() && !matches!(error, Error::Missing { .. }), "{error:?}");
            let told = error.with_cause();
            assert!(told.contains(text), "{told}");
            assert!(!told.contains("a-wrong-secret") && !told.contains("NOBODY"), "{told}");
        }
    }
}

#[test]
fn a_server_that_is_not_there_is_a_temporary_error() {
    let nobody = BucketAt { endpoint: "http://127.0.0.1:1".into(), ..Moto::shared().at("") };
    let unknown = BucketAt { endpoint: "http://name.invalid".into(), ..nobody.clone() };
    for at in [nobody, unknown] {
        let error = hasty(&at).list(Area::Packs).expect_err("nobody answers");
        assert!(error.is_temporary(), "{error:?}");
    }
}

/// Runs the program with a clock that is a year ahead.
fn a_year_ahead(at: &BucketAt, yore: &Yore, arguments: &[&str]) -> Ended {
    let prepared = at.command(yore, arguments);
    let mut command = Command::new("faketime");
    command.args(["-f", "+365d"]).arg(binary()).args(prepared.get_args());
    command.env_clear().current_dir(yore.scratch.path());
    command.envs(prepared.get_envs().filter_map(|(key, value)| Some((key, value?))));
    Yore::finish(&mut command)
}

#[test]
fn a_clock_that_is_a_year_off_is_told_or_corrected() {
    let (s3s, yore) = (S3s::start(), Yore::new());
    let at = s3s.at("laptop");
    Yore::finish(&mut at.command(&yore, &["init"])).assert_code(0);
    let ended = a_year_ahead(&at, &yore, &["snapshots"]);
    let told = ended.err.contains("this machine's clock is 365 days ahead of the server's")
        || ended.err.contains("this machine's clock is 364 days ahead of the server's");
    assert!(ended.code == Some(0) || (ended.code == Some(1) && told), "{ended:#?}");
}

#[test]
fn the_program_tells_what_is_wrong_with_a_bucket_and_what_to_do() {
    let (s3s, yore) = (S3s::start(), Yore::new());
    let wrong = s3s.at("x").with_keys(["ACCESS".into(), "hidden-secret".into()]);
    let missing = BucketAt { bucket: "nowhere".into(), ..s3s.at("x") };
    for (at, what, hint) in [
        (wrong, "the secret key does not belong", "YORE_S3_CREDENTIALS_COMMAND"),
        (missing, "there is no bucket nowhere", "make the bucket"),
    ] {
        for command in ["init", "snapshots"] {
            let ended = Yore::finish(&mut at.command(&yore, &[command])).assert_code(1);
            assert!(ended.err.contains(what) && ended.err.contains(hint), "{}", ended.err);
            assert!(!ended.err.contains("hidden-secret"), "{}", ended.err);
        }
    }
}

#[test]
fn credentials_come_from_a_command_and_without_any_that_is_told() {
    let (s3s, yore) = (S3s::start(), Yore::new());
    let at = s3s.at("laptop");
    let without_keys = |line: Option<String>| {
        let mut command = at.command(&yore, &["init"]);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        command.envs(line.map(|line| ("YORE_S3_CREDENTIALS_COMMAND", line)));
        Yore::finish(&mut command)
    };
    let none = without_keys(None).assert_code(1);
    assert!(none.err.contains("no credentials were found"), "{}", none.err);
    let broken = without_keys(Some("echo hidden-output; exit 1".into())).assert_code(1);
    assert!(broken.err.contains("could not be loaded"), "{}", broken.err);
    assert!(!broken.err.contains("hidden-output"), "{}", broken.err);
    let keys = json!({"Version": 1, "AccessKeyId": at.access, "SecretAccessKey": at.secret});
    without_keys(Some(format!("printf '%s' '{keys}'"))).assert_code(0);
}

#[test]
fn a_stalled_server_ends_in_a_temporary_error() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let at = BucketAt { endpoint: format!("http://127.0.0.1:{port}"), ..Moto::shared().at("") };
    let patience = Patience {
        answer: Duration::from_millis(300),
        upload: Duration::from_millis(300),
        attempts: 2,
        upload_attempts: 2,
        ..Patience::default()
    };
    // The connection is accepted by the system, and nobody answers.
    let backend = S3::new(S3Options { patience, ..at.options(Guarantee::Kept) });
    for error in [backend.list(Area::Packs).err(), save(&backend, &pack(), b"x").err()] {
        let error = error.expect("nobody answers");
        assert!(error.is_temporary(), "{error:?}");
    }
}
