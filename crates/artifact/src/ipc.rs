//! Reads the Arrow IPC file format from a buffer without trusting it.
//!
//! The Arrow crate checks arrays (offsets, UTF-8, nulls) as it decodes them. But it slices by the block and buffer
//! positions that the file states, and panics if they are wrong. These positions are checked here first. Faults come
//! back as text, to which [`crate::table`] adds the file's name.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Fields, Schema, SchemaRef};
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::{Block, MessageHeader, MetadataVersion, root_as_footer, root_as_message};

/// The first and last bytes of the format.
const MAGIC: &[u8; 6] = b"ARROW1";
/// Footer length (4 bytes) and magic.
const TRAILER_BYTES: usize = 10;
/// Continuation marker (4 bytes) and message length (4 bytes).
const MESSAGE_PREFIX_BYTES: usize = 8;
/// The least alignment of messages and buffers.
const ALIGNMENT: usize = 8;

/// Refuses anything that is not an Arrow file.
pub(crate) fn check_magic(file: &Buffer) -> Result<(), String> {
    if file.starts_with(MAGIC) {
        return Ok(());
    }
    let head = &file[..file.len().min(MAGIC.len())];
    Err(match head {
        [] => "it is empty".to_owned(),
        head => format!("it begins with \"{}\", an Arrow file with \"ARROW1\"", head.escape_ascii()),
    })
}

/// The end of the file: the schema and the positions of the record batches.
pub(crate) struct Footer {
    pub(crate) schema: SchemaRef,
    version: MetadataVersion,
    blocks: Vec<Block>,
    /// Where the footer begins; no record batch ends after this.
    start: usize,
}

impl Footer {
    /// Reads the footer only.
    pub(crate) fn read(file: &Buffer) -> Result<Self, String> {
        let trailer_start = file.len().checked_sub(TRAILER_BYTES);
        let trailer_start = trailer_start.ok_or_else(|| format!("it has only {} bytes", file.len()))?;
        let trailer =
            file[trailer_start..].try_into().map_err(|_| "the end of the file is missing".to_owned())?;
        let footer_bytes = read_footer_length(trailer).map_err(|_| {
            format!("its {} bytes do not end with an Arrow footer, so it is incomplete", file.len())
        })?;
        let start = trailer_start.checked_sub(footer_bytes).filter(|&start| start >= MAGIC.len());
        let start = start
            .ok_or_else(|| format!("its footer claims {footer_bytes} bytes of a file of {}", file.len()))?;
        // Flatbuffers need an aligned start; a footer inside a file may not have one.
        let bytes = file[start..trailer_start].to_vec();
        let footer = root_as_footer(&bytes).map_err(|e| format!("its footer is unreadable ({e})"))?;
        let schema = footer.schema().ok_or("its footer has no schema")?;
        if !schema.endianness().equals_to_target_endianness() {
            return Err("its numbers have the byte order of another machine".to_owned());
        }
        if footer.dictionaries().is_some_and(|dictionaries| !dictionaries.is_empty()) {
            return Err("it has dictionaries, expected none".to_owned());
        }
        let schema: Schema =
            try_fb_to_schema(schema).map_err(|e| format!("its schema is unreadable ({e})"))?;
        let blocks = footer.recordBatches().ok_or("its footer lists no record batches")?;
        Ok(Self {
            schema: Arc::new(schema),
            version: footer.version(),
            blocks: blocks.iter().copied().collect(),
            start,
        })
    }

    /// The record batches, as arrays that point into `file`. Validates every array once.
    pub(crate) fn batches(&self, file: &Buffer) -> Result<Vec<RecordBatch>, String> {
        // Alignment is required, because unaligned arrays would be copied.
        let decoder = FileDecoder::new(self.schema.clone(), self.version).with_require_alignment(true);
        let decode = |(index, block)| {
            let message = self.message(file, block).map_err(|why| format!("record batch {index}: {why}"))?;
            let batch = decoder.read_record_batch(block, &message);
            batch
                .map_err(|e| format!("record batch {index}: {e}"))?
                .ok_or_else(|| format!("record batch {index} is empty"))
        };
        self.blocks.iter().enumerate().map(decode).collect()
    }

