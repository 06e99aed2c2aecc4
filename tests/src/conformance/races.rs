//! Calls from many threads at once.

use std::sync::Barrier;
use std::thread;

use yore_engine::backend::{Backend, Guarantee, Published};
use yore_engine::format::Area;

use super::calls::{name, names, read, read_all, write, write_new};
use crate::machine::{Random, noise};

/// The number of threads that create the same object at once.
const CREATORS: usize = 32;

/// Creates the same name in many threads: exactly one succeeds, and the object has its bytes. A destination that
/// does not promise `create_if_absent` may tell several that they did; the object has the bytes of one of them.
pub fn one_of_thirty_two_racing_creators_wins(backend: &dyn Backend) {
    for round in 0..8 {
        let name = name(Area::Sessions, round);
        let (begun, ready) = (Barrier::new(CREATORS), Barrier::new(CREATORS));
        let winners: Vec<usize> = thread::scope(|scope| {
            let create = |creator: usize| {
                let (name, begun, ready) = (&name, &begun, &ready);
                move || {
                    begun.wait();
                    let object = backend.create(name).and_then(|mut object| {
                        object.append(&vec![creator as u8; 100 + creator])?;
                        Ok(object)
                    });
                    // A creator that fails must not leave the others waiting.
                    ready.wait();
                    let published = object.and_then(|object| object.publish());
                    let published = published.expect("a lost race is no error");
                    (published == Published::Created).then_some(creator)
                }
            };
            let threads: Vec<_> = (0..CREATORS).map(|c| scope.spawn(create(c))).collect();
            threads.into_iter().filter_map(|t| t.join().expect("a creator")).collect()
        });
        let promised = backend.capabilities().create_if_absent == Guarantee::Kept;
        assert!(winners.len() == 1 || !promised, "{name} has {} creators", winners.len());
        let bytes = read_all(backend, &name);
        let winner = winners.into_iter().find(|winner| bytes == vec![*winner as u8; 100 + *winner]);
        let winner = winner.expect("the object has the bytes of a creator");
        assert_eq!(write(backend, &name, b"too late"), Published::Exists);
        assert_eq!(read_all(backend, &name), vec![winner as u8; 100 + winner], "{name}");
        assert_eq!(names(backend, Area::Sessions).len() as u64, round + 1);
    }
}

/// Reads ranges of several objects in many threads while others are published and deleted.
pub fn readers_at_once_get_the_bytes_of_their_objects(backend: &dyn Backend) {
    let objects: Vec<_> = (0..6u64)
        .map(|number| (name(Area::Packs, number), noise(20_000 + 9_000 * number as usize, number)))
        .collect();
    for (name, bytes) in &objects {
        write_new(backend, name, bytes);
    }
    thread::scope(|scope| {
        for seed in 0..16 {
            let objects = &objects;
            scope.spawn(move || {
                let mut random = Random(seed);
                for _ in 0..200 {
                    let (name, bytes) = &objects[random.below(objects.len() as u64) as usize];
                    let start = random.below(bytes.len() as u64);
                    let end = start + random.below(bytes.len() as u64 - start + 1);
                    let read = read(backend, name, start..end).expect("the object is there");
                    assert!(read == bytes[start as usize..end as usize], "{name} {start}..{end}");
                }
            });
        }
        scope.spawn(|| {
            for number in 100..130 {
                let name = name(Area::Packs, number);
                write_new(backend, &name, b"passing by");
                backend.delete(&name).expect("it can be deleted");
            }
        });
    });
}
