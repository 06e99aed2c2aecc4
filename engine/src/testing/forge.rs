//! Writes arbitrary blobs into a repository, correctly sealed, as an attacker could who holds the keys.

use std::collections::HashMap;

use crate::format::SnapshotId;
use crate::format::cbor::Writer;
use crate::format::id::BlobId;
use crate::format::keys::BlobKind;
use crate::format::object::{Kind, ObjectName};
use crate::format::pack::{Codec, Contents, FrameInfo, PackInfo, PackKey, PackKind};
use crate::format::record::{Snapshot, Totals, UnknownParts};
use crate::format::seal::{self, TAG};
use crate::format::tree::Flags;
use crate::operation::clock::now;
use crate::operation::observer::Unobserved;
use crate::repository::{MirrorWriter, Repository};
use crate::testing::writer;
use crate::{backend, repository::session};

/// Blobs to be written.
#[derive(Default)]
pub(crate) struct Forge {
    blobs: Vec<(BlobId, BlobKind, Vec<u8>)>,
    known: HashMap<BlobId, ()>,
}

impl Forge {
    /// Adds a blob.
    pub(crate) fn add(
        &mut self,
        repository: &Repository,
        kind: BlobKind,
        bytes: Vec<u8>,
    ) -> BlobId {
        let id = repository.keys.blob_id(kind, &bytes);
        if self.known.insert(id, ()).is_none() {
            self.blobs.push((id, kind, bytes));
        }
        id
    }

    /// Writes the blobs, and a snapshot with `root` that counts.
    pub(crate) fn publish(self, repository: &Repository, root: BlobId) -> SnapshotId {
        let mut packs = Vec::new();
        for kind in [PackKind::Data, PackKind::Tree] {
            let of_kind = self
                .blobs
                .iter()
                .filter(|(_, blob, _)| (*blob == BlobKind::Data) == (kind == PackKind::Data));
            let blobs: Vec<_> = of_kind.map(|(id, _, bytes)| (*id, bytes.as_slice())).collect();
            packs.extend((!blobs.is_empty()).then(|| write_pack(repository, kind, &blobs)));
        }
        let session = session::open(repository, &[0], &writer(), now()).expect("a session");
        let destination = MirrorWriter::start(repository, session, &Unobserved);
        destination.save_index(&packs).expect("an index");
        let snapshot = Snapshot {
            time: now(),
            time_given: false,
            suspicious: false,
            collected: false,
            partial: false,
            end: now(),
            utc_offset: 0,
            host: "host".into(),
            user: "me".into(),
            sources: vec![b"source".to_vec()],
            root,
            root_flags: Flags::default(),
            tags: Vec::new(),
            client: writer().client,
            sequence: 1,
            previous: None,
            seen: Vec::new(),
            totals: Totals::default(),
            program: "forge".into(),
            excludes: Vec::new(),
            uncovered: Vec::new(),
            foreign: Vec::new(),
            session: destination.session().id(),
            origin: None,
            unknown: UnknownParts::default(),
        };
        let content = snapshot.encode();
        let id = SnapshotId(repository.keys.draw_salt(&content));
        let name = ObjectName::snapshot(id);
        let object = seal::seal_whole(&repository.keys, Kind::Snapshot, &name, id.0, &content)
            .expect("sealed");
        destination.save(&name, object).expect("a snapshot");
        destination.commit(&[id], now()).expect("a verdict");
        id
    }
}

/// Commits a snapshot as it is, in a session of its own.
pub(crate) fn commit(repository: &Repository, snapshot: Snapshot) -> SnapshotId {
    commit_with(repository, snapshot, &[])
}

/// Commits a snapshot with further keys and numbers, as a newer program may write it.
pub(crate) fn commit_with(
    repository: &Repository,
    snapshot: Snapshot,
    keys: &[(u64, u64)],
) -> SnapshotId {
    let session = session::open(repository, &[0], &writer(), now()).expect("a session");
    let destination = MirrorWriter::start(repository, session, &Unobserved);
    let snapshot = Snapshot { session: destination.session().id(), ..snapshot };
    let content = with_keys(snapshot.encode(), keys);
    let id = SnapshotId(repository.keys.draw_salt(&content));
    let name = ObjectName::snapshot(id);
    let object = seal::seal_whole(&repository.keys, Kind::Snapshot, &name, id.0, &content);
    destination.save(&name, object.expect("sealed")).expect("a snapshot");
    destination.commit(&[id], now()).expect("a verdict");
    id
}

/// Appends keys with numbers to a small map.
pub(crate) fn with_keys(mut record: Vec<u8>, keys: &[(u64, u64)]) -> Vec<u8> {
    record[0] += keys.len() as u8;
    assert!(record[0] <= 0xb7, "the head of a small map is one byte");
    let mut out = Writer::new(&mut record);
    for (key, number) in keys {
        out.u64(*key).u64(*number);
    }
    record
}

fn write_pack(repository: &Repository, kind: PackKind, blobs: &[(BlobId, &[u8])]) -> PackInfo {
    let key = PackKey::draw(&repository.keys, kind, b"forged");
    let (mut object, mut contents) = (key.prefix().to_vec(), Contents::default());
    let mut rest = blobs;
    while !rest.is_empty() {
        let (mut raw, mut taken) = (Vec::new(), 0);
        while let Some((_, bytes)) = rest.get(taken)
            && (taken == 0 || raw.len() + bytes.len() <= 512 << 10)
        {
            raw.extend_from_slice(bytes);
            taken += 1;
        }
        let mut stored = zstd::bulk::compress(&raw, 3).expect("memory");
        let info = FrameInfo {
            sealed: (stored.len() + TAG) as u32,
            raw: raw.len() as u32,
            codec: Codec::Zstd,
            blobs: taken as u32,
        };
        key.seal_frame(contents.frames.len() as u32, info.raw, info.codec, &mut stored);
        object.extend_from_slice(&stored);
        contents.frames.push(info);
        let (now, after) = rest.split_at(taken);
        contents.blobs.extend(now.iter().map(|(id, bytes)| (*id, bytes.len() as u32)));
        rest = after;
    }
    object.extend_from_slice(&key.seal_end(&contents, object.len() as u64));
    let name = ObjectName::pack(key.id());
    backend::save(&**repository.backend(), &name, &object).expect("a pack");
    PackInfo { id: key.id(), kind, size: object.len() as u64, contents }
}
