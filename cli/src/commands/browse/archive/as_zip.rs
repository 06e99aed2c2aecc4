//! zip: for systems that have nothing else. Files of several names come several times, and what is
//! neither file, folder nor link is left out.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use yore_engine::format::Node;
use yore_platform::{Kind, Timestamp};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{Added, Archive, as_text, content};
use crate::moment::state::MomentState;

/// From here on a length needs the 64 bits of zip64.
const LARGE: u64 = u32::MAX as u64;

/// A zip that is being written.
pub struct Zip<W: Write> {
    out: ZipWriter<StreamWriter<W>>,
    zone: TimeZone,
}

impl<W: Write> Zip<W> {
    /// Begins an archive; the times of files are shown in `zone`, since zip knows none.
    pub fn new(out: W, zone: TimeZone) -> Self {
        Self { out: ZipWriter::new_stream(out), zone }
    }

    fn options(&self, node: &Node) -> SimpleFileOptions {
        SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(date(node.modified, &self.zone))
            .unix_permissions(node.mode.unwrap_or(0o600) & 0o777)
            .large_file(node.size >= LARGE)
    }
}

impl<W: Write> Archive for Zip<W> {
    fn add(
        &mut self,
        state: &MomentState,
        _path: &[u8],
        name: &[u8],
        node: &Node,
    ) -> io::Result<Added> {
        let (name, options) = (as_text(name), self.options(node));
        match node.kind {
            Kind::File => {
                self.out.start_file(name, options)?;
                let error = content(state, node, &mut self.out)?;
                return Ok(error.map_or(Added::Whole, Added::Damaged));
            }
            Kind::Directory => self.out.add_directory(name, options)?,
            Kind::Symlink => self.out.add_symlink(name, as_text(&node.target), options)?,
            Kind::Fifo | Kind::Socket | Kind::CharDevice | Kind::BlockDevice => {
                return Ok(Added::LeftOut("a zip has only files, folders and links"));
            }
        }
        Ok(Added::Whole)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.out.finish()?;
        Ok(())
    }
}

/// The nearest time that a zip can hold: its years are 1980 to 2107.
fn date(time: Timestamp, zone: &TimeZone) -> DateTime {
    let instant = jiff::Timestamp::from_second(time.seconds).unwrap_or_default();
    let local = instant.to_zoned_datetime(zone.clone());
    let year = u16::try_from(local.year()).unwrap_or(0).clamp(1980, 2107);
    let part = |number: i8| u8::try_from(number).unwrap_or(0);
    let (month, day) = (part(local.month()), part(local.day()));
    let (hour, minute, second) = (part(local.hour()), part(local.minute()), part(local.second()));
    DateTime::from_date_and_time(year, month, day, hour, minute, second).unwrap_or_default()
}
