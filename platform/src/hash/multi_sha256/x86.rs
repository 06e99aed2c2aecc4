//! Eight lanes by AVX2, sixteen by AVX-512.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{BLOCK, K, States};

/// Compresses blocks of eight lanes.
///
/// # Panics
/// On a processor without AVX2, and for inputs with fewer blocks.
pub(super) fn eight(states: &mut States<8>, inputs: &[&[u8]; 8], blocks: usize) {
    assert!(is_x86_feature_detected!("avx2"), "the caller has detected it");
    // SAFETY: the processor has what the function needs, as was just seen.
    unsafe { avx2(states, inputs, blocks) }
}

/// Compresses blocks of sixteen lanes.
///
/// # Panics
/// On a processor without AVX-512, and for inputs with fewer blocks.
pub(super) fn sixteen(states: &mut States<16>, inputs: &[&[u8]; 16], blocks: usize) {
    let has = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx2");
    assert!(has, "the caller has detected it");
    // SAFETY: the processor has what the function needs, as was just seen.
    unsafe { avx512(states, inputs, blocks) }
}

/// Repeats a block with `t` from 0 to 15, so that words stay in registers.
macro_rules! sixteen_times {
    ($t:ident $body:block) => {
        sixteen_times!(@ $t $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    (@ $t:ident $body:block $n:literal $($more:literal)*) => {
        { let $t: usize = $n; $body }
        sixteen_times!(@ $t $body $($more)*)
    };
    (@ $t:ident $body:block) => {};
}

/// Writes the function for one width, from what that width calls its operations.
macro_rules! width {
    ($features:literal, $name:ident, $lanes:literal, $vector:ty, $load:ident, $store:ident,
     $words:ident, $add:ident, $splat:ident, $rotate:ident, $shift:ident,
     $xor:ident, $choice:ident, $majority:ident) => {
        #[target_feature(enable = $features)]
        fn $name(states: &mut States<$lanes>, inputs: &[&[u8]; $lanes], blocks: usize) {
            let mut sums = states.each_ref().map(|word| $load(word));
            for n in 0..blocks {
                let mut w = $words(inputs, n * BLOCK);
                let mut s: [$vector; 8] = sums;
                for r in 0..4 {
                    if r > 0 {
                        sixteen_times!(t {
                            let (near, far) = (w[(t + 14) % 16], w[(t + 1) % 16]);
                            let s0 = $xor($rotate::<7>(far), $rotate::<18>(far), $shift::<3>(far));
                            let s1 =
                                $xor($rotate::<17>(near), $rotate::<19>(near), $shift::<10>(near));
                            w[t] = $add($add(w[t], s0), $add(w[(t + 9) % 16], s1));
                        });
                    }
                    sixteen_times!(t {
                        let [a, b, c, d, e, f, g, h] = s;
                        let s1 = $xor($rotate::<6>(e), $rotate::<11>(e), $rotate::<25>(e));
                        let kw = $add(w[t], $splat(K[r * 16 + t].cast_signed()));
                        let one = $add($add(h, s1), $add($choice(e, f, g), kw));
                        let s0 = $xor($rotate::<2>(a), $rotate::<13>(a), $rotate::<22>(a));
                        let top = $add($add(s0, $majority(a, b, c)), one);
                        s = [top, a, b, c, $add(d, one), e, f, g];
                    });
                }
                for (sum, word) in sums.iter_mut().zip(s) {
                    *sum = $add(*sum, word);
                }
            }
            states.iter_mut().zip(sums).for_each(|(word, sum)| $store(word, sum));
        }
    };
}

width!(
    "avx2",
    avx2,
    8,
    __m256i,
    load8,
    store8,
    words8,
    _mm256_add_epi32,
    _mm256_set1_epi32,
    rotate8,
    shift8,
    xor8,
    choice8,
    majority8
);
width!(
    "avx512f,avx2",
    avx512,
    16,
    __m512i,
    load16,
    store16,
    words16,
    _mm512_add_epi32,
    _mm512_set1_epi32,
    _mm512_ror_epi32,
    shift16,
    xor16,
    choice16,
    majority16
);

#[target_feature(enable = "avx2")]
#[inline]
fn load8(words: &[u32; 8]) -> __m256i {
    // SAFETY: the array has 32 bytes, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store8(words: &mut [u32; 8], vector: __m256i) {
    // SAFETY: the array has 32 bytes, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), vector) }
}

/// Turns eight rows of 32 bytes into eight vectors of big-endian words, one row in each lane.
#[target_feature(enable = "avx2")]
#[inline]
fn transposed(rows: [__m256i; 8]) -> [__m256i; 8] {
    let order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    let swap = _mm256_broadcastsi128_si256(order);
    let r = rows.map(|row| _mm256_shuffle_epi8(row, swap));
    let low = |n: usize| _mm256_unpacklo_epi32(r[n], r[n + 1]);
    let high = |n: usize| _mm256_unpackhi_epi32(r[n], r[n + 1]);
    let t = [low(0), high(0), low(2), high(2), low(4), high(4), low(6), high(6)];
    let low = |n: usize| _mm256_unpacklo_epi64(t[n], t[n + 2]);
    let high = |n: usize| _mm256_unpackhi_epi64(t[n], t[n + 2]);
    let u = [low(0), high(0), low(1), high(1), low(4), high(4), low(5), high(5)];
    let low = |n: usize| _mm256_permute2x128_si256::<0x20>(u[n], u[n + 4]);
    let high = |n: usize| _mm256_permute2x128_si256::<0x31>(u[n], u[n + 4]);
    [low(0), low(1), low(2), low(3), high(0), high(1), high(2), high(3)]
}

/// Returns half a block of eight inputs, as words.
#[target_feature(enable = "avx2")]
#[inline]
fn half(inputs: &[&[u8]], at: usize) -> [__m256i; 8] {
    let mut rows = [_mm256_setzero_si256(); 8];
    for (row, input) in rows.iter_mut().zip(inputs) {
        let bytes = &input[at..at + BLOCK / 2];
        // SAFETY: the slice has 32 bytes, and the load needs no alignment.
        *row = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
    }
    transposed(rows)
}

#[target_feature(enable = "avx2")]
#[inline]
fn words8(inputs: &[&[u8]; 8], at: usize) -> [__m256i; 16] {
    let halves = [half(inputs, at), half(inputs, at + BLOCK / 2)];
    let mut words = [_mm256_setzero_si256(); 16];
    words.copy_from_slice(halves.as_flattened());
    words
}

#[target_feature(enable = "avx2")]
#[inline]
fn rotate8<const N: i32>(x: __m256i) -> __m256i {
    let (right, left) = (_mm_cvtsi32_si128(N), _mm_cvtsi32_si128(32 - N));
    _mm256_or_si256(_mm256_srl_epi32(x, right), _mm256_sll_epi32(x, left))
}

#[target_feature(enable = "avx2")]
#[inline]
fn shift8<const N: i32>(x: __m256i) -> __m256i {
    _mm256_srli_epi32::<N>(x)
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor8(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_xor_si256(_mm256_xor_si256(a, b), c)
}

#[target_feature(enable = "avx2")]
#[inline]
fn choice8(e: __m256i, f: __m256i, g: __m256i) -> __m256i {
    _mm256_xor_si256(g, _mm256_and_si256(e, _mm256_xor_si256(f, g)))
}

#[target_feature(enable = "avx2")]
#[inline]
fn majority8(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    let (both, either) = (_mm256_and_si256(a, b), _mm256_or_si256(a, b));
    _mm256_or_si256(both, _mm256_and_si256(c, either))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load16(words: &[u32; 16]) -> __m512i {
    // SAFETY: the array has 64 bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn store16(words: &mut [u32; 16], vector: __m512i) {
    // SAFETY: the array has 64 bytes, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), vector) }
}

#[target_feature(enable = "avx512f,avx2")]
#[inline]
fn words16(inputs: &[&[u8]; 16], at: usize) -> [__m512i; 16] {
    let (one, other) = inputs.split_at(8);
    let mut words = [_mm512_setzero_si512(); 16];
    for (part, at) in [at, at + BLOCK / 2].into_iter().enumerate() {
        for (n, (low, high)) in half(one, at).into_iter().zip(half(other, at)).enumerate() {
            words[part * 8 + n] = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high);
        }
    }
    words
}

#[target_feature(enable = "avx512f")]
#[inline]
fn shift16<const N: u32>(x: __m512i) -> __m512i {
    _mm512_srli_epi32::<N>(x)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor16(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0x96>(a, b, c)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn choice16(e: __m512i, f: __m512i, g: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xca>(e, f, g)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn majority16(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xe8>(a, b, c)
}
