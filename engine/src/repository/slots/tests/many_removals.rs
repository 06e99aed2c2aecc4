//! Removing more slots than one removal names.

use super::*;
use crate::format::slot;
use crate::format::slot::removal::MAX_REMOVED;

#[test]
fn more_slots_than_a_removal_names_are_all_removed_everywhere() {
    let scene = Scene::new();
    let both = scene.both();
    let master = add::master_secret(&both, scene.sample.secret()).expect("it opens");
    let count = MAX_REMOVED + 76;
    let mut ids = Vec::new();
    for number in 0..count {
        let secret = Secret::draw_key_file();
        let slot = slot::create(&master, both.id(), &secret, "", number as i64, CHEAP);
        let (name, object) = (ObjectName::slot(slot.id), slot.encode(&both.keys));
        for folder in [scene.sample.path(), scene.second.clone()] {
            fs::write(folder.join(name.as_str()), &object).expect("written");
        }
        ids.push(slot.id);
    }
    // The second is away: what no removal names would come back from there.
    remove_slots(&scene.first(), &removal(&ids)).expect("removed");
    let known = known_slots(&scene.first()).expect("slots");
    assert_eq!((known.list.len(), known.removals.len()), (1, 2));
    assert!(known.removals.iter().all(|one| one.slot.removes.len() <= MAX_REMOVED));
    let report = scene.sync();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.destinations[1].removed_slots, count as u64);
    let left = known_slots(&scene.both()).expect("slots").list;
    assert_eq!(left.iter().map(|one| one.slot.id).collect::<Vec<_>>(), [own_slot(&both)]);
    scene.assert_sound();
}
