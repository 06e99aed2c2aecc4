//! Altered samples of a real repository, and the corpus of the fuzzers: samples, and what they have found.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::backend;
use crate::format::object::{Area, Kind};
use crate::format::seal::{MAX_OBJECT, open_whole};
use crate::index as indexes;
use crate::repository::annotate;
use crate::repository::forget::forget;
use crate::store::parity::parity_of;
use crate::testing::{Sample, time, writer};

/// The number of alterations of each sample.
const ALTERATIONS: u64 = 3_000;

/// The corpus: a folder for each decoder.
fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus")
}

/// A repository that has an object of each kind.
fn repository() -> Sample {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir_all(source.join("sub")).expect("a folder");
    fs::write(source.join("small"), "small").expect("a file");
    let large: Vec<u8> = (0..400_000_u32).flat_map(|n| n.wrapping_mul(n).to_be_bytes()).collect();
    fs::write(source.join("sub/large"), large).expect("a file");
    sample.back_up(&source, 1_000);
    let forgotten = sample.newest().id;
    sample.back_up(&source, 2_000);
    let (repository, writer) = (&sample.repository, writer());
    annotate(repository, sample.newest().id, &writer, time(3), |annotation| {
        annotation.labels.insert("key".into(), "value".into());
    })
    .expect("annotated");
    forget(repository, &[forgotten], &writer, time(4), "test").expect("forgotten");
    sample
}

/// Returns samples of what each decoder reads.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let sample = repository();
    let (repository, mut found) = (&sample.repository, Vec::new());
    let backend = &**repository.backend();
    let load = |name: &ObjectName| {
        backend::load(backend, name, MAX_OBJECT as u64).expect("an object").to_vec()
    };
    found.push(("header", load(&ObjectName::header())));
    for name in backend.names(Area::Keys).expect("slots") {
        found.push(("slot", load(&name)));
    }
    let sealed = [
        (Area::Index, Kind::Index, "index"),
        (Area::Snapshots, Kind::Snapshot, "snapshot"),
        (Area::Annotations, Kind::Annotation, "annotation"),
        (Area::Forgotten, Kind::Tombstone, "tombstone"),
    ];
    for (area, kind, decoder) in sealed {
        for name in backend.names(area).expect("objects") {
            let content = open_whole(&repository.keys, kind, &name, &mut load(&name));
            found.push((decoder, content.expect("it is whole")));
        }
    }
    for name in backend.names(Area::Sessions).expect("sessions") {
        let (kind, decoder) = match name.suffix() {
            None => (Kind::Session, "session"),
            Some(_) => (Kind::Verdict, "verdict"),
        };
        let content = open_whole(&repository.keys, kind, &name, &mut load(&name));
        found.push((decoder, content.expect("it is whole")));
    }
    found.extend(samples_of_packs(&sample));
    let generation = Generation {
        number: 3,
        packs: vec![ObjectId([1; 32]), ObjectId([2; 32])],
        floor: 2,
        time: time(5),
        program: "yore test".into(),
        destination: repository.primary().id(),
    };
    found.push(("generation", generation.encode()));
    let tombstone = found.iter().find(|(decoder, _)| *decoder == "tombstone");
    let tombstone = tombstone.expect("a sample").1.clone();
    let list = TombstoneList { time: time(6), contents: vec![tombstone.clone(), tombstone] };
    found.push(("tombstones", list.encode()));
    let texts = [Secret::draw_key_file(), Secret::draw_recovery()].map(|secret| secret.to_text());
    found.extend(texts.into_iter().flatten().map(|text| ("secret", text.as_bytes().to_vec())));
    for area in Area::ALL {
        let names = backend.names(area).expect("names").into_iter();
        found.extend(names.map(|name| ("name", name.as_str().as_bytes().to_vec())));
    }
    found
}

