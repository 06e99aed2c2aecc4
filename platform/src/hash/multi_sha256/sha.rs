//! Two lanes by the processor's own instructions for SHA-256, or one.
//!
//! Each of those instructions waits for the one before it; a second message fills the time. The
//! order of words in the registers is that of Gulley et al., "Intel SHA Extensions" (2013).

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{BLOCK, K, States};

/// Tells whether the processor has the instructions.
pub(super) fn is_here() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1")
}

/// Compresses blocks of each lane.
///
/// # Panics
/// On a processor without the instructions, and for inputs with fewer blocks.
pub(super) fn compress<const L: usize>(states: &mut States<L>, inputs: &[&[u8]; L], blocks: usize) {
    assert!(is_here(), "the caller has detected it");
    // SAFETY: the processor has what the function needs, as was just seen.
    unsafe { all(states, inputs, blocks) }
}

/// A state in the order of the instructions: a, b, e and f in one register, the others in another.
#[derive(Clone, Copy)]
struct Halves {
    abef: __m128i,
    cdgh: __m128i,
}

#[target_feature(enable = "sha,sse4.1")]
fn all<const L: usize>(states: &mut States<L>, inputs: &[&[u8]; L], blocks: usize) {
    let mut sums: [Halves; L] = std::array::from_fn(|l| {
        let [a, b, c, d, e, f, g, h] = states.map(|word| word[l].cast_signed());
        Halves { abef: _mm_set_epi32(a, b, e, f), cdgh: _mm_set_epi32(c, d, g, h) }
    });
    for n in 0..blocks {
        let mut w: [[__m128i; 4]; L] = inputs.map(|input| words(input, n * BLOCK));
        let mut s = sums;
        macro_rules! rounds {
            ($($four:literal)*) => { $(
                for l in 0..L {
                    if $four >= 4 {
                        w[l][$four % 4] = next(&w[l], $four);
                    }
                    let kw = _mm_add_epi32(w[l][$four % 4], constants($four));
                    let high = _mm_shuffle_epi32::<0x0e>(kw);
                    s[l].cdgh = _mm_sha256rnds2_epu32(s[l].cdgh, s[l].abef, kw);
                    s[l].abef = _mm_sha256rnds2_epu32(s[l].abef, s[l].cdgh, high);
                }
            )* };
        }
        rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        for (sum, s) in sums.iter_mut().zip(s) {
            sum.abef = _mm_add_epi32(sum.abef, s.abef);
            sum.cdgh = _mm_add_epi32(sum.cdgh, s.cdgh);
        }
    }
    for (l, Halves { abef, cdgh }) in sums.into_iter().enumerate() {
        let word = |vector: __m128i, n: usize| lanes(vector)[3 - n];
        let [a, b, e, f] = std::array::from_fn(|n| word(abef, n));
        let [c, d, g, h] = std::array::from_fn(|n| word(cdgh, n));
        states.iter_mut().zip([a, b, c, d, e, f, g, h]).for_each(|(to, word)| to[l] = word);
    }
}

/// Returns the words of the message from `4 * four` on, of those sixteen before (FIPS 180-4, 6.2.2, step 1).
#[target_feature(enable = "sha,sse4.1")]
#[inline]
fn next(w: &[__m128i; 4], four: usize) -> __m128i {
    let [w16, w12, w8, w4] = std::array::from_fn(|n| w[(four + n) % 4]);
    let w7 = _mm_alignr_epi8::<4>(w4, w8);
    _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w16, w12), w7), w4)
}

/// Returns a block as big-endian words.
#[target_feature(enable = "sha,sse4.1")]
#[inline]
fn words(input: &[u8], at: usize) -> [__m128i; 4] {
    let order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    let block = &input[at..at + BLOCK];
    std::array::from_fn(|n| {
        let bytes = &block[n * 16..n * 16 + 16];
        // SAFETY: the slice has 16 bytes, and the load needs no alignment.
        let four = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
        _mm_shuffle_epi8(four, order)
    })
}

/// Returns the constants of four rounds.
#[target_feature(enable = "sse4.1")]
#[inline]
fn constants(four: usize) -> __m128i {
    static ROUNDS: [u32; 64] = K;
    let constants = &ROUNDS[four * 4..four * 4 + 4];
    // SAFETY: the slice has 16 bytes, and the load needs no alignment.
    unsafe { _mm_loadu_si128(constants.as_ptr().cast()) }
}

/// Returns the words of a register, the lowest first.
#[target_feature(enable = "sse4.1")]
#[inline]
fn lanes(vector: __m128i) -> [u32; 4] {
    let mut words = [0; 4];
    // SAFETY: the array has 16 bytes, and the store needs no alignment.
    unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), vector) };
    words
}