    /// The bytes of one record batch, metadata and body, with every position in it checked.
    fn message(&self, file: &Buffer, block: &Block) -> Result<Buffer, String> {
        let offset = positive(block.offset(), "offset")?;
        let metadata_bytes = positive(i64::from(block.metaDataLength()), "metadata length")?;
        let body_bytes = positive(block.bodyLength(), "body length")?;
        let bytes = metadata_bytes.checked_add(body_bytes);
        let end = bytes.and_then(|bytes| bytes.checked_add(offset));
        let (Some(bytes), Some(end)) = (bytes, end) else {
            return Err(format!("{metadata_bytes} + {body_bytes} bytes at {offset}"));
        };
        if end > self.start
            || offset % ALIGNMENT != 0
            || metadata_bytes % ALIGNMENT != 0
            || metadata_bytes <= MESSAGE_PREFIX_BYTES
        {
            return Err(format!(
                "{metadata_bytes} + {body_bytes} bytes at {offset} do not fit the {} before the footer",
                self.start
            ));
        }
        let message = file.slice_with_length(offset, bytes);
        check_metadata(&message[..metadata_bytes], body_bytes, self.schema.fields())?;
        Ok(message)
    }
}

/// Checks the lengths and positions of a record batch against the size of its body.
fn check_metadata(metadata: &[u8], body_bytes: usize, fields: &Fields) -> Result<(), String> {
    let (prefix, metadata) = metadata.split_at(MESSAGE_PREFIX_BYTES);
    if prefix[..4] != [0xff; 4] {
        return Err("its continuation marker is missing".to_owned());
    }
    let message = root_as_message(metadata).map_err(|e| format!("its metadata is unreadable ({e})"))?;
    if message.header_type() != MessageHeader::RecordBatch {
        return Err(format!("is a {:?}", message.header_type()));
    }
    let batch = message.header_as_record_batch().ok_or("its header is missing")?;
    if batch.compression().is_some() {
        return Err("is compressed, expected no compression".to_owned());
    }
    // A value takes at least a bit, so no array of this body can be longer.
    let longest = body_bytes.saturating_mul(8);
    if positive(batch.length(), "row count")? > longest {
        return Err(format!("claims {} rows in {body_bytes} bytes", batch.length()));
    }
    for node in batch.nodes().ok_or("has no arrays")? {
        let length = positive(node.length(), "array length")?;
        let null_count = positive(node.null_count(), "null count")?;
        if length > longest || null_count > length {
            return Err(format!("claims {length} values, {null_count} of them null, in {body_bytes} bytes"));
        }
    }
    let mut widths = Vec::new();
    fields.iter().for_each(|field| buffer_widths(field.data_type(), &mut widths));
    let buffers = batch.buffers().ok_or("has no buffers")?;
    if buffers.len() != widths.len() {
        return Err(format!("has {} buffers, its columns need {}", buffers.len(), widths.len()));
    }
    for (buffer, width) in buffers.iter().zip(widths) {
        let offset = positive(buffer.offset(), "buffer offset")?;
        let length = positive(buffer.length(), "buffer length")?;
        let inside = offset.checked_add(length).is_some_and(|end| end <= body_bytes);
        if !inside || offset % ALIGNMENT != 0 || length % width != 0 {
            return Err(format!("claims {length} bytes at {offset} of {body_bytes}"));
        }
    }
    Ok(())
}

/// Appends the bytes per element of each buffer of a column, in the order of the file: validity first.
fn buffer_widths(data_type: &DataType, widths: &mut Vec<usize>) {
    widths.push(1);
    match data_type {
        DataType::Utf8 => widths.extend([4, 1]),
        DataType::LargeUtf8 | DataType::LargeBinary => widths.extend([8, 1]),
        DataType::List(item) => {
            widths.push(4);
            buffer_widths(item.data_type(), widths);
        }
        DataType::FixedSizeList(item, _) => buffer_widths(item.data_type(), widths),
        DataType::Struct(fields) => {
            fields.iter().for_each(|field| buffer_widths(field.data_type(), widths));
        }
        // Booleans are bits, and have no width.
        other => widths.push(other.primitive_width().unwrap_or(1)),
    }
}

fn positive(value: i64, what: &str) -> Result<usize, String> {
    usize::try_from(value).map_err(|_| format!("its {what} is {value}"))
}
