//! Fills a listing with the names in a directory.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use rustix::fs::RawDir;

use crate::linux::stat;
use crate::listing::Listing;

/// The bytes of one call to the kernel; a directory of less costs two calls.
const BUFFER_BYTES: usize = 128 << 10;

/// Fills `listing` with the names in `dir`, from where it was read last.
pub(crate) fn fill(listing: &mut Listing, dir: BorrowedFd<'_>) -> io::Result<()> {
    listing.fill(|listing, scratch| {
        scratch.resize(BUFFER_BYTES, MaybeUninit::uninit());
        let mut entries = RawDir::new(dir, scratch);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                listing.push(name, entry.ino(), stat::kind(entry.file_type()))?;
            }
        }
        Ok(())
    })
}
