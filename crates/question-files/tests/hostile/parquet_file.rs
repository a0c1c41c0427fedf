//! Parquet files written by hand, page by page, so that every claim in them can be false.

/// Physical types, encodings and codecs, as the format numbers them.
pub const BYTE_ARRAY: i32 = 6;
pub const FIXED_LEN_BYTE_ARRAY: i32 = 7;
pub const PLAIN: i32 = 0;
pub const RLE: i32 = 3;
pub const DELTA_LENGTH_BYTE_ARRAY: i32 = 6;
pub const DELTA_BYTE_ARRAY: i32 = 7;
pub const RLE_DICTIONARY: i32 = 8;
pub const UNCOMPRESSED: i32 = 0;
pub const SNAPPY: i32 = 1;
pub const GZIP: i32 = 2;
pub const ZSTD: i32 = 6;

/// What the schema says of a column's presence.
#[derive(Clone, Copy)]
pub enum Presence {
    Required = 0,
    Optional = 1,
    Repeated = 2,
}

/// A column of the only row group.
pub struct Column {
    pub name: &'static str,
    pub physical_type: i32,
    pub type_length: i32,
    pub presence: Presence,
    pub codec: i32,
    /// As the footer says.
    pub values: i64,
    pub pages: Vec<Page>,
    /// Added to the length that the footer says.
    pub extra_bytes: i64,
}

impl Column {
    pub fn text(name: &'static str, values: i64, pages: Vec<Page>) -> Self {
        let (presence, codec) = (Presence::Required, UNCOMPRESSED);
        Self {
            name,
            physical_type: BYTE_ARRAY,
            type_length: 0,
            presence,
            codec,
            values,
            pages,
            extra_bytes: 0,
        }
    }

    pub fn texts(name: &'static str, values: i64, pages: Vec<Page>) -> Self {
        Self { presence: Presence::Repeated, ..Self::text(name, values, pages) }
    }
}

/// A page, as its header says.
#[derive(Clone)]
pub struct Page {
    pub is_dictionary: bool,
    pub values: i32,
    pub encoding: i32,
    pub uncompressed_bytes: i32,
    pub compressed_bytes: i32,
    pub body: Vec<u8>,
}

impl Page {
    pub fn data(values: i32, encoding: i32, body: Vec<u8>) -> Self {
        let bytes = i32::try_from(body.len()).unwrap();
        let (uncompressed_bytes, compressed_bytes) = (bytes, bytes);
        Self { is_dictionary: false, values, encoding, uncompressed_bytes, compressed_bytes, body }
    }

    pub fn dictionary(values: i32, body: Vec<u8>) -> Self {
        Self { is_dictionary: true, ..Self::data(values, PLAIN, body) }
    }

    /// Says that its body becomes so many bytes.
    pub fn becomes(self, uncompressed_bytes: usize) -> Self {
        Self { uncompressed_bytes: i32::try_from(uncompressed_bytes).unwrap(), ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut header = Struct::default();
        header.i32(1, if self.is_dictionary { 2 } else { 0 });
        header.i32(2, self.uncompressed_bytes);
        header.i32(3, self.compressed_bytes);
        let mut own = Struct::default();
        own.i32(1, self.values);
        own.i32(2, self.encoding);
        if self.is_dictionary {
            header.structure(7, own);
        } else {
            own.i32(3, RLE);
            own.i32(4, RLE);
            header.structure(5, own);
        }
        [header.end(), self.body.clone()].concat()
    }
}

/// A text as PLAIN has it.
pub fn plain(text: &[u8]) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap().to_le_bytes(), text].concat()
}

/// So many references to the first entry of a dictionary.
pub fn references(count: u64) -> Vec<u8> {
    [vec![0], run(count, &[])].concat()
}

/// Levels of one bit: runs of (count, level).
pub fn levels(runs: &[(u64, u8)]) -> Vec<u8> {
    let runs: Vec<u8> = runs.iter().flat_map(|(count, level)| run(*count, &[*level])).collect();
    [&u32::try_from(runs.len()).unwrap().to_le_bytes(), runs.as_slice()].concat()
}

fn run(count: u64, value: &[u8]) -> Vec<u8> {
    [&varint(count << 1), value].concat()
}

/// Equal numbers as `DELTA_BINARY_PACKED` has them: a few bytes, however many they are.
pub fn equal_numbers(count: u64, number: u64) -> Vec<u8> {
    let mut bytes = [varint(1 << 20), varint(4), varint(count), varint(number << 1)].concat();
    for _ in 0..count.div_ceil(1 << 20) {
        bytes.extend([0, 0, 0, 0, 0]);
    }
    bytes
}

