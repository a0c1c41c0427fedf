//! Arrow files.

#![no_main]

use distilburn_fuzz as fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::questions(&[b"ARROW1", data]);
});
