//! The quarantine: damaged objects under other names, which no reader looks at.

use super::Task;
use crate::error::{Error, Result};
use crate::format::object::ObjectName;

/// Bytes that are copied at once.
const PART: u64 = 4 << 20;

/// Moves an object to the quarantine, byte for byte.
///
/// # Errors
/// When it can't be read or written; then it stays where it is.
pub(super) fn put_aside(task: &Task<'_>, name: &ObjectName) -> Result<()> {
    let backend = &**task.place().backend();
    let Some(size) = backend.size(name)? else { return Ok(()) };
    let aside = ObjectName::quarantined(name);
    if backend.size(&aside)? != Some(size) {
        let mut copy = backend.create(&aside)?;
        let mut offset = 0;
        while offset < size {
            if task.observer.interrupted() {
                return Err(Error::Interrupted);
            }
            let end = size.min(offset + PART);
            copy.append(&backend.read(name, offset..end)?)?;
            offset = end;
        }
        // One that a killed run has begun, or an object that was damaged before under the same name, is the same bytes.
        copy.publish()?;
    }
    backend.delete(name)
}