/// Numbers as `DELTA_BINARY_PACKED` has them, each difference in 32 bits.
pub fn numbers(numbers: &[i64]) -> Vec<u8> {
    let mut bytes = [varint(128), varint(4), varint(numbers.len() as u64), zigzag(numbers[0])].concat();
    let differences: Vec<i64> = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for block in differences.chunks(128) {
        let smallest = block.iter().min().unwrap();
        bytes.extend(zigzag(*smallest));
        let miniblocks = block.chunks(32);
        bytes.extend((0..4).map(|miniblock| if miniblock < miniblocks.len() { 32 } else { 0 }));
        for miniblock in miniblocks {
            let mut packed = [0_u32; 32];
            for (packed, number) in packed.iter_mut().zip(miniblock) {
                *packed = u32::try_from(number - smallest).unwrap();
            }
            bytes.extend(packed.iter().flat_map(|number| number.to_le_bytes()));
        }
    }
    bytes
}

/// The file of these columns and rows.
pub fn file(rows: i64, columns: &[Column]) -> Vec<u8> {
    let mut bytes = b"PAR1".to_vec();
    let mut schema = vec![group("schema", i32::try_from(columns.len()).unwrap())];
    let mut chunks = Vec::new();
    for column in columns {
        let mut element = Struct::default();
        element.i32(1, column.physical_type);
        element.i32(2, column.type_length);
        element.i32(3, column.presence as i32);
        element.text(4, column.name);
        if column.physical_type == BYTE_ARRAY {
            element.i32(6, 0);
        }
        schema.push(element);
        let begin = bytes.len() as i64;
        column.pages.iter().for_each(|page| bytes.extend(page.bytes()));
        let length = bytes.len() as i64 - begin + column.extra_bytes;
        let mut metadata = Struct::default();
        metadata.i32(1, column.physical_type);
        metadata.list(2, I32, &[zigzag(PLAIN.into())]);
        metadata.list(3, BINARY, &[[varint(column.name.len() as u64), column.name.into()].concat()]);
        metadata.i32(4, column.codec);
        metadata.i64(5, column.values);
        metadata.i64(6, length);
        metadata.i64(7, length);
        metadata.i64(9, begin);
        let mut chunk = Struct::default();
        chunk.i64(2, begin);
        chunk.structure(3, metadata);
        chunks.push(chunk.end());
    }
    let mut row_group = Struct::default();
    row_group.list(1, STRUCT, &chunks);
    row_group.i64(2, 0);
    row_group.i64(3, rows);
    bytes.extend(footer(rows, schema, vec![row_group.end()]));
    bytes
}

/// A file of nothing but a schema.
pub fn schema_file(elements: Vec<Struct>) -> Vec<u8> {
    [b"PAR1".to_vec(), footer(0, elements, Vec::new())].concat()
}

/// An element of the schema that says to have so many children.
pub fn group(name: &str, children: i32) -> Struct {
    let mut element = Struct::default();
    element.i32(3, 0);
    element.text(4, name);
    element.i32(5, children);
    element
}

/// A column of the schema.
pub fn leaf(name: &str) -> Struct {
    let mut element = Struct::default();
    element.i32(1, BYTE_ARRAY);
    element.i32(3, 0);
    element.text(4, name);
    element
}

fn footer(rows: i64, schema: Vec<Struct>, row_groups: Vec<Vec<u8>>) -> Vec<u8> {
    let mut footer = Struct::default();
    footer.i32(1, 1);
    footer.list(2, STRUCT, &schema.into_iter().map(Struct::end).collect::<Vec<_>>());
    footer.i64(3, rows);
    footer.list(4, STRUCT, &row_groups);
    let footer = footer.end();
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [&footer, length.as_slice(), b"PAR1"].concat()
}

const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// A struct of Thrift's compact protocol; fields come in order.
#[derive(Default)]
pub struct Struct {
    bytes: Vec<u8>,
    last: u8,
}

impl Struct {
    fn field(&mut self, field: u8, kind: u8) {
        self.bytes.push((field - self.last) << 4 | kind);
        self.last = field;
    }

    fn i32(&mut self, field: u8, number: i32) {
        self.field(field, I32);
        self.bytes.extend(zigzag(number.into()));
    }

    fn i64(&mut self, field: u8, number: i64) {
        self.field(field, I64);
        self.bytes.extend(zigzag(number));
    }

    fn text(&mut self, field: u8, text: &str) {
        self.field(field, BINARY);
        self.bytes.extend([varint(text.len() as u64), text.into()].concat());
    }

    fn structure(&mut self, field: u8, other: Self) {
        self.field(field, STRUCT);
        self.bytes.extend(other.end());
    }

    fn list(&mut self, field: u8, kind: u8, items: &[Vec<u8>]) {
        self.field(field, LIST);
        self.bytes.push(0xf0 | kind);
        self.bytes.extend(varint(items.len() as u64));
        self.bytes.extend(items.concat());
    }

    fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

fn zigzag(number: i64) -> Vec<u8> {
    varint((number << 1 ^ number >> 63) as u64)
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}
