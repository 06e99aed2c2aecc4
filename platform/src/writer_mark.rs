//! The process that writes a durable file, or that made a snapshot of a file system, as the name tells it.

use crate::process::identity::boot_id_of;
use crate::sys::{has_ended, machine_digest, process_identity, process_mark};
use crate::temporary_name::{PREFIX, is_temporary};

/// Returns a name that this process may give to a file before it is published; `number` must be random.
pub fn temporary_name(number: u64) -> String {
    format!("{PREFIX}{}-{number:016x}", process_mark())
}

/// Tells whether a temporary name is that of a process of this machine that has ended, for sure.
pub fn writer_has_ended(name: &str) -> bool {
    let mark = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
    is_temporary(name) && mark.is_some_and(|(mark, _)| has_ended(mark))
}

/// The beginning of the name of each snapshot of a file system.
pub const VOLUME_SNAPSHOT_PREFIX: &str = ".yore-snapshot.";

/// Returns a name for a snapshot of a file system that this process makes: `<prefix><machine>.<boot>.<process>-<number>`.
pub fn volume_snapshot_name(number: u64) -> String {
    let (machine, boot) = system();
    format!("{VOLUME_SNAPSHOT_PREFIX}{machine}.{boot}.{}-{number:x}", process_mark())
}

/// Tells whether a name is that of a snapshot of a file system whose process has ended, for sure: it ran on this
/// machine, and before the last start of it or as a process that is gone.
pub fn volume_snapshot_is_left(name: &str) -> bool {
    let parts = name.strip_prefix(VOLUME_SNAPSHOT_PREFIX).and_then(|rest| {
        let (mark, number) = rest.rsplit_once('-')?;
        let _ = u64::from_str_radix(number, 16).ok()?;
        let (machine, rest) = mark.split_once('.')?;
        let (boot, process) = rest.split_once('.')?;
        let is_mark = process.split('.').count() == 3
            && process.split('.').all(|part| u64::from_str_radix(part, 16).is_ok());
        is_mark.then_some((machine, boot, process))
    });
    let (own_machine, own_boot) = system();
    let is_known = own_machine != UNKNOWN && own_boot != UNKNOWN;
    parts.is_some_and(|(machine, boot, process)| match boot == own_boot {
        true => has_ended(process),
        false => is_known && machine == own_machine && boot != UNKNOWN,
    })
}

/// The word for what the system does not tell.
const UNKNOWN: &str = "0";

/// Returns words for this machine and for its last start.
fn system() -> (String, String) {
    let identity = process_identity();
    let boot = boot_id_of(&identity).map(|boot| boot.replace('-', ""));
    let unknown = || UNKNOWN.to_owned();
    (machine_digest().unwrap_or_else(unknown), boot.unwrap_or_else(unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_name_tells_whether_its_process_has_ended() {
        let name = temporary_name(7);
        assert!(is_temporary(&name) && !writer_has_ended(&name));
        let (origin, rest) = process_mark()
            .split_once('.')
            .map_or_else(Default::default, |(a, b)| (a.to_owned(), b.to_owned()));
        let (pid, _) = rest.split_once('.').expect("three numbers");
        assert!(writer_has_ended(&format!("{PREFIX}{origin}.{pid}.1-0")));
        assert!(!writer_has_ended(&format!("{PREFIX}0000000000000007.{pid}.1-0")));
        assert!(!writer_has_ended("report"));
    }

    #[test]
    fn a_snapshot_is_left_when_its_process_or_its_boot_has_ended() {
        let name = volume_snapshot_name(1);
        assert!(
            name.starts_with(VOLUME_SNAPSHOT_PREFIX) && !volume_snapshot_is_left(&name),
            "{name}"
        );
        let rest = name.strip_prefix(VOLUME_SNAPSHOT_PREFIX).expect("it begins so");
        let parts: Vec<&str> = rest.split('.').collect();
        let [machine, boot, origin, pid, _] = parts.as_slice() else { panic!("{name}") };
        let of = |machine: &str, boot: &str, start: &str| {
            let process = format!("{origin}.{pid}.{start}");
            volume_snapshot_is_left(&format!("{VOLUME_SNAPSHOT_PREFIX}{machine}.{boot}.{process}"))
        };
        assert!(of(machine, boot, "1-1"), "of this boot, and gone");
        assert_eq!(of(machine, "abc", "1-1"), *machine != UNKNOWN, "of an earlier boot");
        assert!(!of("abc", "abc", "1-1"), "of another machine");
        assert!(!of(machine, UNKNOWN, "1-1"), "of a boot that is not known");
        for wrong in ["1", "1-", "1-x", "x-1", "1.1-1"] {
            assert!(!of(machine, "abc", wrong), "{wrong}");
        }
        assert!(!volume_snapshot_is_left(".yore-snapshot.mine"));
    }
}
