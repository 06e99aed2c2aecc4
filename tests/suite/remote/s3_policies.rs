//! Policies of users at a server that enforces them: append-only, and a prefix for each machine.

use std::fs;

use serde_json::json;
use yore_tests::{Action, BucketAt, Exchange, FaultyProxy, Moto, Yore, root, small_source};

/// Returns the policy in engine/S3.md for a prefix.
fn append_only(at: &BucketAt) -> String {
    let page = fs::read_to_string(root().join("engine/S3.md")).expect("the page");
    let policy = page.split("```json append-only").nth(1).expect("the page has the policy");
    let policy = policy.split("```").next().expect("its end");
    policy.replace("BUCKET", &at.bucket).replace("PREFIX", &at.prefix)
}

/// Makes a server with an administrator and the repository of a machine.
fn repository(moto: &Moto, yore: &Yore, prefix: &str) -> BucketAt {
    let at = moto.at(prefix);
    Yore::finish(&mut at.command(yore, &["init"])).assert_code(0);
    at
}

#[test]
fn a_machine_that_may_only_append_backs_up_restores_and_checks() {
    let (moto, yore) = (Moto::start(), Yore::new());
    let at = repository(&moto, &yore, "laptop");
    let keys = moto.add_user("laptop", &append_only(&at));
    let all = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]});
    let admin = at.with_keys(moto.add_user("admin", &all.to_string()));
    moto.enforce_policies();
    let machine = at.with_keys(keys);
    let source = yore.scratch.at("source");
    small_source(&source, 1);
    let run = |arguments: &[&str]| Yore::finish(&mut machine.command(&yore, arguments));
    run(&["backup", source.to_str().expect("text")]).assert_code(0);
    fs::write(source.join("added"), "more").expect("a file");
    run(&["backup", source.to_str().expect("text")]).assert_code(0);
    run(&["check", "--read-data"]).assert_code(0);
    let target = yore.scratch.at("target");
    run(&["restore", "latest", "--target", target.to_str().expect("text")]).assert_code(0);
    let restored = target.join(source.strip_prefix("/").expect("absolute")).join("added");
    assert_eq!(fs::read_to_string(restored).expect("it is restored"), "more");
    let listed = admin.s3("list_objects_v2", json!({"Prefix": "laptop/packs/"})).expect("a list");
    let pack = listed["Contents"][0]["Key"].as_str().expect("a pack").to_owned();
    let refused = machine.s3("delete_object", json!({"Key": pack}));
    assert_eq!(refused, Err("AccessDenied".into()));
    run(&["check", "--read-data"]).assert_code(0);
}

/// The conditions of the policy are Amazon's; this relay refuses what they refuse.
#[test]
fn every_request_that_creates_an_object_carries_the_condition_of_the_policy() {
    let (moto, yore) = (Moto::start(), Yore::new());
    let is_creation = |request: &Exchange| {
        let is_part = request.path.contains("partNumber=") || request.path.contains("?uploads");
        ["PUT", "POST"].contains(&request.method.as_str()) && !is_part
    };
    let relay = FaultyProxy::start(&moto.at("").endpoint, move |request| {
        match is_creation(request) && request.header("if-none-match") != Some("*") {
            true => Action::Refuse(403, "AccessDenied"),
            false => Action::Relay,
        }
    });
    let at = repository(&moto, &yore, "laptop").through(&relay.endpoint());
    let source = yore.scratch.folder("source");
    fs::write(source.join("large"), yore_tests::noise(20 << 20, 1)).expect("a file");
    Yore::finish(&mut at.command(&yore, &["backup", source.to_str().expect("text")]))
        .assert_code(0);
    Yore::finish(&mut at.command(&yore, &["check", "--read-data"])).assert_code(0);
    let seen = relay.seen();
    assert!(seen.iter().any(|request| request.path.contains("partNumber=")), "sent in parts");
    assert!(seen.iter().filter(|request| is_creation(request)).count() > 3);
}

#[test]
fn two_machines_with_a_prefix_each_do_not_reach_each_other() {
    let moto = Moto::start();
    let machines = ["laptop", "desktop"].map(|prefix| {
        let yore = Yore::new();
        let at = repository(&moto, &yore, prefix);
        let keys = moto.add_user(prefix, &append_only(&at));
        (yore, at.with_keys(keys))
    });
    moto.enforce_policies();
    for (yore, at) in &machines {
        let source = yore.scratch.folder("source");
        fs::write(source.join("whose"), &at.prefix).expect("a file");
        let words = ["backup", source.to_str().expect("text")];
        Yore::finish(&mut at.command(yore, &words)).assert_code(0);
        Yore::finish(&mut at.command(yore, &["check", "--read-data"])).assert_code(0);
    }
    let [(yore, laptop), (_, desktop)] = &machines;
    let elsewhere = laptop.at(&desktop.prefix);
    let refused = Yore::finish(&mut elsewhere.command(yore, &["snapshots"])).assert_code(1);
    assert!(refused.err.contains("the credentials do not allow it"), "{}", refused.err);
    let key = json!({"Key": "desktop/yore.cbor"});
    assert_eq!(laptop.s3("get_object", key.clone()), Err("AccessDenied".into()));
    let mut overwrite = key;
    overwrite["Body"] = json!("mine");
    assert_eq!(laptop.s3("put_object", overwrite), Err("AccessDenied".into()));
}
