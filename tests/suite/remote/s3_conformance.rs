//! The suite that every backend must pass, run for buckets at servers of different habits, and the probes that
//! tell them apart.

use std::sync::atomic::{AtomicU64, Ordering};

use yore_engine::backend::{Backend, Guarantee, probe_create_if_absent, save};
use yore_engine::format::ObjectName;
#[cfg(feature = "garage")]
use yore_tests::Garage;
use yore_tests::{BucketAt, Moto, S3s, conformance, conforms};

/// Returns a prefix that no other test uses.
fn new_prefix() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("checks/{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn at_moto(check: &dyn Fn(&dyn Backend)) {
    let moto = Moto::shared();
    check(&moto.at(&new_prefix()).backend(Guarantee::Kept));
}

fn at_s3s(check: &dyn Fn(&dyn Backend)) {
    let s3s = S3s::start();
    check(&s3s.at("").backend(Guarantee::Unprobed));
}

#[cfg(feature = "garage")]
fn at_garage(check: &dyn Fn(&dyn Backend)) {
    let garage = Garage::start();
    check(&garage.at("a/prefix").backend(Guarantee::Broken));
}

conforms!(moto, at_moto);
conforms!(s3s, at_s3s);
#[cfg(feature = "garage")]
conforms!(garage, at_garage);

/// Stands in the list of tests where Garage's tests are not, so that their absence shows.
#[cfg(not(feature = "garage"))]
#[test]
fn garage_is_not_built_here_and_its_tests_are_not_in_this_run() {
    assert_eq!(std::env::var_os("YORE_GARAGE"), None, "with Garage, --features garage is needed");
}

#[test]
fn two_hundred_and_fifty_six_mebibytes_keep_their_bytes() {
    at_s3s(&conformance::two_hundred_and_fifty_six_mebibytes_keep_their_bytes);
}

/// Returns what the two probes find: the header published once more, and a race.
fn probes(at: &BucketAt) -> [Guarantee; 2] {
    let backend = at.backend(Guarantee::Unprobed);
    save(&backend, &ObjectName::header(), b"header").expect("it is saved");
    let found = [probe_create_if_absent(&backend), backend.probe_race()];
    assert_eq!(*backend.read(&ObjectName::header(), 0..6).expect("it is there"), *b"header");
    found.map(|found| found.expect("an answer"))
}

/// Its threads look for an object and then write it, within one turn of Python's interpreter: on a busy machine a turn
/// may end in between, and the probe rightly says so.
#[test]
fn the_probes_find_that_moto_keeps_create_if_absent() {
    let moto = Moto::shared();
    let mut attempts = (0..5).map(|_| probes(&moto.at(&new_prefix())));
    assert!(attempts.any(|found| found == [Guarantee::Kept, Guarantee::Kept]));
}

/// It looks for the object and then writes, which only a race shows.
#[test]
fn the_probe_by_a_race_finds_that_s3s_does_not_keep_create_if_absent() {
    assert_eq!(probes(&S3s::start().at("")), [Guarantee::Kept, Guarantee::Broken]);
}

#[cfg(feature = "garage")]
#[test]
fn the_probes_find_that_garage_does_not_keep_create_if_absent() {
    assert_eq!(probes(&Garage::start().at("")), [Guarantee::Broken, Guarantee::Broken]);
}
