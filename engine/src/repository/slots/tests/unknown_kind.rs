//! Slots of a newer program, of a kind that this one does not know.

use super::*;
use crate::format::slot::of_unknown_kind;

#[test]
fn a_slot_of_an_unknown_kind_is_no_damage_and_nothing_removes_it() {
    let scene = Scene::new();
    let (first, both) = (scene.first(), scene.both());
    let slot = of_unknown_kind(&both.keys, both.id());
    let name = ObjectName::slot(slot.id);
    save(&**first.backend(), &name, &slot.encode(&both.keys)).expect("saved");
    assert!(scene.sync().is_whole(), "it is copied like any slot");
    let known = known_slots(&both).expect("slots");
    assert!(known.problems.is_empty(), "{:?}", known.problems);
    let listed = known.get(slot.id).expect("it is listed");
    assert!(listed.slot.is_of_unknown_kind() && !listed.counts(), "{listed:?}");
    assert_eq!(listed.destinations, [0, 1]);
    let found = check(&first, &CheckOptions::default(), &RecordingObserver::default());
    let found = found.expect("it ends");
    assert!(found.is_sound(), "{:?}", found.problems);
    assert!(found.notes.iter().any(|note| note.contains("does not know")), "{:?}", found.notes);
    let refused = remove_slots(&both, &removal(&[slot.id])).err();
    let is_refused = matches!(refused, Some(Error::Refused(Refusal::UnknownKindOfKey { .. })));
    assert!(is_refused, "{refused:?}");
    let secret = scene.sample.secret();
    let new = [NewSlot { secret, label: "", cost: CHEAP, time: time(4) }];
    rotate(&both, secret, &new, time(4)).expect("rotated");
    for place in scene.both().destinations() {
        assert!(place.backend().names(Area::Keys).expect("names").contains(&name));
    }
    scene.assert_sound();
}
