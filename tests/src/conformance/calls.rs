//! The calls of a backend that all checks share.

use std::ops::Range;

use yore_engine::Error;
use yore_engine::backend::{Backend, NewObject, Published};
use yore_engine::format::{Area, ObjectName};
use yore_platform::ReadBuffer;

/// The name of an object of an area, another one for each number.
pub(super) fn name(area: Area, number: u64) -> ObjectName {
    // The first byte decides in which folder a pack is.
    let id = format!("{:02x}{number:062x}", number % 251);
    let text = match area {
        Area::Packs | Area::Parity => format!("{}/{}/{id}", area.folder(), &id[..2]),
        Area::Annotations => format!("annotations/{number:064x}.00000001"),
        Area::Headers | Area::Generations => format!("{}/{number:016x}", area.folder()),
        _ => format!("{}/{id}", area.folder()),
    };
    ObjectName::parse(area, &text).expect("a name of that area")
}

/// Begins an object and appends to it, without publishing it.
pub(super) fn begin<'b>(
    backend: &'b dyn Backend,
    name: &ObjectName,
    bytes: &[u8],
) -> Box<dyn NewObject + 'b> {
    let mut object = backend.create(name).expect("an object can be begun");
    object.append(bytes).expect("bytes can be appended");
    object
}

/// Writes an object in one piece.
pub(super) fn write(backend: &dyn Backend, name: &ObjectName, bytes: &[u8]) -> Published {
    begin(backend, name, bytes).publish().expect("an object can be published")
}

/// Writes an object whose name must be free.
pub(super) fn write_new(backend: &dyn Backend, name: &ObjectName, bytes: &[u8]) {
    assert_eq!(write(backend, name, bytes), Published::Created, "{name}");
}

/// Reads a range of an object.
pub(super) fn read(
    backend: &dyn Backend,
    name: &ObjectName,
    range: Range<u64>,
) -> Result<Vec<u8>, Error> {
    backend.read(name, range).map(|bytes| bytes.to_vec())
}

/// Loads a whole object of at most so many bytes.
pub(super) fn load(backend: &dyn Backend, name: &ObjectName, limit: u64) -> Result<Vec<u8>, Error> {
    backend.load(name, limit).map(|bytes| bytes.to_vec())
}

/// Reads a range of an object into a buffer that may hold anything.
pub(super) fn read_again<'b>(
    backend: &dyn Backend,
    name: &ObjectName,
    range: Range<u64>,
    buffer: &'b mut ReadBuffer,
) -> &'b [u8] {
    backend.read_into(name, range, buffer).expect("the range is there");
    buffer.bytes()
}

/// Reads a whole object, which must be there.
#[track_caller]
pub(super) fn read_all(backend: &dyn Backend, name: &ObjectName) -> Vec<u8> {
    let size = size(backend, name).unwrap_or_else(|| panic!("{name} is not there"));
    read(backend, name, 0..size).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The size of an object; `None` when it is not there.
pub(super) fn size(backend: &dyn Backend, name: &ObjectName) -> Option<u64> {
    backend.size(name).expect("a size can be asked for")
}

/// The names and sizes in an area, which both calls that list must agree on.
pub(super) fn list(backend: &dyn Backend, area: Area) -> Vec<(ObjectName, u64)> {
    let listed = backend.list(area).expect("an area can be listed");
    listed.into_iter().map(|stored| (stored.name, stored.size)).collect()
}

/// Fails unless a list of several areas, where there is one, has what the lists of each have.
#[track_caller]
pub(super) fn assert_lists_together(backend: &dyn Backend, areas: &[Area]) {
    let Some(lists) = backend.list_areas(areas).expect("areas can be listed") else { return };
    let each = areas.iter().map(|area| backend.list(*area).expect("an area can be listed"));
    assert!(lists.into_iter().eq(each), "{areas:?}");
}

/// The names in an area.
pub(super) fn names(backend: &dyn Backend, area: Area) -> Vec<ObjectName> {
    backend.names(area).expect("names can be listed")
}

/// Fails unless nothing of an object can be seen.
#[track_caller]
pub(super) fn assert_absent(backend: &dyn Backend, area: Area, name: &ObjectName) {
    assert_eq!(size(backend, name), None, "the size of {name}");
    assert!(!names(backend, area).contains(name), "{name} is listed");
    let read = read(backend, name, 0..1);
    assert!(matches!(read, Err(Error::Missing { .. })), "{name}: {read:?}");
}
