use std::path::PathBuf;
use std::process::Command;

use artifact::TensorsWriter;
use distilbert::Weights;
use zip::ZipArchive;

use super::*;

const SHAPES: [(&str, &[i64]); 4] =
    [("b.weight", &[3, 5]), ("a.bias", &[7]), ("wide", &[2, 300, 70]), ("scalar", &[])];

/// A checkpoint whose tensors hold 0, 0.5, 1, …, and its `pytorch_model.bin`.
fn exported(folder: &Path) -> (Tensors, PathBuf) {
    let checkpoint = folder.join("checkpoint.arrow");
    let mut writer = TensorsWriter::create(&checkpoint, "f").unwrap();
    for (name, shape) in SHAPES {
        let values: Vec<f32> = (0..shape.iter().product::<i64>()).map(|i| i as f32 / 2.0).collect();
        writer.push_f32(name, shape, &values).unwrap();
    }
    writer.finish().unwrap();
    let (checkpoint, path) = (Tensors::open(&checkpoint).unwrap(), folder.join("pytorch_model.bin"));
    write(&path, &checkpoint).unwrap();
    (checkpoint, path)
}

#[test]
fn tensors_come_back_with_names_shapes_and_bits() {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, path) = exported(folder.path());
    let weights = PytorchWeights::open(&path).unwrap();
    for (name, _) in SHAPES {
        assert_eq!(weights.get(name).unwrap(), Weights::get(&checkpoint, name).unwrap(), "{name}");
    }
    assert_eq!(weights.get("c").unwrap_err().to_string(), "the checkpoint has no tensor c");
}

#[test]
fn the_zip_has_the_form_of_torch_save() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = exported(folder.path());
    let mut zip = ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut entries = Vec::new();
    for index in 0..zip.len() {
        let file = zip.by_index(index).unwrap();
        assert_eq!(file.compression(), CompressionMethod::Stored);
        assert_eq!(file.last_modified(), Some(DateTime::default()));
        assert_eq!(file.data_start() % u64::from(ALIGNMENT), 0, "{}", file.name());
        entries.push(format!("{} {}", file.name(), file.size()));
    }
    insta::assert_snapshot!(entries.join("\n"), @r"
    archive/data.pkl 587
    archive/byteorder 6
    archive/data/0 60
    archive/data/1 28
    archive/data/2 168000
    archive/data/3 4
    archive/version 2
    ");
}

#[test]
fn equal_tensors_give_equal_bytes() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let read = |folder: &Path| fs_err::read(exported(folder).1).unwrap();
    assert_eq!(read(one.path()), read(other.path()));
}

#[test]
fn the_pickle_of_one_tensor_byte_for_byte() {
    let pickle = pickle::state_dict([("w", vec![2, 300])].into_iter());
    insta::assert_snapshot!(pickle.escape_ascii().to_string(), @r"\x80\x02ccollections\nOrderedDict\n)R(X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuMX\x02tQK\x00(K\x02M,\x01t(M,\x01K\x01t\x89ccollections\nOrderedDict\n)RtRu.");
}

#[test]
fn sizes_of_every_width_come_back() {
    let sizes = [0, 0xff, 0x100, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, u64::MAX];
    for size in sizes {
        let pickle = pickle::state_dict([("w", vec![size])].into_iter());
        let tensors = unpickle::state_dict(&pickle).unwrap();
        assert_eq!((tensors[0].1.numel, tensors[0].1.shape.as_slice()), (size, &[size][..]));
    }
}

#[test]
fn a_foreign_call_or_opcode_is_refused() {
    let refused = |pickle: &[u8]| unpickle::state_dict(pickle).unwrap_err();
    insta::assert_snapshot!(refused(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R."), @"data.pkl is no state dict of f32 tensors (byte 2 of 23)");
    insta::assert_snapshot!(refused(b"\x80\x02}."), @"data.pkl is no state dict of f32 tensors (byte 2 of 4)");
    insta::assert_snapshot!(refused(b"\x80\x02"), @"data.pkl is no state dict of f32 tensors (byte 2 of 2)");
    insta::assert_snapshot!(refused(b"\x80\x02K\x01."), @"data.pkl does not end with one state dict");
}

#[test]
fn an_altered_storage_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = exported(folder.path());
    let mut bytes = fs_err::read(&path).unwrap();
    let start = {
        let mut zip = ZipArchive::new(File::open(&path).unwrap()).unwrap();
        let file = zip.by_name("archive/data/0").unwrap();
        file.data_start() as usize
    };
    bytes[start + 5] ^= 1;
    fs_err::write(&path, bytes).unwrap();
    let weights = PytorchWeights::open(&path).unwrap();
    let error = weights.get("b.weight").unwrap_err().to_string();
    assert!(error.contains("archive/data/0: Invalid checksum"), "{error}");
    assert!(weights.get("a.bias").is_ok());
}

#[test]
fn torch_loads_it_with_weights_only() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/reference-venv/bin/python");
    if !python.exists() {
        eprintln!("skipped: scripts/reference/setup makes the Python that this needs");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = exported(folder.path());
    let script = "
import sys, torch
for mmap in (False, True):
    for name, tensor in torch.load(sys.argv[1], weights_only=True, mmap=mmap).items():
        print(name, tensor.dtype, tuple(tensor.shape), tensor.double().sum().item())
";
    let output = Command::new(python).args(["-c", script]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = "\
b.weight torch.float32 (3, 5) 52.5
a.bias torch.float32 (7,) 10.5
wide torch.float32 (2, 300, 70) 440989500.0
scalar torch.float32 () 0.0
";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), lines.repeat(2));
}
