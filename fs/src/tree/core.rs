//! The core of a volume, from which every part reads.

use std::sync::Arc;

use yore_engine::read::Reader;

use crate::inode::tables::Tables;
use crate::tree::directories::Directories;
use crate::tree::presentation::Presentation;

/// The repository's reader, the inode tables, decoded trees, and how all of it is presented.
pub(crate) struct Core {
    pub(crate) reader: Arc<Reader>,
    pub(crate) tables: Tables,
    pub(crate) directories: Directories,
    pub(crate) presentation: Presentation,
}
