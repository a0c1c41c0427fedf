//! Files that nobody wrote: any bytes give an answer or an error, in bounded memory.

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
    insta::assert_snapshot!(state_dict(b"\x80\x02t."), @"its pickle takes what was never put");
    insta::assert_snapshot!(state_dict(b"\x80\x02h\x07."), @"its pickle recalls an object 7 that was never kept");
    insta::assert_snapshot!(state_dict(b"\x80\x02N."), @"it holds None, expected a dict of tensors");
    insta::assert_snapshot!(state_dict(b"\x80\x02}N\x88s."), @"a key of its dict is None, expected a str");
    insta::assert_snapshot!(state_dict(b"\x80\x02ctorch\nFloatStorage\n)R."), @"its pickle gives Storage(F32) the arguments ()");
    insta::assert_snapshot!(state_dict(b"\x80\x02Nb."), @"its pickle takes what was never put");
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
