use super::*;

fn keys() -> (MasterSecret, RepositoryId, Keys) {
    let (master, repository) = (MasterSecret::draw(), RepositoryId([3; 32]));
    let keys = Keys::derive(&master, repository);
    (master, repository, keys)
}

#[test]
fn a_removal_names_slots_and_no_secret_opens_it() {
    let (_, repository, keys) = keys();
    let removed = [ObjectId([1; 32]), ObjectId([2; 32])];
    let removal = removal::create(&keys, repository, &removed, 7);
    let name = ObjectName::slot(removal.id);
    let bytes = removal.encode(&keys);
    let read = Slot::decode(&name, repository, &bytes).expect("it decodes");
    read.verify(&keys).expect("it is authentic");
    assert_eq!((&read, read.kind, &*read.removes), (&removal, None, &removed[..]));
    let other = Keys::derive(&MasterSecret::draw(), repository);
    assert!(read.verify(&other).is_err(), "only holders of the keys can make one");
    for secret in [Secret::draw_key_file(), Secret::draw_recovery()] {
        assert!(read.open(repository, &secret).is_none());
    }
}

#[test]
fn the_largest_removal_fits_a_slot() {
    let (_, repository, keys) = keys();
    let removed: Vec<_> = (0..removal::MAX_REMOVED).map(|n| ObjectId([n as u8; 32])).collect();
    let length = removal::create(&keys, repository, &removed, i64::MAX).encode(&keys).len();
    assert!(length as u64 <= MAX_SLOT, "{length}");
}

#[test]
fn a_slot_of_a_secret_removes_nothing_whatever_its_keys_say() {
    let (_, repository, keys) = keys();
    let removal = removal::create(&keys, repository, &[ObjectId([1; 32])], 7);
    // Key 1 of the body, the kind, is the byte after its key.
    let mut body = removal.body.clone();
    let at = body.iter().position(|byte| *byte == 1).expect("the key");
    let place = (at..body.len()).find(|at| body[*at..*at + 3] == [1, 0, 2]).expect("the kind");
    body[place + 1] = SecretKind::KeyFile as u8;
    let other = Slot { body, ..removal };
    let (read, _) = parse(&other.encode(&keys)).expect("it decodes");
    assert_eq!((read.kind, read.removes.len()), (Some(SecretKind::KeyFile), 0));
}

#[test]
fn a_slot_of_an_unknown_kind_is_read_whatever_its_keys_mean() {
    let (_, repository, keys) = keys();
    let slot = of_unknown_kind(&keys, repository);
    let name = ObjectName::slot(slot.id);
    let read = Slot::decode(&name, repository, &slot.encode(&keys)).expect("it decodes");
    read.verify(&keys).expect("it is authentic");
    assert!(read.is_of_unknown_kind() && read.label == "new", "{read:?}");
    assert!(read.open(repository, &Secret::draw_key_file()).is_none());
    let (_, _, other) = self::keys();
    let forged = Slot::decode(&name, repository, &slot.encode(&other)).expect("it decodes");
    assert!(forged.verify(&keys).is_err(), "only holders of the keys can make one");
}
