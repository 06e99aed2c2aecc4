//! The names of this process, this computer and this user.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::fs;
use std::mem::MaybeUninit;

use crate::process::identity::{Origin, digest_of_machine};

/// The file with the id of the system (machine-id(5)).
const MACHINE: &str = "/etc/machine-id";

/// Returns where this process runs.
fn origin() -> Origin {
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    Origin::new(
        &read_trimmed("/proc/sys/kernel/random/boot_id"),
        &namespace.to_string_lossy(),
        &read_trimmed(MACHINE),
        &hostname(),
    )
}

/// Returns words that name this process and no other, ever: the boot, the process namespace, the number,
/// the start time, the machine and its name.
pub fn process_identity() -> String {
    let pid = std::process::id();
    origin().identity(pid, start_time(pid).unwrap_or_default())
}

/// Tells whether the process that [`process_identity`] named may still run.
///
/// Only the machine, boot and container in which it ran know that it ended. Whatever is named from
/// elsewhere counts as alive: another boot may be that of a copied virtual machine.
pub fn is_alive(identity: &str) -> bool {
    origin().is_alive(identity, may_run)
}

/// Returns a word for this machine, the same after each boot; `None` where the system has none.
///
/// The machine's id can't be found from it, and machines that were copied may have the same.
pub fn machine_digest() -> Option<String> {
    digest_of_machine(&read_trimmed(MACHINE))
}

/// Returns the mark of this process for the names of files: three numbers, from which nothing of this
/// machine can be found.
pub(crate) fn process_mark() -> String {
    let pid = std::process::id();
    origin().mark(pid, start_time(pid).unwrap_or_default())
}

/// Tells whether the process that [`process_mark`] named has ended, for sure.
pub(crate) fn has_ended(mark: &str) -> bool {
    origin().has_ended(mark, may_run)
}

/// Tells whether a process of this system that began then may still run.
fn may_run(pid: u32, start: u64) -> bool {
    match start_time(pid) {
        Some(found) => found == start,
        // `/proc` may hide the processes of other users (`hidepid`).
        None => {
            let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
            pid.is_some_and(|pid| {
                rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::PERM)
            })
        }
    }
}

fn read_trimmed(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// Returns when a process started, in clock ticks since the boot; `None` when it has ended or is a zombie.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may hold blanks and parentheses.
    let end_of_name = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = String::from_utf8_lossy(stat.get(end_of_name + 1..)?);
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    // `starttime` is field 22 and `state` field 3.
    fields.nth(18)?.parse().ok()
}

/// Returns the name of this computer.
pub fn hostname() -> String {
    let system = rustix::system::uname();
    system.nodename().to_string_lossy().into_owned()
}

/// Returns the name of the user who runs this process, or the number where there is no name.
pub fn user_name() -> String {
    let uid = rustix::process::getuid().as_raw();
    name_of(uid).unwrap_or_else(|| uid.to_string())
}

fn name_of(uid: u32) -> Option<String> {
    let mut text = vec![0; 16 * 1024];
    let mut record = MaybeUninit::<libc::passwd>::zeroed();
    let mut found = std::ptr::null_mut();
    // SAFETY: `text` and its length belong together, and both outlive what points into them.
    let status = unsafe {
        libc::getpwuid_r(uid, record.as_mut_ptr(), text.as_mut_ptr(), text.len(), &raw mut found)
    };
    if status != 0 || found.is_null() {
        return None;
    }
    // SAFETY: `found` points to `record`, filled in, whose name is a C string within `text`.
    let name = unsafe { CStr::from_ptr((*found).pw_name) };
    Some(name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The identity of this process with one of its words replaced.
    fn with(word: usize, other: &str) -> String {
        let own = process_identity();
        let mut words: Vec<&str> = own.split(' ').collect();
        words[word] = other;
        words.join(" ")
    }

    #[test]
    fn this_process_is_alive_and_a_finished_one_is_not() {
        let own = process_identity();
        assert!(is_alive(&own), "{own}");
        assert_eq!(own.split(' ').count(), 6, "{own}");
        assert!(!is_alive(&with(3, "1")));
        let of_an_earlier_version: Vec<String> =
            [own.clone(), with(3, "1")].iter().map(|identity| first_four(identity)).collect();
        assert!(is_alive(&of_an_earlier_version[0]));
        assert!(!is_alive(&of_an_earlier_version[1]));
    }

    fn first_four(identity: &str) -> String {
        identity.split(' ').take(4).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_mark_tells_what_an_identity_tells() {
        let own = process_mark();
        assert!(!has_ended(&own), "{own}");
        let (origin, rest) = own.split_once('.').expect("three numbers");
        let (pid, _) = rest.split_once('.').expect("three numbers");
        assert!(has_ended(&format!("{origin}.{pid}.1")));
        assert!(!has_ended(&format!("{:016x}.{pid}.1", 7)), "it ran elsewhere");
        for nonsense in ["", "a", "a.b", "x.1.1", &format!("{origin}.{pid}.1.1")] {
            assert!(!has_ended(nonsense), "{nonsense}");
        }
    }

    #[test]
    fn a_process_of_another_boot_container_machine_or_host_cannot_be_told() {
        // The start is another: here, the process would be known to have ended.
        for word in [0, 1, 4, 5] {
            let mut words: Vec<String> =
                with(word, "other").split(' ').map(str::to_owned).collect();
            words[3] = "1".into();
            assert!(is_alive(&words.join(" ")), "word {word}");
        }
    }

    #[test]
    fn what_cannot_be_told_counts_as_alive() {
        for identity in ["", "a b c d", "a b 1 2 c", "a b 1 2 c d e"] {
            assert!(is_alive(identity), "{identity}");
        }
    }

    #[test]
    fn computer_and_user_have_names() {
        assert!(!hostname().is_empty());
        assert!(!user_name().is_empty());
    }
}
