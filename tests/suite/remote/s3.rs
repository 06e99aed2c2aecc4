//! Repositories in a bucket, as people use them: the program, large objects, retention, headers.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use yore_engine::backend::s3::{LockMode, ObjectLock, S3, S3Options, ServerEncryption};
use yore_engine::backend::{Backend, Guarantee, Published, save};
use yore_engine::format::ObjectName;
use yore_engine::{Error, Refusal};
use yore_platform::Timestamp;
use yore_tests::{BucketAt, Moto, S3s, Yore, noise, small_source};

/// Returns the name of a pack.
fn pack(number: u8) -> ObjectName {
    let id = format!("{number:02x}{}", "0".repeat(62));
    ObjectName::parse(yore_engine::format::Area::Packs, &format!("packs/{}/{id}", &id[..2]))
        .expect("a name")
}

/// Makes a repository, and uses every command that reads or writes one.
fn use_the_program(at: &BucketAt) {
    let yore = Yore::new();
    let run = |arguments: &[&str]| Yore::finish(&mut at.command(&yore, arguments));
    let none = run(&["snapshots"]).assert_code(10);
    assert!(none.err.contains(&format!("s3://{}/", at.bucket)), "{}", none.err);
    run(&["init"]).assert_code(0);
    run(&["init"]).assert_code(1);
    let source = yore.scratch.at("source");
    small_source(&source, 1);
    let path = source.to_str().expect("text");
    run(&["backup", path]).assert_code(0);
    fs::write(source.join("added"), noise(10 << 20, 1)).expect("a file");
    run(&["backup", path]).assert_code(0);
    let snapshots = run(&["snapshots", "--json"]).assert_code(0).objects();
    assert_eq!(snapshots.iter().filter(|line| line["type"] == "snapshot").count(), 2);
    run(&["check", "--read-data"]).assert_code(0);
    let target = yore.scratch.at("target");
    run(&["restore", "latest", "--target", target.to_str().expect("text")]).assert_code(0);
    let inside = source.strip_prefix("/").expect("absolute");
    yore_tests::assert_same_tree(&source, &target.join(inside));
    let drive = yore.scratch.folder("drive");
    let folder = drive.to_str().expect("text");
    run(&["mount", "--detach", folder]).assert_code(0);
    let read = fs::read(drive.join("latest").join(inside).join("added"));
    run(&["umount", folder]).assert_code(0);
    assert!(read.expect("it is in the drive") == noise(10 << 20, 1));
}

#[test]
fn the_program_keeps_a_repository_at_moto() {
    use_the_program(&Moto::shared().at("a/laptop"));
}

#[test]
fn the_program_keeps_a_repository_at_s3s() {
    use_the_program(&S3s::start().at("laptop"));
}

#[cfg(feature = "garage")]
#[test]
fn the_program_keeps_a_repository_at_garage() {
    use_the_program(&yore_tests::Garage::start().at("laptop"));
}

#[test]
fn an_upload_in_parts_that_is_given_up_leaves_nothing() {
    let moto = Moto::start();
    let at = moto.at("a");
    let backend = at.backend(Guarantee::Kept);
    let bytes = noise(20 << 20, 1);
    let begin = |number| {
        let mut object = backend.create(&pack(number)).expect("it begins");
        object.append(&bytes).expect("it is appended");
        object
    };
    let (dropped, killed) = (begin(1), begin(2));
    assert_eq!(backend.unfinished().expect("a list").len(), 2);
    drop(dropped);
    std::mem::forget(killed);
    let left = backend.unfinished().expect("a list");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].name, pack(2).as_str());
    assert!(!left[0].is_abandoned, "this process may still finish it");
    backend.remove_abandoned().expect("nothing is removed");
    assert_eq!(backend.unfinished().expect("a list").len(), 1);
    // moto dates every upload to 2010, so to another process this one is abandoned.
    let other = at.backend(Guarantee::Kept);
    assert!(other.unfinished().expect("a list")[0].is_abandoned);
    other.remove_abandoned().expect("it is removed");
    assert_eq!(other.unfinished().expect("a list"), []);
    begin(3).replace().expect("it is written");
    assert_eq!(begin(3).publish().expect("it is refused"), Published::Exists);
    assert_eq!(other.unfinished().expect("a list"), []);
    assert!(*backend.read(&pack(3), 0..bytes.len() as u64).expect("it is there") == *bytes);
}

