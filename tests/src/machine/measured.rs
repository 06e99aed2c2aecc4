//! Lines for what a test measured.

use std::fmt::Display;
use std::io::Write;

/// Prints what a test measured or counted, also where the output of tests that pass is hidden.
pub fn print_measured(measured: impl Display) {
    let _ = writeln!(std::io::stdout(), "{measured}");
}
