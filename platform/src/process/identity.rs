//! Who this process, this computer and this user are.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::fs;
use std::mem::MaybeUninit;

/// Returns words that name this process and no other of this computer, ever: the boot, the process
/// namespace, the number and the start time.
pub fn process_identity() -> String {
    let pid = std::process::id();
    let start = start_time(pid).unwrap_or_default();
    format!("{} {} {pid} {start}", boot(), namespace())
}

/// Tells whether the process that [`process_identity`] named still runs.
///
/// What can't be told, for instance because it ran in another container, counts as alive.
pub fn is_alive(identity: &str) -> bool {
    let mut words = identity.split(' ');
    let (Some(its_boot), Some(its_namespace)) = (words.next(), words.next()) else {
        return true;
    };
    let numbers = (words.next(), words.next());
    let (Some(Ok(pid)), Some(Ok(start))) =
        (numbers.0.map(str::parse::<u32>), numbers.1.map(str::parse::<u64>))
    else {
        return true;
    };
    if its_boot != boot() {
        return false;
    }
    its_namespace != namespace() || start_time(pid) == Some(start)
}

fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

fn namespace() -> String {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().replace(' ', "_")
}

/// Returns when a process started, in clock ticks since the boot; `None` when it is gone or a zombie.
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

    #[test]
    fn this_process_is_alive_and_a_finished_one_is_not() {
        let own = process_identity();
        assert!(is_alive(&own), "{own}");
        let (rest, start) = own.rsplit_once(' ').expect("four words");
        let start: u64 = start.parse().expect("a number");
        assert!(!is_alive(&format!("{rest} {}", start + 1)));
    }

    #[test]
    fn a_process_of_an_earlier_boot_is_not_alive() {
        let own = process_identity();
        let (_, rest) = own.split_once(' ').expect("four words");
        assert!(!is_alive(&format!("another-boot {rest}")));
    }

    #[test]
    fn what_cannot_be_told_counts_as_alive() {
        assert!(is_alive(""));
        assert!(is_alive("a b c d"));
    }

    #[test]
    fn computer_and_user_have_names() {
        assert!(!hostname().is_empty());
        assert!(!user_name().is_empty());
    }
}
