//! Padding: the lengths of objects reveal little.

/// The bytes before the body in a padded plaintext: codec, length of content, length of body.
const BODY_HEAD: usize = 9;

/// Appends codec, lengths, body and zero bytes, so that `object` and `after` further bytes together have
/// a Padmé length.
pub(crate) fn append_padded(object: &mut Vec<u8>, content: &[u8], after: usize) {
    let packed =
        zstd::bulk::compress(content, 3).ok().filter(|packed| packed.len() < content.len());
    let (codec, body) = packed.as_deref().map_or((0, content), |packed| (1, packed));
    object.push(codec);
    object.extend_from_slice(&(content.len() as u32).to_be_bytes());
    object.extend_from_slice(&(body.len() as u32).to_be_bytes());
    object.extend_from_slice(body);
    let total = object.len() + after;
    object.resize(object.len() + (padme(total as u64) as usize - total), 0);
}

/// Decodes the output of [`append_padded`]; `None` when it is malformed, or its content is longer than `max`.
pub(crate) fn read_padded(plain: &[u8], max: usize) -> Option<Vec<u8>> {
    let (head, rest) = plain.split_first_chunk::<BODY_HEAD>()?;
    let number = |at: usize| {
        head[at..at + 4].iter().fold(0usize, |number, &byte| number << 8 | usize::from(byte))
    };
    let (content, body) = (number(1), number(5));
    if content > max || body > rest.len() || rest[body..].iter().any(|&byte| byte != 0) {
        return None;
    }
    match head[0] {
        0 => (content == body).then(|| rest[..body].to_vec()),
        1 => {
            let bytes = zstd::bulk::decompress(&rest[..body], content).ok()?;
            (bytes.len() == content).then_some(bytes)
        }
        _ => None,
    }
}

/// Rounds a length up so that it reveals little, by at most 12 % (Nikitin et al., *PURBs*, 2019).
fn padme(length: u64) -> u64 {
    if length < 2 {
        return length;
    }
    let exponent = length.ilog2();
    let kept = exponent.checked_ilog2().unwrap_or(0) + 1;
    let mask = (1u64 << exponent.saturating_sub(kept)) - 1;
    (length + mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padme_hides_the_low_bits_of_a_length() {
        assert_eq!(padme(9), 10);
        assert_eq!(padme(1000), 1024);
        assert_eq!(padme(1 << 26), 1 << 26);
        assert_eq!(padme((1 << 26) + 1), (1 << 26) + (1 << 21));
        for length in 0..100_000u64 {
            let padded = padme(length);
            assert!(
                padded >= length && padded <= length + length / 8 + 1 && padme(padded) == padded
            );
        }
    }
}
