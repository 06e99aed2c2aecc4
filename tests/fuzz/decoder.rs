//! One fuzzer for all decoders: the environment names the one that is fed (tests/fuzz/run).

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use yore_engine::decoders::DECODERS;

fn decoder() -> fn(&[u8]) {
    static DECODER: OnceLock<fn(&[u8])> = OnceLock::new();
    *DECODER.get_or_init(|| {
        let name = std::env::var("YORE_DECODER").expect("YORE_DECODER names a decoder");
        let found = DECODERS.iter().find(|(of, _)| *of == name);
        found.expect("a decoder of that name").1
    })
}

fuzz_target!(|bytes: &[u8]| decoder()(bytes));
