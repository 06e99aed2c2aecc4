//! Lists that a server gives in pages, and that end.

use std::collections::HashSet;
use std::io;

/// The most pages in a row that a list may have without a name. Some stores give them for names that were deleted.
const MOST_EMPTY: usize = 10_000;
/// The most pages in a row that may begin like an earlier one, as after names were added meanwhile.
const MOST_REPEATED: usize = 16;

/// Notices a list that repeats itself: it would never end.
#[derive(Default)]
pub(super) struct Pages {
    /// The names with which a page began.
    firsts: HashSet<Vec<u8>>,
    empty: usize,
    repeated: usize,
}

impl Pages {
    /// Adds a page by its first name.
    ///
    /// # Errors
    /// When the list repeats itself, or goes on and on without a name.
    pub(super) fn add(&mut self, first: Option<&[u8]>) -> io::Result<()> {
        match first {
            None => self.empty += 1,
            Some(name) if self.firsts.contains(name) => self.repeated += 1,
            Some(name) => {
                self.firsts.insert(name.to_owned());
                (self.empty, self.repeated) = (0, 0);
            }
        }
        match (self.repeated > MOST_REPEATED, self.empty > MOST_EMPTY) {
            (true, _) => Err(endless("the server's list repeats itself")),
            (_, true) => Err(endless("the server's list goes on without a name")),
            (false, false) => Ok(()),
        }
    }
}

/// Makes the error of a list that does not end.
pub(super) fn endless(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_brings_nothing_new_ends_and_a_long_one_does_not() {
        let mut pages = Pages::default();
        for page in 0..100_000_u32 {
            pages.add(Some(&page.to_be_bytes())).expect("each page is another one");
        }
        let repeats = (0..1000).take_while(|_| pages.add(Some(&7_u32.to_be_bytes())).is_ok());
        assert_eq!(repeats.count(), MOST_REPEATED);
        let mut pages = Pages::default();
        assert_eq!((0..100_000).take_while(|_| pages.add(None).is_ok()).count(), MOST_EMPTY);
        let mut pages = Pages::default();
        for page in 0..20_000_u32 {
            let name = page.to_be_bytes();
            pages.add((page % 2 == 0).then_some(&name)).expect("every other page has names");
        }
    }
}
