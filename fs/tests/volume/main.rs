//! The drive without a kernel: every sentence of SEMANTICS.md that names a test names one of these.

mod damage;
mod harness;
mod names;
mod numbers;
mod reading;
mod refresh;
mod tree;
