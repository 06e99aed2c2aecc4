//! Reading files: holes, seeking, reading ahead.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write};

use yore_platform::{Ino, Seek, Volume, VolumeError};

use crate::harness::{MORNING, World, assert_shows, at, capture, noise, read, resolve};

#[test]
fn holes_read_as_zeros_and_are_found_by_seeking() {
    let world = World::new();
    let source = world.source("source");
    let mut file = File::create(source.join("sparse")).expect("a file");
    file.write_all(&noise(65_536, 1)).expect("written");
    file.seek(SeekFrom::Start(8 << 20)).expect("a position");
    file.write_all(&noise(65_536, 2)).expect("written");
    file.set_len(32 << 20).expect("a length");
    file.sync_all().expect("written");
    drop(file);
    let model = capture(&source);
    world.back_up(&[&source], MORNING);
    let volume = world.volume();
    assert_shows(&volume, &at("latest", &source), &model);
    let attr = resolve(&volume, &at("latest", &source.join("sparse"))).expect("there").attr;
    assert_eq!((attr.size, attr.allocated), (32 << 20, 131_072));
    let seek = |offset, whence| volume.seek(attr.ino, offset, whence);
    assert_eq!(seek(0, Seek::Data), Ok(0));
    assert_eq!(seek(0, Seek::Hole), Ok(65_536));
    assert_eq!(seek(65_536, Seek::Data), Ok(8 << 20));
    assert_eq!(seek(8 << 20, Seek::Hole), Ok((8 << 20) + 65_536));
    assert_eq!(seek(9 << 20, Seek::Data), Err(VolumeError::BeyondEnd));
    assert_eq!(seek(32 << 20, Seek::Hole), Err(VolumeError::BeyondEnd));
    assert_eq!(read(&volume, attr.ino, 4 << 20, 1000), Ok(vec![0; 1000]));
}

#[test]
fn reading_in_order_is_right_with_any_number_of_prefetching_threads() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("large"), noise(20_000_000, 1)).expect("a file");
    for n in 0..300 {
        fs::write(source.join(format!("n{n:03}")), noise(9000, n)).expect("a file");
    }
    let model = capture(&source);
    world.back_up(&[&source], MORNING);
    for threads in [0, 1, 3] {
        // Less than the file: what is read ahead must not push out what is being read.
        let volume = world.volume_with(|options| {
            options.prefetch_threads = threads;
            options.cache_size = 12 << 20;
        });
        assert_shows(&volume, &at("latest", &source), &model);
    }
}

#[test]
fn calls_for_another_kind_of_file_are_refused() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("file"), b"x").expect("a file");
    world.back_up(&[&source], MORNING);
    let volume = world.volume();
    let directory = resolve(&volume, &at("latest", &source)).expect("there").attr.ino;
    let file = resolve(&volume, &at("latest", &source.join("file"))).expect("there").attr.ino;
    assert_eq!(read(&volume, directory, 0, 10), Err(VolumeError::IsDirectory));
    assert_eq!(read(&volume, Ino::ROOT, 0, 10), Err(VolumeError::IsDirectory));
    assert_eq!(volume.seek(directory, 0, Seek::Data), Err(VolumeError::IsDirectory));
    assert_eq!(volume.lookup(file, b"x").expect_err("no"), VolumeError::NotDirectory);
    assert_eq!(volume.read_link(file), Err(VolumeError::NotSymlink));
    let long = vec![b'x'; 256];
    assert_eq!(volume.lookup(directory, &long).expect_err("no"), VolumeError::NameTooLong);
}
