//! Requests that are repeated: what is right after a failure, and when a failure is returned.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use yore_engine::Error;
use yore_engine::backend::{Backend, Outage, Patience, Published, Retry, RetryOptions, save};
use yore_engine::format::{Area, ObjectName};
use yore_tests::{Call, Fault, FaultKind, Faulty, Memory, Scratch, When, noise};

const PATIENCE: Patience = Patience {
    limit: Duration::from_secs(60),
    first_contact: Duration::from_secs(60),
    first_pause: Duration::from_micros(100),
    longest_pause: Duration::from_millis(1),
    silence: Duration::ZERO,
};

fn quiet(scratch: Option<PathBuf>) -> RetryOptions {
    RetryOptions {
        patience: PATIENCE,
        scratch,
        interrupted: Box::new(|| false),
        on_outage: Box::new(|_| {}),
    }
}

fn pack() -> ObjectName {
    let id = "ab".repeat(32);
    ObjectName::parse(Area::Packs, &format!("packs/ab/{id}")).expect("a name")
}

/// Repeats requests to a destination with a fault.
fn retried(fault: Fault, options: RetryOptions) -> (Arc<Memory>, Arc<Faulty>, Retry) {
    let memory = Arc::new(Memory::default());
    let faulty = Faulty::new(memory.clone(), fault);
    let retry = Retry::new(faulty.clone(), options);
    (memory, faulty, retry)
}

#[test]
fn an_object_is_written_whole_whatever_request_fails_and_wherever_its_bytes_are_kept() {
    let scratch = Scratch::new();
    let bytes = noise(3 << 20, 1);
    for folder in [None, Some(scratch.path().to_owned())] {
        for at in 0..12 {
            let kinds = [
                FaultKind::Once(ErrorKind::TimedOut, When::Before),
                FaultKind::Once(ErrorKind::ConnectionReset, When::After),
                FaultKind::Thrice(ErrorKind::ResourceBusy),
                FaultKind::TornAppend,
            ];
            for kind in kinds {
                let (memory, _, retry) = retried(Fault::At(at, kind), quiet(folder.clone()));
                let mut object = retry.create(&pack()).expect("begun");
                for piece in bytes.chunks(400_000) {
                    object.append(piece).expect("appended");
                }
                assert_eq!(
                    object.publish().expect("published"),
                    Published::Created,
                    "{kind:?} at {at}"
                );
                assert!(memory.get(pack().as_str()) == bytes, "{kind:?} at {at}");
                let mut object = retry.create(&pack()).expect("begun");
                object.append(b"healed").expect("appended");
                object.replace().expect("replaced");
                assert_eq!(memory.get(pack().as_str()), b"healed", "{kind:?} at {at}");
            }
        }
    }
    assert_eq!(std::fs::read_dir(scratch.path()).expect("a folder").count(), 0);
}

#[test]
fn of_two_creators_the_one_whose_bytes_are_stored_has_created_the_object_even_if_its_answer_is_lost()
 {
    let lost = FaultKind::Once(ErrorKind::ConnectionReset, When::After);
    // Call 2 is the publish, after create and append.
    let (memory, faulty, retry) = retried(Fault::At(2, lost), quiet(None));
    assert_eq!(save(&retry, &pack(), b"commit").expect("saved"), Published::Created);
    assert_eq!(memory.get(pack().as_str()), b"commit");
    let again = faulty.calls().iter().filter(|call| matches!(call, Call::Create(_))).count();
    assert_eq!(again, 1, "what is stored is not sent again");
    for others in [b"aborts".as_slice(), b"abort"] {
        for fault in [Fault::None, Fault::At(2, lost)] {
            let (memory, _, retry) = retried(fault, quiet(None));
            memory.put(pack().as_str(), others.to_vec());
            assert_eq!(save(&retry, &pack(), b"commit").expect("answered"), Published::Exists);
            assert_eq!(memory.get(pack().as_str()), others);
        }
    }
}

