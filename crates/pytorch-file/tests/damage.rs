//! Arbitrary files: any bytes give a result or an error, in bounded memory.

use std::io::Write;
use std::path::Path;
use std::sync::Once;

use distilburn_pytorch_file::StateDictFile;
use proptest::prelude::*;
use rustix::process::{Resource, Rlimit, setrlimit};

/// More than any of these small files may ever take, with room for the test itself: past it, allocating aborts.
const ADDRESS_SPACE_BYTES: u64 = 2 << 30;

static LIMIT: Once = Once::new();

/// Opens a file of these bytes and reads all its tensors.
fn read(bytes: &[u8]) -> Result<usize, distilburn_pytorch_file::Error> {
    LIMIT.call_once(|| {
        let limit = Some(ADDRESS_SPACE_BYTES);
        setrlimit(Resource::As, Rlimit { current: limit, maximum: limit }).unwrap();
    });
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let file = StateDictFile::open(file.path())?;
    let mut elements = 0;
    for (_, tensor) in file.tensors().iter().filter(|(_, tensor)| tensor.dtype().is_float()) {
        elements += file.read_f32(tensor)?.len();
    }
    Ok(elements)
}

fn fixtures() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    ["zip.bin", "legacy.bin", "ordered_dict.bin"]
        .map(|name| std::fs::read(folder.join(name)).unwrap())
        .to_vec()
}

/// The legacy form up to its state dict.
const LEGACY: &[u8] =
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}U\rlittle_endian\x88s.";

fn state_dict(pickle: &[u8]) -> String {
    let error = read(&[LEGACY, pickle].concat()).unwrap_err().to_string();
    error.split_once(": ").map_or(error.clone(), |(_, reason)| reason.to_owned())
}

#[test]
fn claims_that_the_bytes_do_not_bear_out_are_refused() {
    // A text of 4 GB, a tuple that was never begun, an object that was never kept.
    insta::assert_snapshot!(state_dict(b"\x80\x02X\xff\xff\xff\xffab"), @"its pickle is longer than 16 MiB");
    insta::assert_snapshot!(state_dict(b"\x80\x02X\xff\xff\x00\x00ab"), @"it ends within its pickle");
    insta::assert_snapshot!(state_dict(b"\x80\x02t."), @"its pickle takes an object from an empty stack");
    insta::assert_snapshot!(state_dict(b"\x80\x02h\x07."), @"its pickle refers to the object 7, which it never stored");
    insta::assert_snapshot!(state_dict(b"\x80\x02N."), @"it holds None, expected a dict of tensors");
    insta::assert_snapshot!(state_dict(b"\x80\x02}N\x88s."), @"a key of its dict is None, expected a str");
    insta::assert_snapshot!(state_dict(b"\x80\x02ctorch\nFloatStorage\n)R."), @"its pickle gives Storage(F32) the arguments ()");
    insta::assert_snapshot!(state_dict(b"\x80\x02Nb."), @"its pickle takes an object from an empty stack");
}

#[test]
fn a_tensor_is_never_larger_than_its_storage() {
    let tensor = |numel: &[u8], shape: &[u8], strides: &[u8]| {
        let mut pickle = b"\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpu".to_vec();
        pickle.extend([numel, b"NtQK\x00", shape, b"\x85", strides, b"\x85\x89}tRs."].concat());
        pickle
    };
    let (one, huge) = (b"K\x01", b"J\xff\xff\xff\x7f");
    insta::assert_snapshot!(state_dict(&tensor(one, huge, b"K\x00")), @"w [2147483647] with strides [0] from element 0 on repeats the elements of a storage of 1 elements");
    insta::assert_snapshot!(state_dict(&tensor(one, huge, one)), @"w [2147483647] with strides [1] from element 0 on reaches past a storage of 1 elements");
    // The claim is consistent in itself, and the file is short.
    let claims = [tensor(huge, huge, one), b"\x80\x02]U\x010a.\xff\xff\xff\x7f\0\0\0\0".to_vec()].concat();
    insta::assert_snapshot!(state_dict(&claims), @"it ends within storage 0");
}

