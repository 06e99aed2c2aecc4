//! The process that writes a durable file, as its temporary name tells it.

use crate::sys::{has_ended, process_mark};
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
}
