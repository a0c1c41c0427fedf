//! Computes how many bytes the texts of a delta-encoded page have: a few bytes can claim billions of texts, and each
//! text can repeat all of the one before.
//!
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/>

/// The memory of a decoded length.
const LENGTH_BYTES: u64 = 4;

/// The most texts of a page: writers put some thousands into one.
const MAX_TEXTS: u64 = 8 << 20;

/// The memory of the lengths of `DELTA_LENGTH_BYTE_ARRAY`; the texts themselves are in the page. `None` if it has more
/// than `values`.
pub(super) fn texts(page: &[u8], values: u32) -> Option<u64> {
    let count = Packed::begin(page)?.left;
    (count <= MAX_TEXTS.min(values.into())).then_some(count * LENGTH_BYTES)
}

/// The memory of the texts of `DELTA_BYTE_ARRAY` and their lengths: each text is the beginning of the previous one and
/// a rest. `None` if it has more than `values`, or takes more from the previous text than there is.
pub(super) fn prefixed_texts(page: &[u8], values: u32) -> Option<u64> {
    let mut prefixes = Packed::begin(page)?;
    let count = prefixes.left;
    if count > MAX_TEXTS.min(values.into()) {
        return None;
    }
    let mut lengths = Vec::new();
    for _ in 0..count {
        lengths.push(u32::try_from(prefixes.next()?).ok()?);
    }
    let mut suffixes = Packed::begin(prefixes.bytes)?;
    if suffixes.left != count {
        return None;
    }
    let (mut total, mut before) = (0_u64, 0_u64);
    for prefix in lengths {
        let suffix = u32::try_from(suffixes.next()?).ok()?;
        if u64::from(prefix) > before {
            return None;
        }
        before = u64::from(prefix) + u64::from(suffix);
        total += before;
    }
    Some(total.saturating_add(count * 2 * LENGTH_BYTES))
}

/// Numbers of `DELTA_BINARY_PACKED`.
struct Packed<'a> {
    bytes: &'a [u8],
    miniblocks: usize,
    values_a_miniblock: usize,
    left: u64,
    value: i64,
    is_first: bool,
    smallest: i64,
    /// Bits of each number, for the miniblocks of this block that are not yet begun.
    widths: &'a [u8],
    width: usize,
    /// Numbers of this miniblock that have been read, and how many it has.
    taken: usize,
    numbers: &'a [u8],
}

impl<'a> Packed<'a> {
    fn begin(bytes: &'a [u8]) -> Option<Self> {
        let mut packed = Self {
            bytes,
            miniblocks: 0,
            values_a_miniblock: 0,
            left: 0,
            value: 0,
            is_first: true,
            smallest: 0,
            widths: &[],
            width: 0,
            taken: 0,
            numbers: &[],
        };
        let block = usize::try_from(packed.varint()?).ok()?;
        packed.miniblocks = usize::try_from(packed.varint()?).ok()?;
        packed.left = packed.varint()?;
        packed.value = packed.zigzag()?;
        let is_sound = packed.miniblocks > 0
            && block.is_multiple_of(128)
            && block.is_multiple_of(packed.miniblocks)
            && (block / packed.miniblocks).is_multiple_of(32);
        packed.values_a_miniblock = if is_sound { block / packed.miniblocks } else { return None };
        packed.taken = packed.values_a_miniblock;
        Some(packed)
    }

    /// The next number. After the last, `bytes` is the rest: miniblocks without numbers have no bytes.
    fn next(&mut self) -> Option<i64> {
        self.left = self.left.checked_sub(1)?;
        if !std::mem::take(&mut self.is_first) {
            if self.taken == self.values_a_miniblock {
                self.next_miniblock()?;
            }
            let delta = bits(self.numbers, self.taken * self.width, self.width);
            self.taken += 1;
            self.value = self.value.wrapping_add(self.smallest).wrapping_add(delta.cast_signed());
        }
        Some(self.value)
    }

    fn next_miniblock(&mut self) -> Option<()> {
        if self.widths.is_empty() {
            self.smallest = self.zigzag()?;
            (self.widths, self.bytes) = self.bytes.split_at_checked(self.miniblocks)?;
        }
        let (width, widths) = self.widths.split_first()?;
        (self.width, self.widths, self.taken) = (usize::from(*width), widths, 0);
        if self.width > 32 {
            return None;
        }
        let length = (self.width * self.values_a_miniblock).div_ceil(8);
        (self.numbers, self.bytes) = self.bytes.split_at_checked(length)?;
        Some(())
    }

    fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

/// The number of `width` bits that begins at the bit `at`, the lowest bit first.
fn bits(bytes: &[u8], at: usize, width: usize) -> u64 {
    let mut eight = [0; 8];
    let rest = bytes.get(at / 8..).unwrap_or_default();
    let length = rest.len().min(8);
    eight[..length].copy_from_slice(&rest[..length]);
    // At most 7 + 32 of these 64 bits are needed.
    u64::from_le_bytes(eight) >> (at % 8) & ((1 << width) - 1)
}