#[test]
fn a_permanent_error_is_returned_at_once_and_a_temporary_one_when_the_patience_is_used_up() {
    for error in [ErrorKind::PermissionDenied, ErrorKind::StorageFull, ErrorKind::Other] {
        let fault = Fault::At(0, FaultKind::WritesFail(error));
        let (_, faulty, retry) = retried(fault, quiet(None));
        let failed = save(&retry, &pack(), b"x").expect_err("permanent");
        assert!(matches!(&failed, Error::Backend { source, .. } if source.kind() == error));
        assert_eq!(faulty.calls().len(), 1);
    }
    let fault = Fault::At(0, FaultKind::WritesFail(ErrorKind::TimedOut));
    let limit = Duration::from_millis(5);
    let patience = Patience { limit, first_contact: limit, ..PATIENCE };
    let (memory, faulty, retry) = retried(fault, RetryOptions { patience, ..quiet(None) });
    let failed = save(&retry, &pack(), b"x").expect_err("for too long");
    assert!(failed.is_temporary(), "{failed}");
    assert!(faulty.calls().len() > 1 && memory.names().is_empty());
    // The verdict of a backup that has failed does not wait as long again.
    faulty.forget_calls();
    let failed = save(&retry, &pack(), b"x").expect_err("given up");
    assert!(failed.is_temporary() && faulty.calls().len() == 1, "{failed}");
}

#[test]
fn a_destination_that_never_answered_is_given_up_sooner_than_one_that_did() {
    let patience = Patience { first_contact: Duration::from_millis(5), ..PATIENCE };
    let options = || RetryOptions { patience, ..quiet(None) };
    let kind = FaultKind::WritesFail(ErrorKind::HostUnreachable);
    let (_, faulty, retry) = retried(Fault::At(0, kind), options());
    let failed = save(&retry, &pack(), b"x").expect_err("it never answered");
    assert!(failed.is_temporary(), "{failed}");
    // With the patience of later requests it would be asked thousands of times.
    assert!((2..100).contains(&faulty.calls().len()), "{} calls", faulty.calls().len());
    // Three failures take longer than the first contact may, and are waited out after an answer.
    let pause = Patience { first_pause: Duration::from_millis(10), ..patience };
    let fault = Fault::At(1, FaultKind::Thrice(ErrorKind::HostUnreachable));
    let (_, _, retry) = retried(fault, RetryOptions { patience: pause, ..quiet(None) });
    for _ in 0..2 {
        assert_eq!(retry.size(&pack()).expect("answered"), None);
    }
    assert_eq!(retry.disturbances(), 3);
}

#[test]
fn an_outage_is_reported_once_and_so_is_its_end() {
    let reports: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&reports);
    let on_outage = Box::new(move |outage: Outage<'_>| {
        let text = match outage {
            Outage::Waiting { location, error } => format!("{location}: {}", error.with_cause()),
            Outage::Over { location, .. } => format!("{location} is back"),
        };
        heard.lock().expect("no test panicked").push(text);
    });
    let fault = Fault::At(1, FaultKind::Thrice(ErrorKind::HostUnreachable));
    let (_, _, retry) = retried(fault, RetryOptions { on_outage, ..quiet(None) });
    for _ in 0..4 {
        assert_eq!(retry.size(&pack()).expect("answered"), None);
    }
    let reports = reports.lock().expect("no test panicked");
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(reports[0].starts_with("memory: ") && reports[0].contains("a fault of the test"));
    assert_eq!(reports[1], "memory is back");
    assert_eq!(retry.disturbances(), 3);
}

#[test]
fn a_wait_ends_when_it_is_interrupted() {
    let fault = Fault::At(0, FaultKind::WritesFail(ErrorKind::TimedOut));
    let waits = Arc::new(AtomicBool::new(false));
    let (waiting, patience) =
        (Arc::clone(&waits), Patience { first_pause: Duration::from_secs(3600), ..PATIENCE });
    let options = RetryOptions {
        patience: Patience { first_contact: Duration::from_secs(7200), ..patience },
        interrupted: Box::new(move || waiting.load(Ordering::Relaxed)),
        ..quiet(None)
    };
    let (_, faulty, retry) = retried(fault, options);
    std::thread::scope(|scope| {
        let saved = scope.spawn(|| save(&retry, &pack(), b"x"));
        while faulty.calls().is_empty() {
            std::thread::yield_now();
        }
        waits.store(true, Ordering::Relaxed);
        let interrupted = saved.join().expect("it returns");
        assert!(matches!(interrupted, Err(Error::Interrupted)), "{interrupted:?}");
    });
}

#[test]
fn a_read_that_ends_early_is_repeated_once() {
    let (memory, faulty, retry) = retried(Fault::At(0, FaultKind::ShortRead), quiet(None));
    memory.put(pack().as_str(), b"some bytes".to_vec());
    assert_eq!(*retry.read(&pack(), 0..10).expect("read again"), *b"some bytes");
    faulty.forget_calls();
    let short = retry.read(&pack(), 0..11).map(|bytes| bytes.len());
    assert!(matches!(short, Err(Error::Damaged { .. })), "{short:?}");
    assert_eq!(faulty.calls().len(), 2);
}
