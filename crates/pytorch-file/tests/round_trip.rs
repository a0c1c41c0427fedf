//! Written files can be read back, here and in PyTorch.

use std::path::{Path, PathBuf};
use std::process::Command;

use distilburn_pytorch_file::{F32Tensor, StateDictFile, write};
use fs_err::File;
use zip::{CompressionMethod, DateTime, ZipArchive};

const SHAPES: [(&str, &[u64]); 4] =
    [("b.weight", &[3, 5]), ("a.bias", &[7]), ("wide", &[2, 300, 70]), ("scalar", &[])];

fn values(shape: &[u64]) -> Vec<f32> {
    (0..shape.iter().product::<u64>()).map(|i| i as f32 / 2.0).collect()
}

/// A file whose tensors hold 0, 0.5, 1, ….
fn written(folder: &Path) -> PathBuf {
    let data =
        SHAPES.map(|(_, shape)| values(shape).into_iter().flat_map(f32::to_le_bytes).collect::<Vec<_>>());
    let tensors =
        SHAPES.iter().zip(&data).map(|((name, shape), data)| F32Tensor { name, shape: shape.to_vec(), data });
    let path = folder.join("pytorch_model.bin");
    write(&path, &tensors.collect::<Vec<_>>()).unwrap();
    path
}

#[test]
fn tensors_come_back_with_names_shapes_and_bits() {
    let folder = tempfile::tempdir().unwrap();
    let file = StateDictFile::open(&written(folder.path())).unwrap();
    assert_eq!(file.tensors().len(), SHAPES.len());
    for ((name, tensor), (expected, shape)) in file.tensors().iter().zip(SHAPES) {
        assert_eq!(name, expected);
        assert_eq!(tensor.shape(), shape.iter().map(|size| *size as usize).collect::<Vec<_>>());
        assert_eq!(file.read_f32(tensor).unwrap(), values(shape), "{name}");
    }
}

#[test]
fn the_zip_has_the_form_of_torch_save() {
    let folder = tempfile::tempdir().unwrap();
    let mut zip = ZipArchive::new(File::open(written(folder.path())).unwrap()).unwrap();
    let mut entries = Vec::new();
    for index in 0..zip.len() {
        let file = zip.by_index(index).unwrap();
        assert_eq!(file.compression(), CompressionMethod::Stored);
        assert_eq!(file.last_modified(), Some(DateTime::default()));
        assert_eq!(file.data_start() % 64, 0, "{}", file.name());
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
    let read = |folder: &Path| fs_err::read(written(folder)).unwrap();
    assert_eq!(read(one.path()), read(other.path()));
}

#[test]
fn an_altered_storage_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let mut bytes = fs_err::read(&path).unwrap();
    let start = {
        let mut zip = ZipArchive::new(File::open(&path).unwrap()).unwrap();
        zip.by_name("archive/data/0").unwrap().data_start() as usize
    };
    bytes[start + 5] ^= 1;
    fs_err::write(&path, bytes).unwrap();
    let file = StateDictFile::open(&path).unwrap();
    let error = file.read_f32(&file.tensors()[0].1).unwrap_err().to_string();
    assert!(error.contains("data/0: Invalid checksum"), "{error}");
    assert!(file.read_f32(&file.tensors()[1].1).is_ok());
}

#[test]
fn torch_loads_it_with_weights_only() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/reference-venv/bin/python");
    if !python.exists() {
        eprintln!("skipped: scripts/reference/setup makes the Python that this needs");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = "
import sys, torch
for mmap in (False, True):
    for name, tensor in torch.load(sys.argv[1], weights_only=True, mmap=mmap).items():
        print(name, tensor.dtype, tuple(tensor.shape), tensor.double().sum().item())
";
    let output = Command::new(python).args(["-c", script]).arg(written(folder.path())).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = "\
b.weight torch.float32 (3, 5) 52.5
a.bias torch.float32 (7,) 10.5
wide torch.float32 (2, 300, 70) 440989500.0
scalar torch.float32 () 0.0
";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), lines.repeat(2));
}
