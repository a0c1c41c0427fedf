//! A JSON list of rows, paragraphs, articles and labelling tasks.

#![no_main]

use distilburn_fuzz as fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::questions(&[b"[{\"", data]);
});
