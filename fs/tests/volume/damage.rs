//! Damage stays where it is, and never looks like emptiness.

use std::fs;
use std::path::{Path, PathBuf};

use yore_platform::VolumeError;

use crate::harness::{MORNING, World, at, capture, list_from, noise, read_all, resolve};

/// The packs of a kind: 1 data, 2 trees (FORMAT.md §1).
fn packs(world: &World, kind: u8) -> Vec<PathBuf> {
    let is_kind = |path: &PathBuf| fs::read(path).expect("a pack")[5] == kind;
    world.objects("packs").into_iter().filter(is_kind).collect()
}

/// Flips a bit in every frame of a pack.
fn damage(pack: &Path) {
    let mut bytes = fs::read(pack).expect("a pack");
    bytes.iter_mut().skip(80).step_by(1000).for_each(|byte| *byte ^= 1);
    fs::remove_file(pack).expect("it can be replaced");
    fs::write(pack, bytes).expect("written");
}

#[test]
fn a_damaged_pack_damages_its_files_alone() {
    let world = World::new();
    let source = world.source("source");
    for n in 0..8 {
        fs::write(source.join(format!("file {n}")), noise(900_000, n)).expect("a file");
    }
    let model = capture(&source);
    world.back_up(&[&source], MORNING);
    let data = packs(&world, 1);
    assert!(data.len() >= 3, "several packs");
    damage(&data[0]);
    let volume = world.volume();
    let (mut whole, mut damaged) = (0, 0);
    for (path, expected) in model.iter().filter(|(path, _)| !path.is_empty()) {
        let full = [&at("latest", &source)[..], b"/", path].concat();
        let ino = resolve(&volume, &full).expect("it is listed").attr.ino;
        match read_all(&volume, ino) {
            Ok(bytes) => {
                assert!(bytes == expected.bytes, "never a wrong byte");
                whole += 1;
            }
            Err(error) => {
                assert_eq!(error, VolumeError::Damaged);
                damaged += 1;
            }
        }
    }
    assert!(whole >= 2 && damaged >= 1, "{whole} whole, {damaged} damaged");
}

#[test]
fn a_directory_that_cannot_be_read_is_not_empty() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("file"), b"x").expect("a file");
    world.back_up(&[&source], MORNING);
    packs(&world, 2).iter().for_each(|pack| damage(pack));
    let volume = world.volume();
    for state in ["latest", "snapshots/2026-01-15T103000"] {
        let ino = resolve(&volume, state.as_bytes()).expect("the state is there").attr.ino;
        let (names, answer) = list_from(&volume, ino, 0);
        assert!(names.is_empty());
        assert_eq!(answer, Err(VolumeError::Damaged));
    }
    let path = at("latest", &source);
    assert_eq!(resolve(&volume, &path).expect_err("not known"), VolumeError::Damaged);
}

#[test]
fn a_pack_that_comes_back_is_read_again() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("file"), noise(900_000, 1)).expect("a file");
    world.back_up(&[&source], MORNING);
    let volume = world.volume();
    let ino = resolve(&volume, &at("latest", &source.join("file"))).expect("there").attr.ino;
    let packs = packs(&world, 1);
    let away = |path: &PathBuf| path.with_extension("away");
    packs.iter().for_each(|pack| fs::rename(pack, away(pack)).expect("moved"));
    assert_eq!(read_all(&volume, ino), Err(VolumeError::Damaged));
    packs.iter().for_each(|pack| fs::rename(away(pack), pack).expect("moved"));
    assert!(read_all(&volume, ino).expect("it reads") == noise(900_000, 1));
}
