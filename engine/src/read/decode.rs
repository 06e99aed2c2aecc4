//! Fetching a frame from a destination, opening it and decoding it.

use yore_platform::ReadBuffer;

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::format::id::BlobId;
use crate::format::object::ObjectName;
use crate::format::pack::{Codec, PackKey, decode_frame};
use crate::index::Location;
use crate::read::distant::{Distant, Extent, groups};
use crate::read::frame::Frame;
use crate::read::reader::Reader;

impl Reader {
    /// Decodes a frame of the nearest destination that has it whole.
    pub(super) fn decode(&self, location: &Location) -> Result<Frame> {
        let (name, key) = (ObjectName::pack(location.pack), self.pack_key(location)?);
        self.mirrors.read(&name, |backend| match &self.distant {
            Some(distant) => self.decode_distant(backend, distant, &key, location),
            None => self.decode_from(backend, &name, &key, location),
        })
    }

    /// Fetches a frame by itself.
    fn decode_from(
        &self,
        backend: &dyn Backend,
        name: &ObjectName,
        key: &PackKey,
        location: &Location,
    ) -> Result<Frame> {
        let mut sealed = self.sealed_buffer(location);
        let end = location.offset.saturating_add(location.frame.sealed.into());
        backend.read_into(name, location.offset..end, &mut sealed)?;
        self.open_sealed(key, location, sealed)
    }

    /// Takes a frame from the cache on disk, or fetches it with its neighbours.
    fn decode_distant(
        &self,
        backend: &dyn Backend,
        distant: &Distant,
        key: &PackKey,
        location: &Location,
    ) -> Result<Frame> {
        let mut sealed = self.sealed_buffer(location);
        if distant.read_cached(location, &mut sealed) {
            match self.open_sealed(key, location, sealed) {
                Ok(frame) => return Ok(frame),
                Err(_) => distant.forget(location),
            }
            sealed = self.sealed_buffer(location);
        }
        distant.fetch(backend, &self.index(), location, Extent::Likely, &mut sealed)?;
        self.open_sealed(key, location, sealed).or_else(|_| {
            // The run may be of an earlier moment, so the frame is fetched again by itself.
            distant.forget(location);
            self.decode_from(backend, &ObjectName::pack(location.pack), key, location)
        })
    }

    fn sealed_buffer(&self, location: &Location) -> ReadBuffer {
        self.buffer(location.frame.sealed as usize + ReadBuffer::MARGIN)
    }

    /// Opens and decodes the bytes of a frame.
    fn open_sealed(
        &self,
        key: &PackKey,
        location: &Location,
        mut sealed: ReadBuffer,
    ) -> Result<Frame> {
        let damaged = |reason| Error::damaged(ObjectName::pack(location.pack).as_str(), reason);
        let undecodable = || damaged("a frame does not decode");
        let stored = key
            .open_frame(location.number, &location.frame, &mut sealed)
            .ok_or_else(|| damaged("its bytes were altered"))?;
        let bytes = match location.frame.codec {
            // It was decrypted in place.
            Codec::Raw if stored.len() == location.frame.raw as usize => {
                let raw = stored.len();
                sealed.set_len(raw);
                sealed
            }
            Codec::Raw => return Err(undecodable()),
            Codec::Zstd => {
                let mut bytes = self.buffer(location.frame.raw as usize);
                decode_frame(&location.frame, stored, &mut bytes).ok_or_else(undecodable)?;
                bytes
            }
        };
        Ok(Frame::new(bytes))
    }

    /// Fetches the frames of chunks that will be read, neighbours together, where requests cost round trips.
    ///
    /// An error is left to the read that meets it.
    pub(crate) fn fetch_ahead(&self, ids: &[BlobId]) {
        let Some(distant) = &self.distant else { return };
        let index = self.index();
        let found = ids.iter().filter_map(|id| index.find(id));
        let mut locations: Vec<Location> =
            found.filter(|location| !self.is_decoded(location) && !distant.has(location)).collect();
        locations.sort_unstable_by_key(|location| (location.pack, location.offset));
        for (group, end) in groups(&locations) {
            // A group that is longer than a run takes several.
            for location in group {
                if !distant.has(location) {
                    let name = ObjectName::pack(location.pack);
                    let _ = self.mirrors.read(&name, |backend| {
                        let (mut sealed, extent) = (ReadBuffer::default(), Extent::Until(end));
                        distant.fetch(backend, &index, location, extent, &mut sealed)
                    });
                }
            }
        }
    }
}
