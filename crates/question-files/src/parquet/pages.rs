//! Checks the pages of a Parquet file before they are decompressed, and again before they are decoded.
//!
//! The library allocates what headers claim and decodes what pages expand to. Here, every claim is first compared with
//! the file and with a limit. Not here: what the values mean.

use std::fs::File;
use std::io::{self, Read};
use std::iter;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flate2::bufread::MultiGzDecoder;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use super::thrift::{Broken, PageHeader};
use super::{BOMB_REMEDY, FREE_BYTES, MAX_RATIO, damaged, delta};
use crate::error::Error;

/// Pages in memory at once, over all columns. Writers aim at 1 MiB for each; some write one page for each row group.
pub(crate) const MAX_PAGES_MIB: u64 = 256;

/// Statistics of a page may hold its largest text.
const MAX_HEADER_BYTES: usize = 16 << 20;

/// What a byte of deflate can become at most.
const GZIP_RATIO: u64 = 1032;

/// A gzipped page that cannot become larger than this need not be examined.
const SMALL_PAGE_BYTES: u64 = 64 << 20;

/// The memory of all columns, and what has been read of the file so far.
#[derive(Debug, Default)]
struct Usage {
    /// Dictionaries and pages that are decoded from.
    held_bytes: u64,
    /// Pages from which earlier rows of the present batch were decoded.
    passed_bytes: u64,
    read_bytes: u64,
    became_bytes: u64,
    /// Why reading ended.
    refusal: Option<Error>,
}

/// The pages of one file.
#[derive(Clone)]
pub(super) struct Pages {
    file: Arc<File>,
    name: Arc<str>,
    usage: Arc<Mutex<Usage>>,
}

impl Pages {
    pub(super) fn new(file: File, name: &str) -> Self {
        Self { file: Arc::new(file), name: name.into(), usage: Arc::default() }
    }

    /// Call this when a batch of rows is finished.
    pub(super) fn batch_is_done(&self) {
        self.usage().passed_bytes = 0;
    }

    /// Call this when a row group is finished.
    pub(super) fn row_group_is_done(&self) {
        let mut usage = self.usage();
        (usage.passed_bytes, usage.held_bytes) = (0, 0);
    }

    /// Why a page was refused, if one was.
    pub(super) fn refusal(&self) -> Option<Error> {
        self.usage().refusal.take()
    }

    /// Ends the reading with `error`, which the library's own error cannot carry.
    fn refuse(&self, error: Error) -> ParquetError {
        self.usage().refusal = Some(error);
        ParquetError::General("refused".to_owned())
    }

