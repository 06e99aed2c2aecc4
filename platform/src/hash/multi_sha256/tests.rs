//! Compared with another implementation, for every width that this processor has.

use sha2::{Digest, Sha256};

use super::*;

fn expected(before: &[u8], head: &[u8], message: &[u8]) -> [u8; 32] {
    Sha256::digest([before, head, message].concat()).into()
}

fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    std::iter::repeat_with(byte).take(length).collect()
}

type Hash = Box<dyn Fn(Sha256Prefix<'_>, &[&[u8]]) -> Vec<[u8; 32]>>;

/// Every width that this processor has, and lanes without vectors.
fn widths() -> Vec<Hash> {
    let mut widths: Vec<Hash> = vec![Box::new(|before, messages| hash(before, messages, plain))];
    #[cfg(target_arch = "x86_64")]
    {
        if sha::is_here() {
            widths.push(Box::new(|before, messages| hash(before, messages, sha::compress::<1>)));
            widths.push(Box::new(|before, messages| hash(before, messages, sha::compress::<2>)));
        }
        if is_x86_feature_detected!("avx2") {
            widths.push(Box::new(|before, messages| hash(before, messages, x86::eight)));
            if is_x86_feature_detected!("avx512f") {
                widths.push(Box::new(|before, messages| hash(before, messages, x86::sixteen)));
            }
        }
    }
    widths
}

fn plain(states: &mut States<5>, inputs: &[&[u8]; 5], blocks: usize) {
    for (l, input) in inputs.iter().enumerate() {
        let mut state = column(states, l);
        (0..blocks).for_each(|n| compress_one(&mut state, &input[n * BLOCK..]));
        set_column(states, l, &state);
    }
}

#[test]
fn messages_of_every_length_have_the_digests_of_another_implementation() {
    let block = noise(BLOCK, 7).try_into().expect("a block");
    let state = sha256_compress(&SHA256_INITIAL_STATE, &block);
    for (width, hash) in widths().into_iter().enumerate() {
        for head in [&b""[..], b"h", &[5; 63]] {
            for lengths in [(0..300).collect::<Vec<_>>(), vec![5; 4], vec![100_000, 1, 64, 0, 63]] {
                let messages: Vec<_> = (1..).zip(&lengths).map(|(s, l)| noise(*l, s)).collect();
                let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
                let before = Sha256Prefix { state: &state, bytes: BLOCK as u64, head };
                let digests = hash(before, &slices);
                for (message, digest) in messages.iter().zip(digests) {
                    let length = message.len();
                    assert_eq!(digest, expected(&block, head, message), "{width} {length}");
                }
            }
        }
    }
}

#[test]
fn unequal_messages_end_one_by_one() {
    let messages: Vec<_> = (0..40).map(|n| noise(n * n * 37, n as u32)).collect();
    let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let before = Sha256Prefix { state: &SHA256_INITIAL_STATE, bytes: 0, head: b"" };
    for hash in widths() {
        let digests = hash(before, &slices);
        for (message, digest) in messages.iter().zip(digests) {
            assert_eq!(digest, expected(b"", b"", message));
        }
    }
}

#[test]
fn few_messages_are_left_to_others() {
    let before = Sha256Prefix { state: &SHA256_INITIAL_STATE, bytes: 0, head: b"" };
    assert!(widths().iter().all(|hash| hash(before, &[]).is_empty()));
    let Some(lanes) = MultiSha256::detect() else {
        return assert_eq!(widths().len(), 1, "this processor has lanes that were not found");
    };
    for count in 0..40 {
        let digests = lanes.sha256(before, &vec![&b"a"[..]; count]);
        let expected = (count >= lanes.min_narrow).then(|| vec![expected(b"", b"", b"a"); count]);
        assert_eq!(digests, expected);
    }
}
