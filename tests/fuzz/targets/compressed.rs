//! gzip and zstd, by the first bit of the input.

#![no_main]

use distilburn_fuzz as fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((form, rest)) = data.split_first() else { return };
    let magic: &[u8] = if form & 1 == 0 { &[0x1f, 0x8b, 8] } else { &[0x28, 0xb5, 0x2f, 0xfd] };
    fuzz::questions(&[magic, rest]);
});
