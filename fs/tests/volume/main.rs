//! The drive without a kernel: every sentence of SEMANTICS.md that names a test names one of these.

mod damage;
mod follow;
mod harness;
mod model;
mod names;
mod numbers;
mod reading;
mod refresh;
mod tree;
mod virtual_dirs;
mod walks;
