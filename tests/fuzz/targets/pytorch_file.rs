//! `pytorch_model.bin`, both forms.

#![no_main]

use pytorch_file::StateDictFile;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), data).unwrap();
    if let Ok(state_dict) = StateDictFile::open(file.path()) {
        for (_, tensor) in state_dict.tensors() {
            let _ = state_dict.read_f32(tensor);
        }
    }
});
