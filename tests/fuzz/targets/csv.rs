//! CSV and TSV.

#![no_main]

use distilburn_fuzz as fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::questions(&[b"id,context,question,answers,answer_start\n", data]);
});