#[test]
fn storage_class_and_encryption_are_asked_for_by_kind_of_object() {
    let moto = Moto::shared();
    let at = moto.at("classes");
    let backend = S3::new(S3Options {
        class: Some("STANDARD_IA".into()),
        pack_class: Some("GLACIER_IR".into()),
        encryption: ServerEncryption::Store,
        ..at.options(Guarantee::Kept)
    });
    save(&backend, &ObjectName::header(), b"header").expect("it is saved");
    save(&backend, &pack(1), b"small").expect("it is saved");
    save(&backend, &pack(2), &noise(9 << 20, 1)).expect("it is saved");
    for (name, class) in
        [(ObjectName::header(), "STANDARD_IA"), (pack(1), "GLACIER_IR"), (pack(2), "GLACIER_IR")]
    {
        let key = json!({"Key": format!("classes/{name}")});
        let head = at.s3("head_object", key).expect("it is there");
        assert_eq!(head["StorageClass"], class, "{name}");
        assert_eq!(head["ServerSideEncryption"], "AES256", "{name}");
        assert_eq!(head["Metadata"]["write"].as_str().map(str::len), Some(32), "{name}");
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("a time")
}

#[test]
fn locked_objects_can_not_be_deleted_and_their_retention_only_grows() {
    let moto = Moto::shared();
    let at = moto.bucket_with_lock("locked");
    let lock = ObjectLock { mode: LockMode::Compliance, days: 30 };
    let backend = S3::new(S3Options { lock: Some(lock), ..at.options(Guarantee::Kept) });
    save(&backend, &ObjectName::header(), b"header").expect("it is saved");
    save(&backend, &pack(1), &noise(9 << 20, 1)).expect("it is saved");
    assert_eq!(backend.probe_lock().expect("an answer"), Guarantee::Kept);
    for name in [ObjectName::header(), pack(1)] {
        let until = backend.retained_until(&name).expect("an answer").expect("it is locked");
        assert!((until - now() - 30 * 86_400).abs() < 3_600, "{name} until {until}");
        let head = at.s3("head_object", json!({"Key": name.as_str()})).expect("it is there");
        assert_eq!(head["ObjectLockMode"], "COMPLIANCE", "{name}");
        let version = json!({"Key": name.as_str(), "VersionId": head["VersionId"]});
        assert_eq!(at.s3("delete_object", version), Err("AccessDenied".into()), "{name}");
        let later = Timestamp { seconds: until + 86_400, nanos: 0 };
        backend.retain_until(&name, later).expect("it is extended");
        assert_eq!(backend.retained_until(&name).expect("an answer"), Some(later.seconds));
        let earlier = backend.retain_until(&name, Timestamp { seconds: until, nanos: 0 });
        let is_refused = matches!(earlier, Err(Error::Refused(Refusal::RetentionShortened { .. })));
        assert!(is_refused, "{earlier:?}");
        assert_eq!(backend.retained_until(&name).expect("an answer"), Some(later.seconds));
    }
}

#[test]
fn a_bucket_without_object_lock_is_found_not_to_keep_it() {
    let moto = Moto::shared();
    let backend = moto.at("unlocked").backend(Guarantee::Kept);
    save(&backend, &ObjectName::header(), b"header").expect("it is saved");
    assert_eq!(backend.probe_lock().expect("an answer"), Guarantee::Broken);
}

#[cfg(feature = "garage")]
#[test]
fn garage_is_found_to_forget_retentions() {
    let garage = yore_tests::Garage::start();
    let lock = ObjectLock { mode: LockMode::Compliance, days: 30 };
    let options = garage.at("").options(Guarantee::Broken);
    let backend = S3::new(S3Options { lock: Some(lock), ..options });
    save(&backend, &ObjectName::header(), b"header").expect("it accepts the headers");
    assert_eq!(backend.probe_lock().expect("an answer"), Guarantee::Broken);
}
