//! Just enough of Thrift's compact protocol to see what a Parquet file claims before the library believes it: the sizes
//! in a page's header, and the shape of the footer.
//!
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

/// The depth of nested structs, lists and maps: Parquet's own have about eight.
const MAX_DEPTH: usize = 32;

const STOP: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const I8: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// Why bytes are not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// They end inside a value.
    Short,
    Unsound,
}

type Result<T> = std::result::Result<T, Broken>;

/// What a page's header claims.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PageHeader {
    pub(super) kind: i32,
    pub(super) uncompressed_bytes: i32,
    pub(super) compressed_bytes: i32,
    /// Nulls included; for a dictionary, its entries.
    pub(super) values: i32,
}

impl PageHeader {
    pub(super) const INDEX: i32 = 1;
    pub(super) const DICTIONARY: i32 = 2;

    /// The header that `bytes` begin with, and its length.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, usize)> {
        let mut header = Self::default();
        let mut input = Input::new(bytes);
        input.fields(0, &mut |input, field, kind| {
            match (field, kind) {
                (1, I32) => header.kind = input.i32()?,
                (2, I32) => header.uncompressed_bytes = input.i32()?,
                (3, I32) => header.compressed_bytes = input.i32()?,
                // Of a data page, a dictionary, a data page of version 2.
                (5 | 7 | 8, STRUCT) => input.fields(1, &mut |input, field, kind| {
                    if (field, kind) != (1, I32) {
                        return Ok(false);
                    }
                    header.values = input.i32()?;
                    Ok(true)
                })?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok((header, bytes.len() - input.bytes.len()))
    }
}

/// What a footer consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Footer {
    /// The structs of everything: columns, row groups, statistics.
    pub(super) structs: usize,
    /// The depth of the schema: nested columns.
    pub(super) depth: usize,
}

impl Footer {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let mut input = Input::new(bytes);
        let mut children = Vec::new();
        input.fields(0, &mut |input, field, kind| {
            if (field, kind) != (2, LIST) {
                return Ok(false);
            }
            let (count, STRUCT) = input.list()? else { return Err(Broken::Unsound) };
            for _ in 0..count {
                let mut own_children = 0;
                input.fields(2, &mut |input, field, kind| {
                    if (field, kind) != (5, I32) {
                        return Ok(false);
                    }
                    own_children = input.i32()?;
                    Ok(true)
                })?;
                children.push(usize::try_from(own_children).map_err(|_| Broken::Unsound)?);
            }
            Ok(true)
        })?;
        Ok(Self { structs: input.structs, depth: depth(&children)? })
    }
}

/// How deep a schema goes: each of its elements is followed by its children.
fn depth(children: &[usize]) -> Result<usize> {
    let (mut open, mut deepest) = (Vec::new(), 0);
    for own in children {
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        if *own > children.len() {
            return Err(Broken::Unsound);
        }
        open.push(*own);
        deepest = deepest.max(open.len());
    }
    Ok(deepest)
}

struct Input<'a> {
    bytes: &'a [u8],
    structs: usize,
}

impl<'a> Input<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, structs: 0 }
    }

    /// Passes every field of a struct to `take`, with number and type; skips what it does not take.
    fn fields(
        &mut self,
        depth: usize,
        take: &mut dyn FnMut(&mut Self, i16, u8) -> Result<bool>,
    ) -> Result<()> {
        self.structs += 1;
        let mut field = 0_i16;
        loop {
            let byte = self.byte()?;
            let kind = byte & 0x0f;
            if kind == STOP {
                return Ok(());
            }
            field = match byte >> 4 {
                0 => i16::try_from(self.zigzag()?).map_err(|_| Broken::Unsound)?,
                step => field.checked_add(i16::from(step)).ok_or(Broken::Unsound)?,
            };
            if !take(self, field, kind)? {
                self.skip(kind, depth + 1)?;
            }
        }
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(Broken::Unsound);
        }
        match kind {
            // Their type is their value.
            TRUE | FALSE => Ok(()),
            I8 => self.pass(1),
            I16 | I32 | I64 => self.varint().map(drop),
            DOUBLE => self.pass(8),
            UUID => self.pass(16),
            BINARY => {
                let length = usize::try_from(self.varint()?).map_err(|_| Broken::Unsound)?;
                self.pass(length)
            }
            LIST | SET => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip_item(kind, depth))
            }
            MAP => {
                let count = self.varint()?;
                let kinds = if count > 0 { self.byte()? } else { 0 };
                (0..count).try_for_each(|_| {
                    self.skip_item(kinds >> 4, depth)?;
                    self.skip_item(kinds & 0x0f, depth)
                })
            }
            STRUCT => self.fields(depth, &mut |_, _, _| Ok(false)),
            _ => Err(Broken::Unsound),
        }
    }

    /// Inside a list, a truth value is a byte, so every item takes at least one.
    fn skip_item(&mut self, kind: u8, depth: usize) -> Result<()> {
        match kind {
            TRUE | FALSE => self.pass(1),
            _ => self.skip(kind, depth + 1),
        }
    }

    /// How many items a list has, and of which type.
    fn list(&mut self) -> Result<(u64, u8)> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => self.varint()?,
            few => u64::from(few),
        };
        Ok((count, byte & 0x0f))
    }

    fn i32(&mut self) -> Result<i32> {
        i32::try_from(self.zigzag()?).map_err(|_| Broken::Unsound)
    }

    fn zigzag(&mut self) -> Result<i64> {
        let number = self.varint()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn varint(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Broken::Unsound)
    }

    fn byte(&mut self) -> Result<u8> {
        let (byte, rest) = self.bytes.split_first().ok_or(Broken::Short)?;
        self.bytes = rest;
        Ok(*byte)
    }

    fn pass(&mut self, bytes: usize) -> Result<()> {
        self.bytes = self.bytes.get(bytes..).ok_or(Broken::Short)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_tells_its_sizes_and_where_it_ends() {
        // {1: 0, 2: 300, 3: 200, 4: -1, 5: {1: 7, 2: 0}}, then the page.
        let header = b"\x15\x00\x15\xd8\x04\x15\x90\x03\x15\x01\x1c\x15\x0e\x15\x00\x00\x00PAGE".as_slice();
        let expected = PageHeader { kind: 0, uncompressed_bytes: 300, compressed_bytes: 200, values: 7 };
        assert_eq!(PageHeader::parse(header), Ok((expected, header.len() - 4)));
        for end in 0..header.len() - 4 {
            assert_eq!(PageHeader::parse(&header[..end]), Err(Broken::Short));
        }
    }

    #[test]
    fn nesting_and_counts_that_the_bytes_do_not_bear_out_are_refused() {
        assert_eq!(PageHeader::parse(&[0x1c; 100]), Err(Broken::Unsound));
        // A list of 2^35 truth values, a map of as many of nothing.
        assert_eq!(PageHeader::parse(b"\x99\xf1\x80\x80\x80\x80\x80\x01\x01"), Err(Broken::Short));
        assert_eq!(PageHeader::parse(b"\x9b\x80\x80\x80\x80\x80\x01\x00"), Err(Broken::Unsound));
        // A schema of one element with 2^30 children.
        assert_eq!(Footer::parse(b"\x29\x1c\x55\x80\x80\x80\x80\x08\x00\x00"), Err(Broken::Unsound));
    }

    #[test]
    fn a_schema_is_as_deep_as_its_deepest_column() {
        assert_eq!(depth(&[2, 0, 1, 1, 0]), Ok(4));
        assert_eq!(depth(&[3, 0, 0, 0]), Ok(2));
        assert_eq!(depth(&[]), Ok(0));
    }
}