#[test]
fn nesting_costs_no_call_stack() {
    let deep =
        [b"\x80\x02}U\x01w".to_vec(), vec![b']'; 100_000], vec![b'a'; 99_999], b"s.".to_vec()].concat();
    insta::assert_snapshot!(state_dict(&deep), @r#"its "w" is a list, expected a tensor"#);
}

/// What a recalled object is copied into, by an opcode or two each time: without a limit some gigabytes.
#[test]
fn objects_that_are_recalled_are_not_copied_again_and_again() {
    // A list of 400,000 pairs, and OrderedDicts made from it.
    let mut pairs = b"\x80\x02]q\x01(".to_vec();
    pairs.extend(b"U\x01kN\x86q\x02");
    pairs.extend(b"h\x02".repeat(400_000));
    pairs.extend(b"eccollections\nOrderedDict\nq\x03h\x01\x85q\x04");
    pairs.extend(b"h\x03h\x04R".repeat(1_000_000));
    insta::assert_snapshot!(state_dict(&pairs), @"its pickle copies more than 4194304 items of its lists and tuples");

    // Tensors of 200,000 dimensions.
    let mut shapes = b"\x80\x02(".to_vec();
    shapes.extend(b"K\x01q\x01");
    shapes.extend(b"h\x01".repeat(200_000));
    shapes.extend(b"tq\x02");
    shapes.extend(b"ctorch._utils\n_rebuild_tensor_v2\nq\x03");
    shapes.extend(b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01NtQq\x04");
    shapes.extend(b"(h\x04K\x00h\x02h\x02\x89}tq\x05");
    shapes.extend(b"h\x03h\x05R".repeat(1_000_000));
    insta::assert_snapshot!(state_dict(&shapes), @"it has a tensor of 200001 dimensions, expected 64 at most");

    // Tensors of 64 dimensions.
    let mut small = b"\x80\x02((K\x01q\x01".to_vec();
    small.extend(b"h\x01".repeat(63));
    small.extend(b"tq\x02ctorch._utils\n_rebuild_tensor_v2\nq\x03");
    small.extend(b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01NtQq\x04");
    small.extend(b"(h\x04K\x00h\x02h\x02\x89}tq\x05");
    small.extend(b"h\x03h\x05R".repeat(1_000_000));
    insta::assert_snapshot!(state_dict(&small), @"its pickle copies more than 4194304 items of its lists and tuples");

    // Storages whose key has 8 MB: 900,000 of them share it.
    let mut keys = b"\x80\x02(U\x07storagectorch\nFloatStorage\nX\x00\x00\x80\x00".to_vec();
    keys.extend(vec![b'k'; 8 << 20]);
    keys.extend(b"U\x03cpuK\x01tq\x01");
    keys.extend(b"h\x01Q".repeat(900_000));
    keys.extend(b".");
    insta::assert_snapshot!(state_dict(&keys), @"its pickle ends with 900001 objects, expected 1");

    // One tensor of 60 dimensions under 200,000 names, which share its shape.
    let mut names = b"\x80\x02}]((K\x01q\x01".to_vec();
    names.extend(b"h\x01".repeat(59));
    names.extend(b"tq\x02ctorch._utils\n_rebuild_tensor_v2\n");
    names.extend(b"((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01NtQK\x00h\x02h\x02\x89}tRq\x05eb(");
    for name in 0..200_000_u32 {
        names.extend([&b"U\x06"[..], format!("{name:06}").as_bytes(), b"h\x05"].concat());
    }
    names.extend(b"u.");
    insta::assert_snapshot!(state_dict(&names), @"it ends within its pickle");
}

/// A message repeats the file's own texts neither at length nor raw.
#[test]
fn texts_of_the_file_are_cut_and_escaped_in_messages() {
    let mut long = b"\x80\x02}X\x00\x00\x10\x00\x1b[2J".to_vec();
    long.extend(vec![b'w'; (1 << 20) - 4]);
    long.extend(b"Ns.");
    let said = state_dict(&long);
    assert!(said.len() < 200 && said.starts_with(r#"its "\u{1b}[2Jwww"#), "{said}");
    let mut arguments = b"\x80\x02ccollections\nOrderedDict\n(Nq\x01".to_vec();
    arguments.extend(b"h\x01".repeat(1_000_000));
    arguments.extend(b"tR.");
    insta::assert_snapshot!(state_dict(&arguments), @"its pickle gives OrderedDict the arguments (None, None, None, None, None, None, None, None)");
}

#[test]
fn a_fifo_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pytorch_model.bin");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let error = StateDictFile::open(&path).unwrap_err().to_string();
    assert_eq!(error, format!("{}: it is not a regular file", path.display()));
}

#[test]
fn every_beginning_of_a_file_is_an_error() {
    for bytes in fixtures() {
        assert!(read(&bytes).unwrap() > 0);
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_pickle_gives_an_answer(pickle in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&[LEGACY, b"\x80\x02", &pickle].concat());
    }

    /// Opcodes that the machine knows, in any order.
    #[test]
    fn any_program_gives_an_answer(
        opcodes in prop::collection::vec(prop::sample::select(&b"().Rb]aeusNQ}tJKMXUhq\x85\x86\x87\x88\x89\x8a\x00\x01"[..]), 0..300)
    ) {
        let _ = read(&[LEGACY, b"\x80\x02", &opcodes].concat());
    }

    #[test]
    fn altered_files_give_an_answer(
        which in 0..3_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = fixtures().swap_remove(which);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = read(&bytes);
    }
}
