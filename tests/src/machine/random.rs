//! Pseudo-random numbers and bytes, the same for the same seed.

/// A small generator (the constants are Knuth's, MMIX).
pub struct Random(pub u64);

impl Random {
    /// Draws a number below `limit`; 0 if `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }
}

/// Returns bytes that do not compress.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed ^ 0x9e37_79b9_7f4a_7c15);
    std::iter::repeat_with(|| random.below(256) as u8).take(length).collect()
}
