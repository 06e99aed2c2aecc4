use super::*;
use yore_platform::Timestamp;

use crate::format::id::{ObjectId, RepositoryId, encode_hex};
use crate::format::keys::{BlobKind, MasterSecret};
use crate::format::record::{DestinationId, encode_destination};

fn keys(seed: u8) -> Keys {
    Keys::derive(&MasterSecret::from_bytes([seed; 32]), RepositoryId([7; 32]))
}

#[test]
fn an_object_opens_only_under_its_own_name_kind_and_key() {
    let (keys, id) = (keys(1), ObjectId([3; 32]));
    let name = ObjectName::session(id);
    let object = seal_whole(&keys, Kind::Session, &name, id.0, b"content").unwrap();
    let open = |keys: &Keys, kind, name: &ObjectName| {
        open_whole(keys, kind, name, &mut object.clone()).ok()
    };
    assert_eq!(open(&keys, Kind::Session, &name).as_deref(), Some(b"content".as_slice()));
    assert_eq!(open(&keys, Kind::Verdict, &name), None);
    assert_eq!(open(&keys, Kind::Session, &ObjectName::session(ObjectId([4; 32]))), None);
    assert_eq!(open(&self::keys(2), Kind::Session, &name), None);
}

#[test]
fn the_example_of_the_format_page_is_what_is_written() {
    let counted = |from: u8| std::array::from_fn::<u8, 32, _>(|at| from + at as u8);
    let repository = RepositoryId(counted(0x20));
    let keys = Keys::derive(&MasterSecret::from_bytes(counted(0)), repository);
    let destination = DestinationId(std::array::from_fn(|at| 0x60 + at as u8));
    let created = Timestamp { seconds: 1_800_000_000, nanos: 0 };
    let content = encode_destination(destination, created);
    let name = ObjectName::destination();
    let object = seal_whole(&keys, Kind::Destination, &name, counted(0x40), &content).unwrap();
    let page: String = include_str!("../../../FORMAT.md").split_whitespace().collect();
    assert!(page.contains(&encode_hex(&object)), "{}", encode_hex(&object));
    let blob = keys.blob_id(BlobKind::Data, b"hello");
    assert!(page.contains(&blob.to_string()), "{blob}");
}

#[test]
fn every_flipped_bit_and_every_truncation_is_detected() {
    let (keys, id) = (keys(1), ObjectId([3; 32]));
    let name = ObjectName::index(id);
    let object = seal_whole(&keys, Kind::Index, &name, id.0, &[5; 300]).unwrap();
    for byte in 0..object.len() {
        let mut altered = object.clone();
        altered[byte] ^= 1 << (byte % 8);
        assert!(open_whole(&keys, Kind::Index, &name, &mut altered).is_err(), "byte {byte}");
        let mut shorter = object[..byte].to_vec();
        assert!(open_whole(&keys, Kind::Index, &name, &mut shorter).is_err(), "length {byte}");
    }
}

#[test]
fn another_implementation_opens_what_is_sealed() {
    use aes_gcm::aead::{AeadInOut, KeyInit};
    let (keys, id) = (keys(1), ObjectId([3; 32]));
    let key = ObjectKey::for_writing(&keys, Kind::DataPack, &ObjectName::pack(id), id.0);
    let (bytes, _) = object_key::key_pair(&keys, Kind::DataPack, &id.0, 1).expect("it is known");
    for length in [0, 1, 15, 16, 17, 255, 256, 257, 4095, 100_000] {
        let plain: Vec<u8> = (0..length).map(|n| (n * 7) as u8).collect();
        let mut sealed = plain.clone();
        key.seal(Counter::frame(length), b"position", &mut sealed, 0);
        let mut opened = sealed.clone();
        let opened = key.open(Counter::frame(length), b"position", &mut opened);
        assert_eq!(opened.as_deref(), Some(plain.as_slice()));
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&(u64::from(length) + 1).to_be_bytes());
        let (body, tag) = sealed.split_at_mut(plain.len());
        aes_gcm::Aes256Gcm::new((&*bytes).into())
            .decrypt_inout_detached(
                &nonce.into(),
                &key.associated(b"position"),
                (&mut *body).into(),
                (&*tag).try_into().unwrap(),
            )
            .unwrap();
        assert_eq!(body, plain);
    }
}
