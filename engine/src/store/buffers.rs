//! Pools of buffers: fresh memory costs more than everything that is done in it.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) mod blob_bytes;

/// A pool of buffers, which return to it when they are dropped.
#[derive(Clone)]
pub(crate) struct Buffers {
    /// Guards the buffers that are not in use.
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    keep: usize,
    capacity: usize,
}

impl Buffers {
    /// Keeps up to `keep` unused buffers of `capacity` bytes.
    pub(crate) fn new(keep: usize, capacity: usize) -> Self {
        Self { free: Arc::default(), keep, capacity }
    }

    /// Takes an empty buffer that holds `bytes` without growing.
    pub(crate) fn take_for(&self, bytes: usize) -> Buffer {
        if bytes > self.capacity {
            return Buffer { bytes: Vec::with_capacity(bytes), pool: self.clone() };
        }
        self.take()
    }

    /// Takes an empty buffer.
    pub(crate) fn take(&self) -> Buffer {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = free.unwrap_or_else(|| Vec::with_capacity(self.capacity));
        Buffer { bytes, pool: self.clone() }
    }
}

/// Buffers of several sizes, for frames: most are small, those of large files are not.
#[derive(Clone)]
pub(crate) struct FrameBuffers([Buffers; 3]);

impl FrameBuffers {
    /// Keeps up to `keep` unused buffers for frames of small files and average chunks, half as many for
    /// large chunks, a quarter for the largest; each as long as zstd may have made it.
    pub(crate) fn new(keep: usize) -> Self {
        let sizes = [(keep, 544 << 10), (keep / 2, 1088 << 10), (keep / 4, 2112 << 10)];
        Self(sizes.map(|(keep, capacity)| Buffers::new(keep, capacity)))
    }

    /// Takes an empty buffer that holds `bytes` without growing.
    pub(crate) fn take_for(&self, bytes: usize) -> Buffer {
        let fits = self.0.iter().find(|buffers| bytes <= buffers.capacity);
        fits.unwrap_or(&self.0[0]).take_for(bytes)
    }
}

/// A growable buffer that returns to its pool when it is dropped.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    pool: Buffers,
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // A buffer for an unusually large blob would hold its memory for good.
        if self.bytes.capacity() != self.pool.capacity {
            return;
        }
        let mut free = self.pool.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.pool.keep {
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.clear();
            free.push(bytes);
        }
    }
}
