//! CBOR as the format uses it: maps with ascending integer keys, definite lengths.
//!
//! Encoding writes to a `Vec` and can't fail; decoding is bounded by the input and never panics.

use std::collections::BTreeMap;

use minicbor::data::Type;
use minicbor::decode::{Decoder, Error};
use minicbor::encode::Encoder;
use yore_platform::Timestamp;

/// The result of decoding. Callers drop the reason, and name the object that does not decode.
pub(crate) type Read<T> = Result<T, Error>;

const BILLION: i128 = 1_000_000_000;

/// Writes into a `Vec<u8>`; every method appends one item.
pub(crate) struct Writer<'a>(Encoder<&'a mut Vec<u8>>);

macro_rules! appends {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty)?);)*) => {
        $($(#[$doc])*
        pub(crate) fn $name(&mut self $(, $arg: $type)?) -> &mut Self {
            self.0.$name($($arg)?).expect("a Vec takes every byte");
            self
        })*
    };
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self(Encoder::new(out))
    }

    appends! {
        /// A map of `pairs` pairs.
        map(pairs: u64);
        /// An array of `items` items.
        array(items: u64);
        /// An unsigned integer.
        u64(value: u64);
        /// A signed integer.
        i64(value: i64);
        /// A byte string.
        bytes(value: &[u8]);
        /// A text string.
        str(value: &str);
    }

    /// An instant, relative to `base` where that fits (FORMAT.md §8).
    pub(crate) fn time(&mut self, time: Timestamp, base: Timestamp) -> &mut Self {
        match i64::try_from(nanos(time) - nanos(base)) {
            Ok(delta) => self.i64(delta),
            Err(_) => self.array(2).i64(time.seconds).u64(u64::from(time.nanos)),
        }
    }

    /// Writes a map of texts by texts.
    pub(crate) fn text_map(&mut self, map: &BTreeMap<String, String>) -> &mut Self {
        let mut items: Vec<(&String, &String)> = map.iter().collect();
        // The deterministic order is that of the encoded keys: the shorter one first.
        items.sort_by_key(|(key, _)| (key.len(), *key));
        self.0.map(items.len() as u64).expect("a vector takes any bytes");
        for (key, value) in items {
            self.str(key).str(value);
        }
        self
    }

    /// Bytes that are encoded already.
    pub(crate) fn raw(&mut self, encoded: &[u8]) -> &mut Self {
        self.0.writer_mut().extend_from_slice(encoded);
        self
    }
}

/// Writes a map and counts its pairs as they come.
pub(crate) struct MapWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    pairs: u64,
}

impl<'a> MapWriter<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        out.push(0xa0);
        Self { out, start, pairs: 0 }
    }

    /// Begins the pair of `key`; keys must ascend.
    pub(crate) fn key(&mut self, key: u64) -> Writer<'_> {
        self.pairs += 1;
        let mut writer = Writer::new(self.out);
        writer.u64(key);
        writer
    }

    /// Completes the map with its number of pairs.
    pub(crate) fn finish(self) {
        let mut head = Vec::new();
        Writer::new(&mut head).map(self.pairs);
        self.out.splice(self.start..=self.start, head);
    }
}

/// The start of the epoch, the base of every time without another one.
pub(crate) const EPOCH: Timestamp = Timestamp { seconds: 0, nanos: 0 };

fn nanos(time: Timestamp) -> i128 {
    i128::from(time.seconds) * BILLION + i128::from(time.nanos)
}

/// Reads an instant.
pub(crate) fn time(d: &mut Decoder<'_>, base: Timestamp) -> Read<Timestamp> {
    if d.datatype()? == Type::Array {
        expect_items(d, 2)?;
        let (seconds, nanos) = (d.i64()?, d.u32()?);
        if i128::from(nanos) >= BILLION {
            return Err(Error::message("nanoseconds out of range"));
        }
        return Ok(Timestamp { seconds, nanos });
    }
    let total = nanos(base) + i128::from(d.i64()?);
    let seconds = i64::try_from(total.div_euclid(BILLION)).map_err(|_| Error::message("time"))?;
    Ok(Timestamp { seconds, nanos: total.rem_euclid(BILLION) as u32 })
}

/// Reads the head of an array of known length.
pub(crate) fn expect_items(d: &mut Decoder<'_>, items: u64) -> Read<()> {
    if d.array()? == Some(items) { Ok(()) } else { Err(Error::message("array of another length")) }
}

/// Reads the head of an array whose length must be plausible for what is left of the input.
pub(crate) fn items(d: &mut Decoder<'_>) -> Read<usize> {
    let items = d.array()?.ok_or_else(|| Error::message("indefinite length"))?;
    let left = d.input().len() - d.position();
    usize::try_from(items)
        .ok()
        .filter(|&items| items <= left)
        .ok_or_else(|| Error::message("array longer than its input"))
}

/// Reads a map of texts by texts, whose keys ascend by length and then by bytes.
pub(crate) fn text_map(d: &mut Decoder<'_>) -> Read<BTreeMap<String, String>> {
    let items = d.map()?.ok_or_else(|| Error::message("indefinite length"))?;
    let (mut map, mut last) = (BTreeMap::new(), None);
    for _ in 0..items {
        let (key, value) = (d.str()?, d.str()?);
        let place = Some((key.len(), key));
        if place <= last {
            return refuse("keys are not in order");
        }
        last = place;
        map.insert(key.to_owned(), value.to_owned());
    }
    Ok(map)
}

/// Reads a byte string of 32 bytes.
pub(crate) fn bytes32(d: &mut Decoder<'_>) -> Read<[u8; 32]> {
    d.bytes()?.try_into().map_err(|_| Error::message("not 32 bytes"))
}

