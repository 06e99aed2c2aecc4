//! The bytes of an object that is being written, kept until it is published.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use yore_platform::create_scratch_file;

use crate::error::{Error, Result};

/// The bytes of an object that stay in memory; most objects but packs are smaller.
const IN_MEMORY: usize = 1 << 20;

/// The size of the pieces in memory, and of those in which a file is read. One growing vector would take up to three
/// times its bytes while it grows.
const PIECE: usize = 256 << 10;

/// Appended bytes that can be read again: the last of them in memory, those before in a file without a name.
///
/// Without a folder for that file, or when its disk is full, all of them stay in memory.
pub(super) struct Replay {
    /// The folder of the file; `None` where there is none that can be used.
    folder: Option<PathBuf>,
    file: Option<File>,
    /// The number of bytes in the file.
    in_file: u64,
    /// Pieces of at most [`PIECE`] bytes.
    memory: Vec<Vec<u8>>,
    in_memory: usize,
}

impl Replay {
    /// Keeps nothing so far.
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, file: None, in_file: 0, memory: Vec::new(), in_memory: 0 }
    }

    /// Returns the number of bytes.
    pub(super) fn len(&self) -> u64 {
        self.in_file + self.in_memory as u64
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`Error::Local`] when the file fails and can't be read back.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.remember(bytes);
        if self.in_memory > IN_MEMORY && self.folder.is_some() && self.spill().is_err() {
            self.take_back()?;
        }
        Ok(())
    }

    /// Hands over all bytes in their order, in pieces, until `receive` fails.
    pub(super) fn each_piece(
        &mut self,
        mut receive: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if let Some(file) = &mut self.file {
            each_piece_of(file, self.in_file, &self.folder, &mut receive)?;
        }
        self.memory.iter().try_for_each(|piece| receive(piece))
    }

    /// Appends bytes to those in memory.
    fn remember(&mut self, mut bytes: &[u8]) {
        self.in_memory += bytes.len();
        while !bytes.is_empty() {
            let room = self.memory.last().map_or(0, |piece| PIECE - piece.len());
            if room == 0 {
                self.memory.push(Vec::with_capacity(bytes.len().min(PIECE)));
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(room));
            if let Some(piece) = self.memory.last_mut() {
                piece.extend_from_slice(now);
            }
            bytes = later;
        }
    }

    /// Moves what is in memory to the file.
    fn spill(&mut self) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(create_scratch_file(folder)?),
        };
        file.seek(SeekFrom::Start(self.in_file))?;
        self.memory.iter().try_for_each(|piece| file.write_all(piece))?;
        self.in_file += self.in_memory as u64;
        (self.memory, self.in_memory) = (Vec::new(), 0);
        Ok(())
    }

    /// Moves what is in the file to memory, and uses no file from now on.
    fn take_back(&mut self) -> Result<()> {
        if let Some(mut file) = self.file.take() {
            let last = std::mem::take(&mut self.memory);
            self.in_memory = 0;
            let folder = self.folder.take();
            each_piece_of(&mut file, self.in_file, &folder, &mut |piece| {
                self.remember(piece);
                Ok(())
            })?;
            last.iter().for_each(|piece| self.remember(piece));
        }
        (self.folder, self.in_file) = (None, 0);
        Ok(())
    }
}

/// Hands over the first `length` bytes of a file, in pieces, until `receive` fails.
fn each_piece_of(
    file: &mut File,
    length: u64,
    folder: &Option<PathBuf>,
    receive: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let failed = |error| Error::local(folder.clone().unwrap_or_default(), error);
    file.rewind().map_err(failed)?;
    let (mut left, mut piece) = (length, vec![0; PIECE]);
    while left > 0 {
        piece.truncate(usize::try_from(left).unwrap_or(PIECE));
        file.read_exact(&mut piece).map_err(failed)?;
        receive(&piece)?;
        left -= piece.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(replay: &mut Replay) -> Vec<u8> {
        let mut bytes = Vec::new();
        let gathered = replay.each_piece(|piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        });
        gathered.expect("they can be read");
        bytes
    }

    #[test]
    fn appended_bytes_can_be_read_any_number_of_times_and_between_appends() {
        let folder = tempfile::tempdir().expect("a folder");
        let absent = folder.path().join("absent");
        for place in [None, Some(folder.path().to_owned()), Some(absent)] {
            let mut replay = Replay::new(place.clone());
            let mut expected = Vec::new();
            for n in 0..40u32 {
                let piece: Vec<u8> = (0..90_000).map(|at| (at * 7 + n) as u8).collect();
                replay.push(&piece).expect("kept");
                expected.extend_from_slice(&piece);
                if n % 9 == 0 {
                    assert!(kept(&mut replay) == expected, "{place:?} after {n}");
                }
            }
            assert_eq!(replay.len(), expected.len() as u64);
            assert!(kept(&mut replay) == expected && kept(&mut replay) == expected);
            let is_small = replay.in_memory <= IN_MEMORY;
            assert_eq!(is_small, place == Some(folder.path().to_owned()));
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn a_file_that_fails_half_way_is_taken_back_into_memory() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut replay = Replay::new(Some(folder.path().to_owned()));
        let first = vec![7; IN_MEMORY + 1];
        replay.push(&first).expect("kept");
        assert_eq!(replay.in_file, first.len() as u64);
        replay.take_back().expect("taken back");
        replay.push(&vec![8; IN_MEMORY + 1]).expect("kept");
        assert!(replay.file.is_none() && replay.in_file == 0);
        assert_eq!(kept(&mut replay), [first, vec![8; IN_MEMORY + 1]].concat());
    }
}
