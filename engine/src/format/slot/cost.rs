//! The cost of guessing a passphrase.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::format::id::ObjectId;

/// The cost parameters of argon2id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes, which may run in parallel.
    pub lanes: u32,
}

impl Cost {
    /// The cost of new slots: 256 MiB, 3 passes, 2 lanes.
    pub const STANDARD: Cost = Cost { memory: 256 << 10, passes: 3, lanes: 2 };

    /// Returns true if the cost is within the bounds of FORMAT.md §4, which protect from hostile slots.
    pub(super) fn is_within_bounds(self) -> bool {
        (8 << 10..=1 << 20).contains(&self.memory)
            && (1..=16).contains(&self.passes)
            && (1..=16).contains(&self.lanes)
            && self.memory * self.passes <= 4 << 20
    }
}

/// Stretches a passphrase.
pub(super) fn stretch(passphrase: &[u8], salt: ObjectId, cost: Cost) -> Zeroizing<Vec<u8>> {
    let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(32))
        .expect("the cost was compared with its bounds");
    let mut out = Zeroizing::new(vec![0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, &salt.0, &mut out)
        .expect("argon2 takes a passphrase of any length and a salt of 32 bytes");
    out
}