    fn contradiction(&self, what: &str) -> ParquetError {
        let what = io::Error::other(format!("its parts contradict one another: {what}"));
        self.refuse(damaged(&self.name, what))
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One row group, whose pages are checked.
pub(super) struct RowGroup<'a> {
    pub(super) pages: &'a Pages,
    pub(super) metadata: &'a ParquetMetaData,
    pub(super) index: usize,
}

impl RowGroups for RowGroup<'_> {
    fn num_rows(&self) -> usize {
        self.metadata.row_group(self.index).num_rows() as usize
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let chunk = self.metadata.row_group(self.index).column(column);
        let reader = SerializedPageReader::new(Arc::clone(&self.pages.file), chunk, self.num_rows(), None)?;
        let (start, length) = chunk.byte_range();
        let file_bytes = self.pages.file.metadata()?.len();
        let checked = Checked {
            inner: reader,
            pages: self.pages.clone(),
            column: Column::of(chunk),
            at: start,
            end: start.saturating_add(length).min(file_bytes),
            values_left: chunk.num_values(),
            dictionary_bytes: 0,
            page_bytes: 0,
        };
        Ok(Box::new(Once(Some(checked))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(iter::once(self.metadata.row_group(self.index)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.metadata
    }
}

struct Once(Option<Checked>);

impl Iterator for Once {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(|reader| Ok(Box::new(reader) as Box<dyn PageReader>))
    }
}

impl PageIterator for Once {}

struct Column {
    path: String,
    compression: Compression,
    max_repetition: i16,
    max_definition: i16,
}

impl Column {
    fn of(chunk: &ColumnChunkMetaData) -> Self {
        let description = chunk.column_descr();
        Self {
            path: description.path().string(),
            compression: chunk.compression(),
            max_repetition: description.max_rep_level(),
            max_definition: description.max_def_level(),
        }
    }
}

/// The pages of one column of a row group.
struct Checked {
    inner: SerializedPageReader<File>,
    pages: Pages,
    column: Column,
    /// The place of the next header in the file.
    at: u64,
    end: u64,
    /// Values that the footer has announced and no page has given yet.
    values_left: i64,
    dictionary_bytes: u64,
    page_bytes: u64,
}

impl Checked {
    /// Checks the header of the next page.
    fn check_header(&mut self) -> Result<()> {
        while self.at < self.end {
            let (header, length) = self.header()?;
            let left = (self.end - self.at).saturating_sub(length as u64);
            let compressed = u64::try_from(header.compressed_bytes).ok().filter(|bytes| *bytes <= left);
            let uncompressed = u64::try_from(header.uncompressed_bytes).ok();
            let (Some(compressed), Some(uncompressed)) = (compressed, uncompressed) else {
                return Err(self.pages.contradiction("a page is larger than its column"));
            };
            let body = self.at + length as u64;
            self.at = body + compressed;
            if header.kind != PageHeader::INDEX {
                self.count(&header, length as u64 + compressed, compressed.max(uncompressed))?;
                return self.check_inflated(body, compressed, uncompressed);
            }
        }
        Ok(())
    }

    /// The header at the current place, and its length.
    fn header(&self) -> Result<(PageHeader, usize)> {
        let mut buffer = vec![0; 256];
        loop {
            let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
            let wanted = buffer.len().min(left);
            let read = read_at(&self.pages.file, &mut buffer[..wanted], self.at)?;
            match PageHeader::parse(&buffer[..read]) {
                Ok(parsed) => return Ok(parsed),
                Err(Broken::Short) if read == wanted && wanted < left.min(MAX_HEADER_BYTES) => {
                    buffer.resize(buffer.len() * 4, 0);
                }
                Err(_) => return Err(self.pages.contradiction("a page has no valid header")),
            }
        }
    }

    /// Counts the memory for reading the page.
    fn count(&mut self, header: &PageHeader, read_bytes: u64, bytes: u64) -> Result<()> {
        let values = u64::from(header.values.max(0).cast_unsigned());
        let is_dictionary = header.kind == PageHeader::DICTIONARY;
        if !is_dictionary {
            self.values_left -= i64::from(header.values.max(0));
            if self.values_left < 0 {
                return Err(self.pages.contradiction("a column has more values than its metadata says"));
            }
        }
        // The place of each entry takes 16 bytes.
        let held = if is_dictionary { bytes.saturating_add(values * 16) } else { bytes };
        let mut usage = self.pages.usage();
        let before = if is_dictionary { &mut self.dictionary_bytes } else { &mut self.page_bytes };
        usage.passed_bytes += *before;
        usage.held_bytes = usage.held_bytes.saturating_sub(*before).saturating_add(held);
        *before = held;
        usage.read_bytes += read_bytes;
        usage.became_bytes += bytes;
        let (read, became) = (usage.read_bytes, usage.became_bytes);
        drop(usage);
        if became > FREE_BYTES && became > read.saturating_mul(MAX_RATIO) {
            return Err(self.pages.refuse(Error::Bomb {
                name: self.pages.name.to_string(),
                ratio: MAX_RATIO,
                compressed_bytes: read,
                bytes: became,
                remedy: BOMB_REMEDY,
            }));
        }
        self.check_memory()
    }

    /// Refuses what does not fit into memory.
    fn check_memory(&self) -> Result<()> {
        let usage = self.pages.usage();
        let found_mib = usage.held_bytes.saturating_add(usage.passed_bytes) >> 20;
        drop(usage);
        if found_mib < MAX_PAGES_MIB {
            return Ok(());
        }
        Err(self.pages.refuse(Error::Pages {
            name: self.pages.name.to_string(),
            column: self.column.path.clone(),
            found_mib,
            limit_mib: MAX_PAGES_MIB,
        }))
    }

    /// With two codecs, the library accepts output of any size.
    fn check_inflated(&self, body: u64, compressed: u64, uncompressed: u64) -> Result<()> {
        const LZ4_FRAME_MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
        const LZ4_RATIO: u64 = 255;
        let file = &self.pages.file;
        let becomes_more = match self.column.compression {
            Compression::GZIP(_) if compressed * GZIP_RATIO > SMALL_PAGE_BYTES => {
                let bytes = io::BufReader::with_capacity(1 << 16, Part { file, at: body, left: compressed });
                let mut out = MultiGzDecoder::new(bytes).take(uncompressed + 1);
                // The library reports invalid data.
                io::copy(&mut out, &mut io::sink()).is_ok_and(|bytes| bytes > uncompressed)
            }
            Compression::LZ4 if compressed * LZ4_RATIO > MAX_PAGES_MIB << 20 => {
                let mut magic = [0; 4];
                read_at(file, &mut magic, body)? == magic.len() && magic == LZ4_FRAME_MAGIC
            }
            _ => false,
        };
        if becomes_more {
            Err(self.pages.contradiction("a page becomes larger than its header says"))
        } else {
            Ok(())
        }
    }

    /// Checks a page that is about to be decoded.
    fn check_page(&mut self, page: &Page) -> Result<()> {
        let (values, encoding, buffer) = match page {
            Page::DataPage { buf, num_values, encoding, rep_level_encoding, def_level_encoding, .. } => {
                let mut rest = buf.as_ref();
                let levels = [
                    (self.column.max_repetition, rep_level_encoding),
                    (self.column.max_definition, def_level_encoding),
                ];
                for (highest, encoding) in levels {
                    rest = without_levels(rest, *num_values, highest, *encoding)
                        .ok_or_else(|| self.pages.contradiction("a page ends inside its levels"))?;
                }
                (*num_values, *encoding, rest)
            }
            Page::DataPageV2 {
                buf, num_values, encoding, def_levels_byte_len, rep_levels_byte_len, ..
            } => {
                let levels = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
                let rest = buf
                    .get(levels..)
                    .ok_or_else(|| self.pages.contradiction("a page ends inside its levels"))?;
                (*num_values, *encoding, rest)
            }
            Page::DictionaryPage { .. } => return Ok(()),
        };
        let expanded = match encoding {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => delta::texts(buffer, values),
            Encoding::DELTA_BYTE_ARRAY => delta::prefixed_texts(buffer, values),
            _ => return Ok(()),
        };
        let expanded = expanded
            .ok_or_else(|| self.pages.contradiction("the lengths of a page's texts are not valid"))?;
        self.pages.usage().held_bytes += expanded;
        self.page_bytes += expanded;
        self.check_memory()
    }
}

/// The part after the levels of a page of version 1.
fn without_levels(page: &[u8], values: u32, highest: i16, encoding: Encoding) -> Option<&[u8]> {
    if highest == 0 {
        return Some(page);
    }
    #[expect(deprecated, reason = "old files have it")]
    let length = if encoding == Encoding::BIT_PACKED {
        let bits = u64::from(16 - highest.leading_zeros());
        usize::try_from((u64::from(values) * bits).div_ceil(8)).ok()?
    } else {
        4 + u32::from_le_bytes(*page.first_chunk()?) as usize
    };
    page.get(length..)
}

impl Iterator for Checked {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Checked {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.check_header()?;
        let page = self.inner.get_next_page()?;
        if let Some(page) = &page {
            self.check_page(page)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        Err(ParquetError::General("every row is read: no page is skipped".to_owned()))
    }
}

/// Reads until the buffer is full or the file ends.
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], at + read as u64) {
            Ok(0) => break,
            Ok(bytes) => read += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Some bytes of a file.
struct Part<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}
