//! The look of a progress bar.

use indicatif::ProgressStyle;

use crate::screen::Screen;

/// The number of columns from which everything fits on one line.
const WIDE: usize = 90;

/// The total that a bar is a part of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Total {
    /// It is not known.
    Unknown,
    /// A number of files, packs or snapshots.
    Things,
    /// A number of bytes.
    Bytes,
}

/// Returns the template for what is known of the total, and for the width of the terminal.
pub(super) fn style(total: Total, verb: &str, screen: &Screen) -> ProgressStyle {
    let is_wide = screen.width_of_progress() >= WIDE;
    let template = match (total, is_wide) {
        (Total::Bytes, true) => {
            "{verb} {percent:>3}% [{bar:24}] {binary_bytes}/{binary_total_bytes}, {prefix}, \
             {binary_bytes_per_sec}, {eta} left\n  {wide_msg}"
        }
        (Total::Things, true) => {
            "{verb} {percent:>3}% [{bar:24}] {prefix}, {eta} left\n  {wide_msg}"
        }
        (Total::Bytes | Total::Things, false) => {
            "{verb} {percent:>3}%, {eta} left\n  {prefix}\n  {wide_msg}"
        }
        (Total::Unknown, _) => "{verb} {spinner} {prefix}\n  {wide_msg}",
    };
    ProgressStyle::with_template(&template.replace("{verb}", verb))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
