//! The calls of a destination.

use yore_engine::format::Area;

/// A call of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `prepare`.
    Prepare,
    /// `create` of an object.
    Create(String),
    /// `append` to an object, with the number of bytes.
    Append(String, u64),
    /// `publish` of an object.
    Publish(String),
    /// `replace` of an object.
    Replace(String),
    /// A read of an object, with the number of bytes.
    Read(String, u64),
    /// `size` of an object.
    Size(String),
    /// `list` of an area.
    List(Area),
    /// A list of several areas.
    ListAreas(Vec<Area>),
    /// `change_token`.
    ChangeToken,
    /// `delete` of an object.
    Delete(String),
    /// `space`.
    Space,
}

impl Call {
    /// Returns the object that is read or looked for.
    pub fn object(&self) -> Option<&str> {
        match self {
            Call::Read(name, _) | Call::Size(name) => Some(name),
            _ => None,
        }
    }

    /// Returns true for the reading of objects.
    pub fn is_read(&self) -> bool {
        matches!(self, Call::Read(..))
    }

    /// Returns true for calls that change the destination, or begin to.
    pub fn is_write(&self) -> bool {
        match self {
            Call::Prepare | Call::Create(_) | Call::Append(..) | Call::Publish(_) => true,
            Call::Replace(_) | Call::Delete(_) => true,
            Call::Read(..)
            | Call::Size(_)
            | Call::List(_)
            | Call::ListAreas(_)
            | Call::ChangeToken
            | Call::Space => false,
        }
    }
}
