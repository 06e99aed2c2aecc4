//! The names that durable files have before they are published, where a file can't be without one.
//!
//! Such a name is `.tmp-<process>-<random>`; the same on every system, as one may list what another left.

pub(crate) const PREFIX: &str = ".tmp-";

/// Tells whether a name is that of a durable file before it is published.
pub fn is_temporary(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b'-');
    name.strip_prefix(PREFIX).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_part))
}
