//! The events as fanotify(7) lays them out.

use super::handle::FileHandle;

/// The number of a file system, as statfs(2) has it.
pub(super) type FileSystemId = [u8; 8];

/// The version of the layout that is understood, `FANOTIFY_METADATA_VERSION`.
const VERSION: u8 = 3;

/// An event: something happened to a name in a folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event<'b> {
    pub(super) mask: u64,
    pub(super) file_system: FileSystemId,
    pub(super) folder: FileHandle,
    /// The name; `.` for the folder itself.
    pub(super) name: &'b [u8],
}

/// Iterates over the events that one read returned; `None` stands for events that were lost or are not understood.
pub(super) fn events(read: &[u8]) -> impl Iterator<Item = Option<Event<'_>>> {
    let mut rest = read;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let length = u32_at(rest, 0).and_then(|length| usize::try_from(length).ok());
        let parts = length.filter(|length| *length > 0).and_then(|at| rest.split_at_checked(at));
        let Some((event, after)) = parts else {
            rest = &[];
            return Some(None);
        };
        rest = after;
        Some(parse(event))
    })
}

/// Reads `struct fanotify_event_metadata`, and of the records behind it the one that names a folder.
fn parse(event: &[u8]) -> Option<Event<'_>> {
    let mask = u64::from_ne_bytes(*event.get(8..)?.first_chunk()?);
    if *event.get(4)? != VERSION || mask & libc::FAN_Q_OVERFLOW != 0 {
        return None;
    }
    let mut records = event.get(usize::from(u16_at(event, 6)?)..)?;
    loop {
        let kind = *records.first()?;
        let length = usize::from(u16_at(records, 2)?);
        let (record, after) = records.split_at_checked(length).filter(|_| length > 0)?;
        if [libc::FAN_EVENT_INFO_TYPE_DFID_NAME, libc::FAN_EVENT_INFO_TYPE_DFID].contains(&kind) {
            let (file_system, handle) = record.get(4..)?.split_first_chunk()?;
            let (folder, name) = FileHandle::parse(handle)?;
            let name = name.split(|byte| *byte == 0).next().filter(|name| !name.is_empty());
            let name = name.unwrap_or(b".");
            return Some(Event { mask, file_system: *file_system, folder, name });
        }
        records = after;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lays out an event with records of these types, each with a name.
    fn laid_out(mask: u64, records: &[(u8, &[u8])]) -> Vec<u8> {
        let mut behind = Vec::new();
        for (kind, name) in records {
            let handle = FileHandle::to_bytes(4, b"hand");
            let padding = 8 - (handle.len() + name.len()) % 8;
            let length = u16::try_from(12 + handle.len() + name.len() + padding).expect("short");
            behind.extend([*kind, 0]);
            behind.extend(length.to_ne_bytes());
            behind.extend(b"12345678");
            behind.extend(handle);
            behind.extend(*name);
            behind.extend(vec![0; padding]);
        }
        let mut event = Vec::new();
        event.extend(u32::try_from(24 + behind.len()).expect("short").to_ne_bytes());
        event.extend([VERSION, 0]);
        event.extend(24u16.to_ne_bytes());
        event.extend(mask.to_ne_bytes());
        event.extend([0; 8]);
        event.extend(behind);
        event
    }

    fn names(read: &[u8]) -> Vec<Option<(u64, Vec<u8>)>> {
        events(read).map(|event| event.map(|event| (event.mask, event.name.to_vec()))).collect()
    }

    #[test]
    fn the_record_of_a_folder_and_a_name_is_found_among_others() {
        let (of_folder, of_name) =
            (libc::FAN_EVENT_INFO_TYPE_DFID, libc::FAN_EVENT_INFO_TYPE_DFID_NAME);
        let mut read = laid_out(1, &[(libc::FAN_EVENT_INFO_TYPE_FID, b""), (of_name, b"na\xffme")]);
        read.extend(laid_out(2, &[(of_folder, b"")]));
        assert_eq!(names(&read), [Some((1, b"na\xffme".to_vec())), Some((2, b".".to_vec()))]);
        let event = events(&read).next().expect("one").expect("understood");
        assert_eq!(event.file_system, *b"12345678");
    }

    #[test]
    fn what_is_not_understood_is_lost_and_does_not_panic() {
        let whole = laid_out(1, &[(libc::FAN_EVENT_INFO_TYPE_DFID_NAME, b"name")]);
        for length in 1..whole.len() {
            assert_eq!(names(&whole[..length]), [None], "{length}");
        }
        let mut other_version = whole.clone();
        other_version[4] = 9;
        let mut endless = whole.clone();
        endless[..4].fill(0);
        let mut endless_record = whole.clone();
        endless_record[26..28].fill(0);
        let overflow = laid_out(libc::FAN_Q_OVERFLOW, &[]);
        for wrong in [other_version, endless, endless_record, overflow] {
            assert_eq!(names(&wrong), [None]);
        }
        let too_long = [&whole[..32], &FileHandle::to_bytes(4096, b"hand")].concat();
        assert_eq!(FileHandle::parse(&too_long[32..]), None);
    }
}
