//! Lists are complete, ordered and consistent.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use yore_engine::backend::Backend;
use yore_engine::format::{Area, ObjectName};

use super::calls::{assert_lists_together, list, name, names, write_new};

/// The number of objects in the long list.
const MANY: u64 = 10_000;

/// Writes one object into every area, with the same id, and lists them all.
pub fn the_objects_of_every_area_are_listed_there_and_nowhere_else(backend: &dyn Backend) {
    let alone = [ObjectName::header(), ObjectName::destination()];
    for (length, name) in alone.iter().enumerate() {
        write_new(backend, name, &b"alone"[..length]);
    }
    for area in Area::ALL {
        assert_eq!(list(backend, area), [], "{area:?} before anything is in it");
    }
    for (length, area) in Area::ALL.into_iter().enumerate() {
        write_new(backend, &name(area, 7), &b"area by area"[..length]);
    }
    for (length, area) in Area::ALL.into_iter().enumerate() {
        assert_eq!(list(backend, area), [(name(area, 7), length as u64)], "{area:?}");
        assert_eq!(names(backend, area), [name(area, 7)], "{area:?}");
    }
    assert_lists_together(backend, &Area::ALL);
    assert_lists_together(backend, &[Area::Snapshots, Area::Forgotten]);
    assert_lists_together(backend, &[Area::Index]);
}

/// Lists repeatedly while another thread publishes: every object published before a list began is in it.
pub fn a_list_holds_what_was_published_before_it_began(backend: &dyn Backend) {
    let published = AtomicU64::new(0);
    thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            for number in 0..200 {
                write_new(backend, &name(Area::Packs, number), b"pack");
                published.store(number + 1, Ordering::SeqCst);
            }
        });
        while !publisher.is_finished() {
            let before = published.load(Ordering::SeqCst);
            let listed = list(backend, Area::Packs);
            for number in 0..before {
                let name = name(Area::Packs, number);
                assert!(listed.iter().any(|(listed, _)| *listed == name), "{name} is not listed");
            }
            assert!(listed.is_sorted() && listed.iter().all(|(_, size)| *size == 4));
        }
    });
    assert_eq!(names(backend, Area::Packs).len(), 200);
}

/// Writes ten thousand objects from several threads and lists them.
pub fn ten_thousand_objects_are_listed_in_order(backend: &dyn Backend) {
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= MANY {
                        break;
                    }
                    write_new(backend, &name(Area::Index, number), &number.to_le_bytes()[..3]);
                }
            });
        }
    });
    the_ten_thousand_objects_are_listed_in_order(backend);
}

/// Writes the ten thousand objects as files of a folder.
pub fn ten_thousand_objects_in_folder(folder: &Path) {
    std::fs::create_dir_all(folder.join(Area::Index.folder())).expect("a folder");
    for number in 0..MANY {
        let file = folder.join(name(Area::Index, number).as_str());
        std::fs::write(file, &number.to_le_bytes()[..3]).expect("a file");
    }
}

/// Lists the ten thousand objects that are there.
pub fn the_ten_thousand_objects_are_listed_in_order(backend: &dyn Backend) {
    let mut expected: Vec<_> = (0..MANY).map(|number| name(Area::Index, number)).collect();
    expected.sort();
    assert!(names(backend, Area::Index) == expected, "names, in order and each once");
    let listed = list(backend, Area::Index);
    assert!(listed.iter().map(|(name, _)| name).eq(&expected), "the list, in order and each once");
    assert!(listed.iter().all(|(_, size)| *size == 3), "sizes");
    for area in [Area::Headers, Area::Keys, Area::Sessions] {
        write_new(backend, &name(area, 1), b"few");
    }
    // Within the long list, and on both sides of it.
    assert_lists_together(backend, &[Area::Sessions, Area::Index, Area::Forgotten]);
    assert_lists_together(backend, &[Area::Sessions, Area::Headers]);
}
