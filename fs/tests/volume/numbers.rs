//! Inode numbers, and the memory that they cost.

use std::fs;

use yore_platform::Volume;

use crate::harness::{HOUR, MORNING, World, assert_shows, at, capture, list_from, resolve};

#[test]
fn an_unchanged_directory_has_the_same_files_in_every_snapshot() {
    let world = World::new();
    let source = world.same_beside_changing();
    let volume = world.volume();
    let ino = |state: &str, name: &str| {
        resolve(&volume, &at(state, &source.join(name))).expect("there").attr.ino
    };
    let (first, second) = ("snapshots/2026-01-15T103000", "snapshots/2026-01-15T113000");
    assert_eq!(ino(first, "same/file"), ino(second, "same/file"));
    assert_eq!(ino("latest", "same/file"), ino(second, "same/file"));
    assert_ne!(ino(first, "changing"), ino(second, "changing"));
    // A directory has one place in one tree.
    assert_ne!(ino(first, "same"), ino(second, "same"));
    assert_eq!(ino(first, "same"), ino(first, "same"));
}

#[test]
fn an_unchanged_file_of_a_changed_directory_keeps_its_number() {
    let world = World::new();
    let source = world.source("source");
    for name in ["a", "b", "c", "d", "e"] {
        fs::write(source.join(name), name.repeat(1000)).expect("a file");
    }
    let model: Vec<_> = (0..4)
        .map(|hour| {
            world.back_up(&[&source], MORNING + hour * HOUR);
            let model = capture(&source);
            fs::write(source.join(format!("b{hour}")), b"new").expect("a file");
            fs::write(source.join("d"), hour.to_string()).expect("a file");
            model
        })
        .collect();
    let volume = world.volume();
    let states = ["103000", "113000", "123000", "133000"];
    let ino = |time: &str, name: &str| {
        let state = format!("snapshots/2026-01-15T{time}");
        resolve(&volume, &at(&state, &source.join(name))).expect("there").attr.ino
    };
    for name in ["a", "b", "c", "e"] {
        let numbers = states.map(|state| ino(state, name));
        assert_eq!(numbers, [numbers[0]; 4], "{name}");
    }
    assert_eq!(ino(states[1], "b0"), ino(states[3], "b0"));
    let changing = states.map(|state| ino(state, "d"));
    assert_eq!(changing.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    for (state, model) in states.iter().zip(&model) {
        assert_shows(&volume, &at(&format!("snapshots/2026-01-15T{state}"), &source), model);
    }
}

#[test]
fn an_unchanged_file_of_a_large_changed_directory_keeps_its_number() {
    let world = World::new();
    let source = world.source("source");
    for n in 0..10_000 {
        fs::write(source.join(format!("file {n:05}")), b"").expect("a file");
    }
    world.back_up(&[&source], MORNING);
    fs::write(source.join("file 04711a"), b"new").expect("a file");
    world.back_up(&[&source], MORNING + HOUR);
    let volume = world.volume();
    let list = |state: &str| {
        let ino = resolve(&volume, &at(state, &source)).expect("there").attr.ino;
        let (all, answer) = list_from(&volume, ino, 0);
        answer.expect("it lists");
        let number = |(name, attr, _): (Vec<u8>, yore_platform::Attr, u64)| (name, attr.ino);
        all.into_iter().map(number).collect::<std::collections::HashMap<_, _>>()
    };
    let (old, new) = (list("snapshots/2026-01-15T103000"), list("snapshots/2026-01-15T113000"));
    let kept = old.iter().filter(|(name, ino)| new.get(*name) == Some(ino)).count();
    assert_eq!((kept, new.len()), (10_000, 10_001));
}

#[test]
fn names_of_one_file_have_one_number_in_a_state() {
    let world = World::new();
    let source = world.source("source");
    fs::create_dir(source.join("below")).expect("a folder");
    fs::write(source.join("one"), b"linked").expect("a file");
    fs::write(source.join("alone"), b"alone").expect("a file");
    fs::hard_link(source.join("one"), source.join("two")).expect("a link");
    fs::hard_link(source.join("one"), source.join("below/three")).expect("a link");
    let model = capture(&source);
    world.back_up(&[&source], MORNING);
    let volume = world.volume();
    let attr =
        |name: &str| resolve(&volume, &at("latest", &source.join(name))).expect("there").attr;
    assert_eq!(attr("one").ino, attr("two").ino);
    assert_eq!(attr("one").ino, attr("below/three").ino);
    assert_ne!(attr("one").ino, attr("alone").ino);
    assert_eq!((attr("one").links, attr("alone").links), (3, 1));
    assert_shows(&volume, &at("latest", &source), &model);
    assert_eq!(volume.table_sizes().links, 1);
}

#[test]
fn a_listing_of_ten_thousand_goes_on_from_any_position() {
    let world = World::new();
    let source = world.source("source");
    for n in 0..10_000 {
        fs::write(source.join(format!("file {n:05}")), b"").expect("a file");
    }
    world.back_up(&[&source], MORNING);
    let volume = world.volume();
    let ino = resolve(&volume, &at("latest", &source)).expect("there").attr.ino;
    let before = volume.table_sizes();
    let (all, answer) = list_from(&volume, ino, 0);
    answer.expect("it lists");
    assert_eq!(all.len(), 10_000);
    assert!(all.is_sorted_by(|a, b| a.0 < b.0));
    for start in (0..=10_000usize).step_by(77).chain([9_999, 10_000]) {
        let from = start.checked_sub(1).map_or(0, |n| all[n].2);
        let (rest, answer) = list_from(&volume, ino, from);
        answer.expect("it lists");
        assert!(rest == all[start..], "from {start}");
    }
    for (name, attr, _) in all.iter().step_by(97) {
        assert_eq!(volume.lookup(ino, name).expect("there").attr, *attr);
    }
    // Files cost no memory: what was added is the leaves.
    let after = volume.table_sizes();
    assert_eq!((after.places, after.links), (before.places, 0));
    assert!(after.trees - before.trees <= 40, "{after:?}");
}
