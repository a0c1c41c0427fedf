//! Files are distinguished by more than size and modification time.

use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::hashes::Hashes;

/// Writes a file whose time of modification is a fixed one, as `cp -p` does.
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::options().write(true).open(path).unwrap().set_times(FileTimes::new().set_modified(old)).unwrap();
}

fn hash(store: &Path, path: &Path) -> String {
    let loaded = crate::settings::Request::default().load().unwrap();
    let mut hashes = Hashes::open(store);
    let hash = hashes.file(&loaded, "ingest.train", path).unwrap();
    hashes.close();
    hash
}

/// Makes the store remember the file as if it had been hashed long after its last change.
fn remember(store: &Path, path: &Path, blake3: &str) {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).unwrap();
    let place = blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex().to_string();
    let files = serde_json::json!({ place: {
        "size_bytes": metadata.len(), "modified": [metadata.mtime(), metadata.mtime_nsec()],
        "changed": [metadata.ctime(), metadata.ctime_nsec()], "inode": metadata.ino(), "blake3": blake3,
    }});
    let memory = serde_json::json!({ "checksum": artifact::fingerprint(&files), "files": files });
    fs::write(store.join(".hashes.json"), memory.to_string()).unwrap();
}

#[test]
fn a_file_replaced_with_the_same_size_and_time_has_another_hash() {
    let store = tempfile::tempdir().unwrap();
    let path = store.path().join("train.json");
    write(&path, "one");
    remember(store.path(), &path, "remembered");
    assert_eq!(hash(store.path(), &path), "remembered", "an unchanged file is not read again");
    // In place: the same inode too.
    std::thread::sleep(Duration::from_millis(20));
    write(&path, "two");
    assert_eq!(hash(store.path(), &path), blake3::hash(b"two").to_hex().to_string());
}

#[test]
fn remembered_hashes_that_were_altered_are_dropped() {
    let store = tempfile::tempdir().unwrap();
    let path = store.path().join("train.json");
    write(&path, "one");
    remember(store.path(), &path, "remembered");
    let memory = store.path().join(".hashes.json");
    fs::write(&memory, fs::read_to_string(&memory).unwrap().replace("remembered", "rememberee")).unwrap();
    assert_eq!(hash(store.path(), &path), blake3::hash(b"one").to_hex().to_string());
}

#[test]
fn times_past_any_clock_are_no_panic() {
    let store = tempfile::tempdir().unwrap();
    let path = store.path().join("train.json");
    fs::write(&path, "one").unwrap();
    let far = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(i64::MAX as u64)).unwrap();
    // A file system that cannot hold the time may refuse it, or keep the latest that it can.
    let _ = File::options().write(true).open(&path).unwrap().set_times(FileTimes::new().set_modified(far));
    assert_eq!(hash(store.path(), &path), blake3::hash(b"one").to_hex().to_string());
}