/// Reads an array of unsigned integers.
pub(crate) fn numbers(d: &mut Decoder<'_>) -> Read<Vec<u64>> {
    (0..items(d)?).map(|_| d.u64()).collect()
}

/// Reads an array of unsigned integers if `plausible` accepts their number and the bytes left of
/// the input.
pub(crate) fn numbers_if(
    d: &mut Decoder<'_>,
    plausible: impl FnOnce(usize, usize) -> bool,
) -> Read<Vec<u64>> {
    let items = items(d)?;
    if !plausible(items, d.input().len() - d.position()) {
        return refuse("more numbers than can be");
    }
    (0..items).map(|_| d.u64()).collect()
}

/// Reads an array of texts.
pub(crate) fn texts(d: &mut Decoder<'_>) -> Read<Vec<String>> {
    (0..items(d)?).map(|_| d.str().map(str::to_owned)).collect()
}

/// Reads an array of byte strings of 32 bytes.
pub(crate) fn ids(d: &mut Decoder<'_>) -> Read<Vec<[u8; 32]>> {
    (0..items(d)?).map(|_| bytes32(d)).collect()
}

/// Skips one item of any type; refuses items that nest deeper than the format allows.
pub(crate) fn skip(d: &mut Decoder<'_>) -> Read<()> {
    skip_within(d, 16)
}

fn skip_within(d: &mut Decoder<'_>, depth: u8) -> Read<()> {
    let deeper = || depth.checked_sub(1).ok_or_else(|| Error::message("nested too deeply"));
    match d.datatype()? {
        Type::Array => {
            let deeper = deeper()?;
            (0..items(d)?).try_for_each(|_| skip_within(d, deeper))
        }
        Type::Map => {
            let deeper = deeper()?;
            let pairs = d.map()?.ok_or_else(|| Error::message("indefinite length"))?;
            (0..pairs).try_for_each(|_| {
                skip_within(d, deeper)?;
                skip_within(d, deeper)
            })
        }
        Type::ArrayIndef | Type::MapIndef | Type::BytesIndef | Type::StringIndef | Type::Tag => {
            Err(Error::message("not of the format"))
        }
        _ => d.skip(),
    }
}

/// Reads a map. `each` gets every key and the decoder before its value, and returns whether it
/// knows the key; the encoded value of an unknown key goes to `unknown`.
pub(crate) fn map<'b>(
    d: &mut Decoder<'b>,
    mut each: impl FnMut(u64, &mut Decoder<'b>) -> Read<bool>,
    mut unknown: impl FnMut(u64, &'b [u8]),
) -> Read<()> {
    let pairs = d.map()?.ok_or_else(|| Error::message("indefinite length"))?;
    let mut last = None;
    for _ in 0..pairs {
        let key = d.u64()?;
        if last.is_some_and(|last| key <= last) {
            return Err(Error::message("keys out of order"));
        }
        last = Some(key);
        if !each(key, d)? {
            let start = d.position();
            skip(d)?;
            unknown(key, &d.input()[start..d.position()]);
        }
    }
    Ok(())
}

/// Reads a whole input as one map, with nothing behind it; unknown keys are ignored.
pub(crate) fn whole_map<'b>(
    input: &'b [u8],
    each: impl FnMut(u64, &mut Decoder<'b>) -> Read<bool>,
) -> Read<()> {
    whole_map_with(input, each, |_, _| {})
}

/// The same; the encoded value of an unknown key goes to `unknown`.
pub(crate) fn whole_map_with<'b>(
    input: &'b [u8],
    each: impl FnMut(u64, &mut Decoder<'b>) -> Read<bool>,
    unknown: impl FnMut(u64, &'b [u8]),
) -> Read<()> {
    let mut d = Decoder::new(input);
    map(&mut d, each, unknown)?;
    if d.position() == input.len() { Ok(()) } else { Err(Error::message("trailing bytes")) }
}

/// Returns the error of a value that is not allowed.
pub(crate) fn refuse<T>(reason: &'static str) -> Read<T> {
    Err(Error::message(reason))
}

/// Takes a value that a map must have.
pub(crate) fn required<T>(value: Option<T>) -> Read<T> {
    value.ok_or_else(|| Error::message("a key is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_any_year_go_there_and_back() {
        for (seconds, base) in [(0, 0), (-1, 5), (1 << 40, 0), (-(1 << 40), 1 << 33), (i64::MAX, 0)]
        {
            let time = Timestamp { seconds, nanos: 999_999_999 };
            let base = Timestamp { seconds: base, nanos: 1 };
            let mut out = Vec::new();
            Writer::new(&mut out).time(time, base);
            assert_eq!(super::time(&mut Decoder::new(&out), base).expect("reads"), time);
        }
    }

    #[test]
    fn a_map_of_any_number_of_pairs_goes_there_and_back() {
        for pairs in [0, 23, 24, 255, 256, 70_000] {
            let mut out = vec![7];
            let mut map = MapWriter::new(&mut out);
            for key in 0..pairs {
                map.key(key).u64(1);
            }
            map.finish();
            let mut read = 0;
            let each = |key, d: &mut Decoder<'_>| {
                read += 1;
                Ok(key + 1 == read && d.u64()? == 1)
            };
            whole_map(&out[1..], each).expect("it reads");
            assert_eq!((out[0], read), (7, pairs));
        }
    }

    #[test]
    fn an_array_that_claims_more_than_is_there_allocates_nothing() {
        assert!(numbers(&mut Decoder::new(&[0x9b, 0, 0, 1, 0, 0, 0, 0, 0, 1])).is_err());
    }
}
