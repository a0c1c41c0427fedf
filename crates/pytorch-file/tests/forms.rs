//! Files that PyTorch wrote (`scripts/reference/checkpoints.py`): what they hold, and which are refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use distilburn_pytorch_file::{Dtype, Error, StateDictFile};
use miette::Diagnostic;
use safetensors::SafeTensors;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Shape and bits by name.
type Values = BTreeMap<String, (Vec<usize>, Vec<u32>)>;

fn values(name: &str) -> Values {
    let file = StateDictFile::open(&fixture(name)).unwrap();
    let floats = file.tensors().iter().filter(|(_, tensor)| tensor.dtype().is_float());
    let read = floats.map(|(name, tensor)| {
        let bits = file.read_f32(tensor).unwrap().into_iter().map(f32::to_bits).collect();
        (name.clone(), (tensor.shape().to_vec(), bits))
    });
    read.collect()
}

fn expected() -> Values {
    let bytes = std::fs::read(fixture("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let read = file.iter().map(|(name, view)| {
        let bits = view.data().as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        (name.to_owned(), (view.shape().to_vec(), bits))
    });
    read.collect()
}

/// Message and help, without the folder.
fn refused(name: &str) -> String {
    let error = StateDictFile::open(&fixture(name)).unwrap_err();
    let help = error.help().unwrap();
    format!("{error}\nhelp: {help}")
        .replace(&format!("{}/", fixture("").display()), "")
        .replace(&fixture("").display().to_string(), "")
}

/// Views, shared storages, a scalar, an empty tensor, f16, bf16 and f64.
#[test]
fn both_forms_hold_to_the_bit_what_pytorch_says() {
    let expected = expected();
    assert_eq!(expected.len(), 10);
    assert_eq!(values("zip.bin"), expected);
    assert_eq!(values("legacy.bin"), expected);
}

#[test]
fn forms_types_and_whole_numbers_are_told_apart() {
    for (name, form) in [("zip.bin", "zip"), ("legacy.bin", "legacy")] {
        let file = StateDictFile::open(&fixture(name)).unwrap();
        assert_eq!(file.form(), form);
        let tensor = |wanted: &str| &file.tensors().iter().find(|(name, _)| name == wanted).unwrap().1;
        assert_eq!(
            (tensor("position_ids").dtype(), tensor("position_ids").shape()),
            (Dtype::I64, &[1, 5][..])
        );
        assert_eq!((tensor("flag").dtype(), tensor("bf16").dtype()), (Dtype::Bool, Dtype::BF16));
        let error = file.read_f32(tensor("position_ids")).unwrap_err().to_string();
        assert!(error.ends_with("a tensor of I64 cannot become f32"), "{error}");
    }
}

#[test]
fn ordered_dicts_with_metadata_and_parameters_are_state_dicts() {
    for name in ["ordered_dict.bin", "parameters.bin"] {
        let shapes: Vec<_> = StateDictFile::open(&fixture(name))
            .unwrap()
            .tensors()
            .iter()
            .map(|(name, tensor)| (name.clone(), tensor.shape().to_vec()))
            .collect();
        assert_eq!(shapes, [("weight".to_owned(), vec![3, 2]), ("bias".to_owned(), vec![3])], "{name}");
    }
}

#[test]
fn code_is_refused_by_name_and_not_run() {
    insta::assert_snapshot!(refused("malicious_zip.bin"));
    insta::assert_snapshot!(refused("malicious_legacy.bin"));
    insta::assert_snapshot!(refused("malicious_protocol_4.bin"));
    insta::assert_snapshot!(refused("whole_module.bin"));
    // What os.system would have made.
    assert!(!Path::new("distilburn-was-here").exists());
}

#[test]
fn what_is_no_state_dict_is_named() {
    insta::assert_snapshot!(refused("training_state.bin"));
    insta::assert_snapshot!(refused("big_endian.bin"));
    insta::assert_snapshot!(refused("expected.safetensors"));
    assert!(matches!(StateDictFile::open(&fixture("none.bin")), Err(Error::Io(_))));
}
