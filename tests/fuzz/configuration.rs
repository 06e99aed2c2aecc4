//! The fuzzer of the configuration (tests/fuzz/run).

#![no_main]

use libfuzzer_sys::fuzz_target;
use yore_cli::feed_configuration;

fuzz_target!(|bytes: &[u8]| feed_configuration(bytes));
