//! Opening a repository again at a destination whose requests cost round trips.

use std::fs;

use super::*;
use crate::error::Error;
use crate::testing::Sample;
use crate::testing::distant::DistantFolder;

struct Scene {
    sample: Sample,
    cache: PathBuf,
}

impl Scene {
    /// Makes a repository that was opened here before.
    fn new() -> Self {
        let sample = Sample::new();
        let cache = sample.folder.path().join("cache");
        let scene = Self { sample, cache };
        scene.open().expect("it opens");
        scene
    }

    fn backend(&self) -> Arc<DistantFolder> {
        Arc::new(DistantFolder::new(self.sample.path()))
    }

    fn open(&self) -> Result<crate::repository::Repository> {
        self.sample.open_through(self.backend(), Some(self.cache.clone()))
    }

    fn kept_file(&self) -> PathBuf {
        file(&self.cache, &self.backend().location())
    }
}

#[test]
fn a_removed_slot_does_not_open_what_the_cache_keeps() {
    let scene = Scene::new();
    let keys = scene.sample.path().join("keys");
    let slot = fs::read_dir(&keys).expect("slots").next().expect("one").expect("an entry").path();
    let aside = scene.sample.folder.path().join("aside");
    fs::rename(&slot, &aside).expect("moved");
    assert!(matches!(scene.open(), Err(Error::WrongSecret { .. })));
    let kept = Kept::load(&scene.cache, &scene.backend().location()).expect("the file");
    assert!(kept.slots.is_empty(), "the cache keeps no copy of a removed slot");
    fs::rename(&aside, &slot).expect("moved back");
    scene.open().expect("it opens");
}

#[test]
fn a_damaged_file_of_the_cache_costs_requests_and_is_written_again() {
    let scene = Scene::new();
    let file = scene.kept_file();
    let whole = fs::read(&file).expect("the file");
    assert!(Kept::load(&scene.cache, &scene.backend().location()).is_some());
    for at in (0..whole.len()).step_by(whole.len() / 12) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        for bytes in [&damaged, &whole[..at]] {
            fs::write(&file, bytes).expect("written");
            scene.open().expect("it opens");
            assert_eq!(fs::read(&file).expect("the file"), whole);
        }
    }
    let metadata = yore_platform::path_metadata(&file).expect("the file");
    assert_eq!(metadata.mode.map(|mode| mode & 0o777), Some(0o600));
}

#[test]
fn another_repository_at_the_same_place_is_not_taken_for_the_one_before() {
    let scene = Scene::new();
    let other = Sample::new();
    let ids = [scene.sample.repository.id(), other.repository.id()];
    assert_ne!(ids[0], ids[1]);
    fs::remove_dir_all(scene.sample.path()).expect("removed");
    fs::rename(other.path(), scene.sample.path()).expect("moved");
    assert!(matches!(scene.open(), Err(Error::WrongSecret { .. })));
    let opened = other.open_through(scene.backend(), Some(scene.cache.clone()));
    assert_eq!(opened.expect("it opens").id(), ids[1]);
    fs::remove_dir_all(scene.sample.path()).expect("removed");
    assert!(matches!(scene.open(), Err(Error::NoRepository { .. })));
}
