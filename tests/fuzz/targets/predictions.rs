//! Predictions in every form: the first byte chooses.

#![no_main]

use distilburn_fuzz as fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((form, data)) = data.split_first() else { return };
    let starts: [&[u8]; 4] = [b"{\"", b"[{\"id\": ", b"id,prediction_text\n", b"PAR1"];
    fuzz::predictions(&[starts[usize::from(*form) % starts.len()], data]);
});
