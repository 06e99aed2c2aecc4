//! The code against its definition, damage within and beyond what parity covers, and hostile parity.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::head::MAX_PARITY_OBJECT;
use super::*;
use crate::backend::Backend;
use crate::format::object::Area;
use crate::testing::Sample;

/// The basis by which FORMAT.md §14 numbers the elements of the field.
const BASIS: [u16; 16] = [
    0x0001, 0xacca, 0x3c0e, 0x163e, 0xc582, 0xed2e, 0x914c, 0x4012, 0x6c98, 0x10d8, 0x6a72, 0xb900,
    0xfdb8, 0xfb34, 0xff38, 0x991e,
];

/// The field of FORMAT.md §14: logarithms and powers of `x`, by the numbers of elements.
struct Field {
    log: Vec<u32>,
    exp: Vec<u16>,
}

impl Field {
    fn new() -> Self {
        let mut log_of_polynomial = vec![0; 1 << 16];
        let mut power = 1_u32;
        for log in 0..0xffff {
            log_of_polynomial[power as usize] = log;
            power <<= 1;
            power ^= if power > 0xffff { 0x1002d } else { 0 };
        }
        let polynomial = |number: usize| {
            let bits = (0..16).filter(|bit| number >> bit & 1 == 1);
            bits.fold(0, |sum, bit| sum ^ BASIS[bit])
        };
        let log: Vec<u32> =
            (0..1 << 16).map(|number| log_of_polynomial[usize::from(polynomial(number))]).collect();
        let mut exp = vec![0; 0xffff];
        (1..=0xffff_u16).for_each(|number| exp[log[usize::from(number)] as usize] = number);
        Self { log, exp }
    }

    fn product(&self, one: u16, other: u16) -> u16 {
        match one == 0 || other == 0 {
            true => 0,
            false => {
                let sum = self.log[usize::from(one)] + self.log[usize::from(other)];
                self.exp[(sum % 0xffff) as usize]
            }
        }
    }

    fn inverse(&self, one: u16) -> u16 {
        self.exp[((0xffff - self.log[usize::from(one)]) % 0xffff) as usize]
    }

    /// Returns the factor of shard `i` in recovery shard `r`, of which there are `m`.
    fn factor(&self, m: u32, i: u16, r: u16) -> u16 {
        let c = m.next_power_of_two() as u16;
        let place = c + i;
        let z = (0..c).fold(1, |z, j| self.product(z, place ^ j));
        let d = (1..c).fold(1, |d, j| self.product(d, j));
        self.product(z, self.inverse(self.product(d, r ^ place)))
    }
}

/// Returns element `at` of a shard: in each 64 bytes the low bytes of 32 elements, then their high bytes.
fn element(shard: &[u8], at: usize) -> u16 {
    let low = at / 32 * 64 + at % 32;
    u16::from_le_bytes([shard[low], shard[low + 32]])
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(next).collect()
}

#[test]
fn recovery_shards_are_what_the_format_defines() {
    let field = Field::new();
    for (k, m) in [(1, 1), (5, 3), (9, 2), (21, 5)] {
        let layout = Layout { pack_size: k * 128, shard: 128, k: k as u32, m };
        let pack = noise(k as usize * 128, k);
        let recovery = code::encode(&layout, &pack);
        let shards: Vec<&[u8]> = pack.chunks(128).collect();
        for (r, recovered) in recovery.chunks(128).enumerate() {
            for at in 0..64 {
                let sum = shards.iter().enumerate().fold(0, |sum, (i, shard)| {
                    let factor = field.factor(m, i as u16, r as u16);
                    sum ^ field.product(factor, element(shard, at))
                });
                assert_eq!(element(recovered, at), sum, "{k} and {m}: {r}, element {at}");
            }
        }
    }
}

