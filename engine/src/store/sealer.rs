//! Making frames: compressed, sealed, and opened again before anything refers to them.

use std::sync::atomic::Ordering;

use crossbeam_channel::Sender;
use yore_platform::ReadBuffer;

use super::{FrameJob, StoreState, WriteJob};
use crate::error::{Error, Result};
use crate::format::pack::{Codec, FrameInfo, PackKey, decode_frame};
use crate::format::seal::TAG;

/// The zstd level: of the fast ones, the first that compresses well.
const LEVEL: i32 = 3;

/// Compresses, seals and verifies frames; belongs to one seal worker.
pub(crate) struct Sealer<'s, 'r> {
    state: &'s StoreState<'r>,
    compressor: zstd::bulk::Compressor<'static>,
    gathered: Vec<u8>,
    opener: Opener,
}

impl<'s, 'r> Sealer<'s, 'r> {
    /// Makes a compressor.
    pub(crate) fn new(state: &'s StoreState<'r>) -> Result<Self> {
        let compressor = zstd::bulk::Compressor::new(LEVEL)
            .map_err(|source| Error::Backend { object: "zstd".into(), source })?;
        Ok(Self { state, compressor, gathered: Vec::new(), opener: Opener::default() })
    }

    /// Makes one frame, and sends it to the pack writer.
    pub(super) fn run(&mut self, job: FrameJob, writes: &Sender<WriteJob>) -> Result<()> {
        let kind = job.kind;
        let blobs: Vec<_> = job.blobs.iter().map(|(id, bytes)| (*id, bytes.len() as u32)).collect();
        let only = job.into_raw(&mut self.gathered);
        let raw: &[u8] = only.as_deref().unwrap_or(&self.gathered);
        let bound = zstd::zstd_safe::compress_bound(raw.len()) + TAG;
        let mut stored = self.state.buffers.take_for(bound);
        let codec = match self.compressor.compress_to_buffer(raw, &mut *stored) {
            Ok(length) if length < raw.len() => Codec::Zstd,
            _ => {
                stored.clear();
                stored.extend_from_slice(raw);
                Codec::Raw
            }
        };
        let info = FrameInfo {
            sealed: (stored.len() + TAG) as u32,
            raw: raw.len() as u32,
            codec,
            blobs: blobs.len() as u32,
        };
        let (key, number, ready) = self.state.assign(kind, blobs, info, writes)?;
        key.seal_frame(number, info.raw, codec, &mut stored);
        self.opener.verify(&key, number, &info, &stored, raw)?;
        self.state.stored.fetch_add(stored.len() as u64, Ordering::Relaxed);
        ready.send(stored).map_err(|_| Error::Interrupted)
    }

    /// Keeps an error as the cause why the backup fails.
    pub(super) fn fail(&self, error: Error) {
        self.state.fail(error);
    }
}

/// Opens frames that were just sealed.
#[derive(Default)]
struct Opener {
    opened: Vec<u8>,
    decoded: ReadBuffer,
}

impl Opener {
    /// Opens a sealed frame and compares it with its blobs.
    fn verify(
        &mut self,
        key: &PackKey,
        number: u32,
        info: &FrameInfo,
        sealed: &[u8],
        raw: &[u8],
    ) -> Result<()> {
        self.opened.clear();
        self.opened.extend_from_slice(sealed);
        let stored = key.open_frame(number, info, &mut self.opened);
        let same = match (stored, info.codec) {
            (None, _) => false,
            (Some(stored), Codec::Raw) => stored == raw,
            (Some(stored), Codec::Zstd) => {
                decode_frame(info, stored, &mut self.decoded).is_some() && *self.decoded == *raw
            }
        };
        let object = "a frame that was just sealed";
        if same { Ok(()) } else { Err(Error::damaged(object, "it does not open to what it holds")) }
    }
}
