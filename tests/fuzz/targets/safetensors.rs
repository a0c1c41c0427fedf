//! `model.safetensors` of a base model.

#![no_main]

use distilburn_fuzz as fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::base_model("model.safetensors", data);
});
