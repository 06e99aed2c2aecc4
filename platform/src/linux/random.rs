//! Random numbers, and unused names made of them.

#![allow(unsafe_code)]

use std::io;

/// Makes something under a random name, again under another while the name is taken.
pub(crate) fn unused_name<T>(
    prefix: &[u8],
    suffix: &[u8],
    make: impl FnMut(&[u8]) -> io::Result<T>,
) -> io::Result<(T, Vec<u8>)> {
    let name = |number| [prefix, format!("{number:016x}").as_bytes(), suffix].concat();
    unused_name_of(name, make)
}

/// Makes something under a name that `name` makes of a random number, again while it is taken.
pub(crate) fn unused_name_of<T>(
    name: impl Fn(u64) -> Vec<u8>,
    mut make: impl FnMut(&[u8]) -> io::Result<T>,
) -> io::Result<(T, Vec<u8>)> {
    loop {
        let name = name(random()?);
        match make(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|made| (made, name)),
        }
    }
}

/// Draws a number.
pub(crate) fn random() -> io::Result<u64> {
    let mut bytes = [0_u8; 8];
    // SAFETY: the buffer is writable for its length.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    // Up to 256 bytes come whole or not at all (getrandom(2)).
    if got == 8 { Ok(u64::from_ne_bytes(bytes)) } else { Err(io::Error::last_os_error()) }
}
