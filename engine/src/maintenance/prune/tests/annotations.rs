//! Annotations that nobody needs.

use super::*;
use crate::backend::save;
use crate::format::object::Kind;
use crate::format::record::Annotation;
use crate::format::seal;
use crate::repository::annotate;

fn annotations(scene: &Scene) -> Vec<ObjectName> {
    scene.sample.repository.backend().names(Area::Annotations).expect("a list")
}

/// As a writer leaves one that saw the snapshot before it was forgotten, or a prune that was killed.
#[test]
fn annotations_of_forgotten_snapshots_are_deleted_also_after_the_snapshots() {
    let scene = Scene::new();
    let repository = scene.sample.reopen_with(Some(scene.sample.folder.path().join("cache")));
    let run = || {
        let report = prune(&repository, &at_once(), &writer(), time(LATER), &Unobserved);
        report.expect("a prune").destinations.remove(0)
    };
    scene.write("a", 1);
    let first = scene.back_up(100);
    scene.write("a", 2);
    let second = scene.back_up(200);
    for id in [first, second] {
        annotate(&repository, id, &writer(), time(300), |one| one.tags = vec!["note".into()])
            .expect("annotated");
    }
    let late = ObjectName::annotation(first, 0);
    let bytes = fs::read(scene.sample.path().join(late.as_str())).expect("an annotation");
    scene.sample.forget(first);
    assert!(run().deleted_records > 0);
    assert_eq!(annotations(&scene), [ObjectName::annotation(second, 0)]);
    while !run().is_unchanged() {}
    save(&**repository.backend(), &late, &bytes).expect("saved");
    assert_eq!(run().deleted_records, 1);
    assert_eq!(annotations(&scene), [ObjectName::annotation(second, 0)]);
    scene.assert_sound(1);
}

/// A destination that is away may have the snapshot.
#[test]
fn an_annotation_of_a_snapshot_that_nobody_forgot_stays_where_the_snapshot_is_not() {
    let scene = Scene::new();
    scene.write("a", 1);
    scene.back_up(100);
    let (snapshot, repository) = (SnapshotId([9; 32]), &scene.sample.repository);
    let annotation = Annotation {
        snapshot,
        time: time(3),
        host: "host".into(),
        user: "me".into(),
        pinned: true,
        tags: Vec::new(),
        labels: std::collections::BTreeMap::new(),
        unknown: Vec::new(),
    };
    let (name, content) = (ObjectName::annotation(snapshot, 0), annotation.encode());
    let salt = repository.keys.draw_salt(&content);
    let object = seal::seal_by_any(&repository.keys, Kind::Annotation, &name, salt, &content);
    save(&**repository.backend(), &name, &object).expect("saved");
    scene.prune();
    assert_eq!(annotations(&scene), [name]);
}