#[test]
fn shards_are_sectors_of_small_packs_and_few_of_large_ones() {
    let layout = |size, percent| {
        let Layout { shard, k, m, .. } = Layout::for_pack(size, percent);
        (shard, k, m)
    };
    assert_eq!(layout(200, 5), (256, 1, 1));
    assert_eq!(layout(4096, 5), (4096, 1, 1));
    assert_eq!(layout(40 << 10, 5), (4096, 10, 1));
    assert_eq!(layout(64 << 20, 5), (32 << 10, 2048, 103));
    assert_eq!(layout((64 << 20) + 1, 1), (64 << 10, 1025, 11));
    assert_eq!(layout(1 << 30, 100), (512 << 10, 2048, 2048));
}

/// Rebuilds what `wreck` names of the shards of a pack.
fn repaired(pack: &[u8], percent: u32, wreck: &[usize], spare: usize) -> Vec<u8> {
    let layout = Layout::for_pack(pack.len() as u64, percent);
    let shard = layout.shard as usize;
    let recovery = code::encode(&layout, pack);
    let mut shards = pack.to_vec();
    shards.resize(layout.k as usize * shard, 0);
    wreck.iter().for_each(|number| shards[number * shard..][..shard].fill(0xaa));
    let whole = recovery.chunks(shard).map(<[u8]>::to_vec).enumerate();
    let whole: Vec<_> = whole.skip(spare).take(wreck.len()).collect();
    code::decode(&layout, &mut shards, wreck, &whole);
    shards.truncate(pack.len());
    shards
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_shards_up_to_the_number_of_recovery_shards_are_rebuilt(
        size in 1_usize..150_000,
        percent in 1_u32..=100,
        seed in any::<u64>(),
    ) {
        let pack = noise(size, seed);
        let layout = Layout::for_pack(size as u64, percent);
        let mut numbers: Vec<usize> = (0..layout.k as usize).collect();
        numbers.sort_by_key(|number| (*number as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let count = 1 + seed as usize % layout.m as usize;
        let spare = layout.m as usize - count;
        prop_assert_eq!(repaired(&pack, percent, &numbers[..count], spare), pack);
    }

    #[test]
    fn an_altered_parity_object_is_found(at in 0.0..1.0_f64, bit in 0_u8..8, size in 1_usize..50_000) {
        let (id, pack) = (ObjectId([7; 32]), noise(size, 9));
        let mut object = parity_of(id, &pack, 10);
        prop_assert_eq!(verify_parity(id, &object).ok().map(|(of, _)| of), Some(size as u64));
        let at = (object.len() as f64 * at) as usize;
        object[at] ^= 1 << bit;
        prop_assert!(verify_parity(id, &object).is_err());
        prop_assert!(verify_parity(ObjectId([8; 32]), &parity_of(id, &pack, 10)).is_err());
    }
}

/// A repository with parity and one snapshot, and its largest pack.
struct Scene {
    sample: Sample,
    id: ObjectId,
    pack: Vec<u8>,
    parity: Vec<u8>,
}

impl Scene {
    fn new(percent: u32) -> Self {
        let mut sample = Sample::new();
        sample.repository.set_parity(percent);
        let source = sample.folder.path().join("source");
        fs::create_dir(&source).expect("a folder");
        fs::write(source.join("file"), noise(90_000, 3)).expect("a file");
        sample.back_up(&source, 1_000);
        let listed = sample.repository.backend().list(Area::Packs).expect("packs");
        let largest = listed.iter().max_by_key(|one| one.size).expect("a pack");
        let id = ObjectId(largest.name.id().expect("an id"));
        let read =
            |name: ObjectName| fs::read(sample.path().join(name.as_str())).expect("it is there");
        let (pack, parity) = (read(ObjectName::pack(id)), read(ObjectName::parity(id)));
        Self { sample, id, pack, parity }
    }

    fn path(&self, name: &ObjectName) -> PathBuf {
        self.sample.path().join(name.as_str())
    }

    fn put(&self, name: &ObjectName, bytes: &[u8]) {
        let path = self.path(name);
        let _ = fs::remove_file(&path);
        fs::write(path, bytes).expect("written");
    }

    fn rebuild(&self, size: Option<u64>) -> Result<Rebuilt> {
        // Files that were exchanged are opened anew.
        let repository = self.sample.reopen().expect("it opens");
        let backend: &dyn Backend = &**repository.backend();
        rebuild(backend, &repository.keys, self.id, size, &|| false)
    }

    fn is_rebuilt(&self, size: Option<u64>) -> bool {
        match self.rebuild(size) {
            Ok(Rebuilt::Whole(bytes)) => {
                assert!(bytes == self.pack, "a wrong byte");
                true
            }
            Ok(Rebuilt::WithoutParity | Rebuilt::TooDamaged) | Err(Error::Damaged { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_writer_makes_parity_of_each_pack() {
    let scene = Scene::new(20);
    let names = |area| scene.sample.repository.backend().names(area).expect("a list");
    let parity: Vec<_> = names(Area::Parity).iter().map(ObjectName::id).collect();
    assert_eq!(parity, names(Area::Packs).iter().map(ObjectName::id).collect::<Vec<_>>());
    let (of, percent) = verify_parity(scene.id, &scene.parity).expect("it is whole");
    assert_eq!((of, percent >= 20), (scene.pack.len() as u64, true));
    assert!((scene.parity.len() as u64) < MAX_PARITY_OBJECT);
    assert!(verify_pack(&scene.sample.repository.keys, scene.id, &scene.pack).is_ok());
}

#[test]
fn every_kind_of_damage_within_the_share_is_rebuilt_and_more_is_not() {
    let scene = Scene::new(20);
    let name = ObjectName::pack(scene.id);
    let layout = Layout::for_pack(scene.pack.len() as u64, 20);
    let (shard, m) = (layout.shard as usize, layout.m as usize);
    assert!(m >= 2 && layout.k as usize > m + 2, "{layout:?}");
    let size = Some(scene.pack.len() as u64);
    let mut flipped = scene.pack.clone();
    flipped[5 * shard + 9] ^= 1;
    let mut burst = scene.pack.clone();
    burst[shard..shard + m * shard].fill(0);
    let mut scattered = scene.pack.clone();
    (0..m).for_each(|n| scattered[2 * n * shard + 77] ^= 0x80);
    let mut longer = scene.pack.clone();
    longer.extend_from_slice(b"tail");
    let cut = scene.pack[..scene.pack.len() - shard].to_vec();
    for (what, bytes) in [
        ("flip", flipped),
        ("burst", burst),
        ("scattered", scattered),
        ("longer", longer),
        ("cut", cut),
    ] {
        scene.put(&name, &bytes);
        assert!(scene.is_rebuilt(size), "{what}");
        assert!(scene.is_rebuilt(None), "{what}, of a size that no index tells");
    }
    let mut beyond = scene.pack.clone();
    (0..=m).for_each(|n| beyond[n * shard + 1] ^= 1);
    for bytes in [beyond, Vec::new(), scene.pack[..shard].to_vec()] {
        scene.put(&name, &bytes);
        assert!(matches!(scene.rebuild(size), Ok(Rebuilt::TooDamaged)));
    }
    fs::remove_file(scene.path(&name)).expect("removed");
    assert!(matches!(scene.rebuild(size), Ok(Rebuilt::TooDamaged)));
    fs::remove_file(scene.path(&ObjectName::parity(scene.id))).expect("removed");
    assert!(matches!(scene.rebuild(size), Ok(Rebuilt::WithoutParity)));
}

#[test]
fn a_pack_that_is_gone_is_rebuilt_from_parity_of_its_whole_size() {
    let scene = Scene::new(100);
    fs::remove_file(scene.path(&ObjectName::pack(scene.id))).expect("removed");
    assert!(scene.is_rebuilt(Some(scene.pack.len() as u64)));
}

#[test]
fn damaged_parity_is_used_as_far_as_it_is_whole() {
    let scene = Scene::new(20);
    let layout = Layout::for_pack(scene.pack.len() as u64, 20);
    let (head, shard) = (layout.head_bytes() as usize, layout.shard as usize);
    let mut pack = scene.pack.clone();
    pack[shard + 3] ^= 1;
    scene.put(&ObjectName::pack(scene.id), &pack);
    let name = ObjectName::parity(scene.id);
    let wrecked = |at: usize| {
        let mut object = scene.parity.clone();
        object[at] ^= 4;
        object
    };
    let end = scene.parity.len() - 1;
    for at in [0, head - 1, head, head + shard, end - head + 1, end] {
        scene.put(&name, &wrecked(at));
        assert!(scene.is_rebuilt(None), "one byte at {at}");
    }
    // The front is lost, or the end.
    let mut front = scene.parity.clone();
    front[..head + shard].fill(0);
    scene.put(&name, &front);
    assert!(scene.is_rebuilt(None));
    scene.put(&name, &scene.parity[..head + shard]);
    assert!(scene.is_rebuilt(None));
    scene.put(&name, &scene.parity[..head - 1]);
    assert!(!scene.is_rebuilt(None));
}

#[test]
fn hostile_parity_gives_no_wrong_byte_and_takes_no_memory_that_it_does_not_pay_for() {
    let scene = Scene::new(20);
    let (pack, parity) = (ObjectName::pack(scene.id), ObjectName::parity(scene.id));
    let mut cut = scene.pack.clone();
    cut.truncate(30_000);
    scene.put(&pack, &cut);
    // Heads that are consistent, and claim sizes that are not there.
    for (pack_size, shard, k, m) in [
        (2 << 30, 4 << 20, 512, 512),
        (16 << 30, 4 << 20, 4096, 4096),
        (2 << 30, 512 << 10, 4096, 4096),
        (64, 64, 1, 1),
        (64, 63, 2, 1),
        (64, 0, 0, 0),
        (u64::MAX, u32::MAX, u32::MAX, u32::MAX),
    ] {
        let layout = Layout { pack_size, shard, k, m };
        let count = (k as usize).saturating_add(m as usize).min(1 << 14);
        let head = Head { pack: scene.id, layout, digests: vec![[0; 16]; count] };
        let object = [head.encode_first(), vec![0; 200_000], head.encode_last()].concat();
        scene.put(&parity, &object);
        assert!(!scene.is_rebuilt(None), "{layout:?}");
        assert!(verify_parity(scene.id, &object).is_err());
    }
    // Parity of other bytes, which agrees with them and with itself.
    let mut other = scene.pack.clone();
    other[20_000] ^= 1;
    scene.put(&pack, &other);
    scene.put(&parity, &parity_of(scene.id, &other, 20));
    assert!(matches!(scene.rebuild(None), Err(Error::Damaged { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_damaged_in_both_gives_the_pack_or_nothing(
        in_pack in prop::collection::vec((0.0..1.0_f64, 1_usize..9_000), 0..4),
        in_parity in prop::collection::vec((0.0..1.0_f64, 1_usize..9_000), 0..4),
        seed in any::<u64>(),
    ) {
        let scene = Scene::new(30);
        let wreck = |bytes: &[u8], damage: &[(f64, usize)]| {
            let mut bytes = bytes.to_vec();
            for (at, length) in damage {
                let start = (bytes.len() as f64 * at) as usize;
                let end = bytes.len().min(start + length);
                bytes[start..end].copy_from_slice(&noise(end - start, seed));
            }
            bytes
        };
        scene.put(&ObjectName::pack(scene.id), &wreck(&scene.pack, &in_pack));
        scene.put(&ObjectName::parity(scene.id), &wreck(&scene.parity, &in_parity));
        let layout = Layout::for_pack(scene.pack.len() as u64, 30);
        let few = in_pack.iter().map(|(_, length)| length.div_ceil(layout.shard as usize) + 1);
        let is_covered = in_parity.is_empty() && few.sum::<usize>() <= layout.m as usize;
        let is_rebuilt = scene.is_rebuilt(None);
        prop_assert!(is_rebuilt || !is_covered);
    }
}
