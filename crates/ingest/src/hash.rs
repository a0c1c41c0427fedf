//! Texts as hashes, to compare them for equality: a table of hashes stays small for any texts.

/// 128 bits of a BLAKE3: no two texts of any dataset share one.
#[must_use]
pub fn hash128(text: &str) -> u128 {
    let hash = blake3::hash(text.as_bytes());
    u128::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"))
}