/// Returns contents, trees, lists and frames of the packs.
fn samples_of_packs(sample: &Sample) -> Vec<(&'static str, Vec<u8>)> {
    let (repository, mut found) = (&sample.repository, Vec::new());
    let backend = &**repository.backend();
    for stored in backend.list(Area::Packs).expect("packs") {
        let id = stored.name.id().map(ObjectId).expect("an id");
        let pack = indexes::load_contents(backend, &repository.keys, id, stored.size);
        let mut contents = Vec::new();
        pack.expect("it is whole").contents.encode(&mut contents);
        found.push(("contents", contents));
    }
    let reader = sample.reader();
    let newest = sample.newest().snapshot;
    let mut left = vec![newest.root];
    while let Some(id) = left.pop() {
        let blob = reader.blob(crate::format::keys::BlobKind::Tree, &id).expect("a tree");
        found.push(("tree", blob.to_vec()));
        found.push(("list", [&[0], &*blob].concat()));
        let mut nodes = reader.nodes(&id).expect("a tree");
        while let Some(node) = nodes.try_next().expect("a node") {
            left.extend(node.subtree);
        }
    }
    let text = vec![b'x'; 70_000];
    let stored = zstd::bulk::compress(&text, 3).expect("compressed");
    found.push(("frame", [&70_000_u32.to_be_bytes()[1..], &[1], &*stored].concat()));
    found.push(("frame", [&5_u32.to_be_bytes()[1..], &[0], b"hello"].concat()));
    let mut padded = Vec::new();
    seal::append_padded(&mut padded, b"some content that is padded", 0);
    found.push(("padded", padded));
    let pack: Vec<u8> = (0..9_000_u32).flat_map(|n| n.to_be_bytes()).collect();
    found.push(("parity", parity_of(ObjectId([1; 32]), &pack, 10)));
    found
}

fn decoder(name: &str) -> fn(&[u8]) {
    DECODERS.iter().find(|(of, _)| *of == name).expect("a decoder").1
}

/// Draws numbers that are the same in each run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) as usize) % limit.max(1)
    }
}

/// Alters bytes in one of the ways in which storages, and people who mean harm, do.
fn alter(bytes: &mut Vec<u8>, other: &[u8], draw: &mut Draw) {
    let at = draw.below(bytes.len());
    match draw.below(7) {
        0 => bytes.truncate(at),
        1 if !bytes.is_empty() => bytes[at] ^= 1 << draw.below(8),
        2 if !bytes.is_empty() => {
            bytes[at] = [0, 0x1b, 0x5b, 0x7f, 0x9b, 0xbb, 0xff][draw.below(7)]
        }
        3 => bytes.insert(at, draw.below(256) as u8),
        4 if !bytes.is_empty() => drop(bytes.remove(at)),
        5 => {
            let from = draw.below(other.len());
            let to = (from + draw.below(64)).min(other.len());
            bytes.splice(at..at, other[from..to].iter().copied());
        }
        _ => bytes.extend_from_slice(&u64::MAX.to_be_bytes()),
    }
}

#[test]
fn altered_samples_of_a_repository_end_every_decoder_with_an_answer() {
    let samples = samples();
    for (name, _) in DECODERS {
        assert!(samples.iter().any(|(of, _)| *of == name), "no sample for {name}");
    }
    let mut draw = Draw(1);
    for (name, original) in &samples {
        let decode = decoder(name);
        decode(original);
        let other = &samples[draw.below(samples.len())].1;
        let alterations = ALTERATIONS.min(60_000_000 / (original.len() as u64 + 1)).max(50);
        for _ in 0..alterations {
            let mut bytes = original.clone();
            for _ in 0..=draw.below(3) {
                alter(&mut bytes, other, &mut draw);
            }
            decode(&bytes);
        }
    }
}

#[test]
fn everything_that_a_fuzzer_found_ends_with_an_answer() {
    let mut count = 0;
    for (name, decode) in DECODERS {
        let entries = fs::read_dir(corpus().join(name)).expect("a folder for each decoder");
        for entry in entries {
            decode(&fs::read(entry.expect("an entry").path()).expect("a file"));
            count += 1;
        }
    }
    assert!(count >= DECODERS.len(), "{count}");
}
