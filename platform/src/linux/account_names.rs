//! The names of users and groups.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use crate::metadata::Owner;

/// The names of users and groups by number and back, each read from the system once.
///
/// Names are bytes. A number or a name that the system does not know, or can't look up now, gives
/// `None`, which is remembered likewise.
#[derive(Default)]
pub struct AccountNames {
    users: Table,
    groups: Table,
}

#[derive(Default)]
struct Table {
    names: Cache<u32, Arc<[u8]>>,
    numbers: Cache<Vec<u8>, u32>,
}

/// Guards known names alone; it is not held while the system is called.
struct Cache<K, V>(Mutex<HashMap<K, Option<V>>>);

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    fn get(&self, key: K, ask: impl FnOnce(&K) -> Option<V>) -> Option<V> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        known.unwrap_or_else(|| {
            let answer = ask(&key);
            let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            answers.insert(key, answer.clone());
            answer
        })
    }
}

impl AccountNames {
    /// Makes a table that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the name of a user.
    #[must_use]
    pub fn user(&self, uid: u32) -> Option<Arc<[u8]>> {
        self.users.names.get(uid, |&uid| user_name(uid))
    }

    /// Returns the name of a group.
    #[must_use]
    pub fn group(&self, gid: u32) -> Option<Arc<[u8]>> {
        self.groups.names.get(gid, |&gid| group_name(gid))
    }

    /// Returns the number of a user.
    #[must_use]
    pub fn uid(&self, name: &[u8]) -> Option<u32> {
        self.users.numbers.get(name.to_vec(), |name| user_number(name))
    }

    /// Returns the number of a group.
    #[must_use]
    pub fn gid(&self, name: &[u8]) -> Option<u32> {
        self.groups.numbers.get(name.to_vec(), |name| group_number(name))
    }
}

/// Returns the effective user and group of this process.
#[must_use]
pub fn current_ids() -> Owner {
    Owner { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
}

fn user_name(uid: u32) -> Option<Arc<[u8]>> {
    // SAFETY: the record and the text are those of `lookup`.
    lookup(
        |record, text, len, found| unsafe { libc::getpwuid_r(uid, record, text, len, found) },
        |record: &libc::passwd| bytes(record.pw_name),
    )
}

fn group_name(gid: u32) -> Option<Arc<[u8]>> {
    // SAFETY: as above.
    lookup(
        |record, text, len, found| unsafe { libc::getgrgid_r(gid, record, text, len, found) },
        |record: &libc::group| bytes(record.gr_name),
    )
}

fn user_number(name: &[u8]) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: as above, and `name` is a C string.
    lookup(
        |record, text, len, found| unsafe {
            libc::getpwnam_r(name.as_ptr(), record, text, len, found)
        },
        |record: &libc::passwd| record.pw_uid,
    )
}

fn group_number(name: &[u8]) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: as above, and `name` is a C string.
    lookup(
        |record, text, len, found| unsafe {
            libc::getgrnam_r(name.as_ptr(), record, text, len, found)
        },
        |record: &libc::group| record.gr_gid,
    )
}

/// Calls one of the C library's re-entrant lookups, with more room until the record fits.
fn lookup<R, T>(
    mut call: impl FnMut(*mut R, *mut c_char, usize, *mut *mut R) -> c_int,
    take: impl FnOnce(&R) -> T,
) -> Option<T> {
    /// Larger than any group with all its members.
    const MAX_RECORD: usize = 16 << 20;
    let mut text: Vec<c_char> = vec![0; 1024];
    let mut record = std::mem::MaybeUninit::<R>::uninit();
    loop {
        let mut found = std::ptr::null_mut();
        let failed = call(record.as_mut_ptr(), text.as_mut_ptr(), text.len(), &raw mut found);
        match failed {
            // SAFETY: on success, `found` is null or points to `record`, filled in, whose strings
            // are in `text`; both live until `take` is done.
            0 => return unsafe { found.as_ref() }.map(take),
            libc::ERANGE if text.len() < MAX_RECORD => text.resize(text.len() * 4, 0),
            libc::EINTR => {}
            _ => return None,
        }
    }
}

fn bytes(text: *const c_char) -> Arc<[u8]> {
    // SAFETY: only called on the name in a record that was just filled in, a C string.
    Arc::from(unsafe { CStr::from_ptr(text) }.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_of_root_belong_together() {
        let names = AccountNames::new();
        for _again in 0..2 {
            assert_eq!(names.user(0).as_deref(), Some(&b"root"[..]));
            assert_eq!(names.group(0).as_deref(), Some(&b"root"[..]));
            assert_eq!(names.uid(b"root"), Some(0));
            assert_eq!(names.gid(b"root"), Some(0));
        }
    }

    #[test]
    fn what_the_system_does_not_know_has_no_name() {
        let names = AccountNames::new();
        assert_eq!(names.user(3_999_999_999), None);
        assert_eq!(names.group(3_999_999_999), None);
        assert_eq!(names.uid(b"nobody-has-this-name"), None);
        assert_eq!(names.gid(b"with\0zero"), None);
    }
}
