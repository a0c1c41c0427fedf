//! Downloads a URL into a file. A download resumes where it stopped, and the file exists only when it is complete.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use ureq::http::StatusCode;

use crate::digest::{Digest, small_text};
use crate::error::{Error, Result};
use crate::http::{Answer, Attempt, Client, Request, Tries};
use crate::lock::open_alone;
use crate::{Event, Listener, redacted, tell, waiting};

const BUFFER_BYTES: usize = 1 << 16;

/// The size limit for a file of unknown size: the largest corpus of questions is smaller.
const MAX_GIB: u64 = 64;

/// What to download, and where to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    pub(crate) url: &'a str,
    /// For people.
    pub(crate) name: &'a str,
    pub(crate) token: Option<&'a str>,
    /// The hash that it must have, if known.
    pub(crate) expected: Option<&'a Digest>,
    /// The size that it must have, if known.
    pub(crate) size_bytes: Option<u64>,
    /// The remedy if it has another.
    pub(crate) remedy: &'static str,
    /// Grows while bytes come in; its lock keeps others away.
    pub(crate) partial: &'a Path,
}

/// A complete download, still under the name of the unfinished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// SHA-256 of the contents.
    pub sha256: Digest,
    /// Their size.
    pub size_bytes: u64,
}

impl Client {
    /// Downloads `url` into `folder` and names the file by its SHA-256. `expected` are the SHA-256 and the size that it
    /// must have.
    ///
    /// An interrupted download resumes where it stopped, if the server says that the file is still the same.
    pub fn download(
        &self,
        url: &str,
        folder: &Path,
        expected: Option<(&Digest, u64)>,
        listener: Listener<'_>,
    ) -> Result<Downloaded> {
        let mut named = [0_u8; 8];
        named.copy_from_slice(&<sha2::Sha256 as sha2::Digest>::digest(url)[..8]);
        let partial = folder.join(format!("{:016x}.incomplete", u64::from_be_bytes(named)));
        let shown = redacted(url);
        let order = Order {
            url,
            name: shown.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(&shown),
            token: None,
            expected: expected.map(|(digest, _)| digest),
            size_bytes: expected.map(|(_, size_bytes)| size_bytes),
            remedy: "the file has changed since it was first used: to use the new version, delete the record \
                     `.sources.json` in the store",
            partial: &partial,
        };
        let lock = self.fill(&order, listener)?;
        let sha256 = match expected {
            // `fill` has compared it.
            Some((digest @ Digest::Sha256(_), _)) => digest.clone(),
            _ => Digest::sha256_listening(&partial, listener)?,
        };
        let size_bytes = fs_err::metadata(&partial)?.len();
        fs_err::rename(&partial, folder.join(sha256.hex()))?;
        forget_tag(&partial)?;
        drop(lock);
        Ok(Downloaded { sha256, size_bytes })
    }

    /// Fills the order's unfinished file and checks its hash. Returns the lock on it, for the renaming.
    pub(crate) fn fill(&self, order: &Order<'_>, listener: Listener<'_>) -> Result<File> {
        let mut file = open_alone(order.partial, listener)?;
        let resumed = file.metadata()?.len() > 0;
        self.receive(order, &mut file, listener)?;
        let Some(expected) = order.expected else { return Ok(file) };
        let mut found = expected.of_file_as(order.partial, listener)?;
        if found != *expected && resumed {
            // The earlier part may belong to another file: try once more, from the beginning.
            start_over(&file, order.partial)?;
            self.receive(order, &mut file, listener)?;
            found = expected.of_file_as(order.partial, listener)?;
        }
        if found == *expected {
            return Ok(file);
        }
        start_over(&file, order.partial)?;
        Err(Error::Hash {
            url: order.url.to_owned(),
            found,
            expected: expected.clone(),
            remedy: order.remedy,
        })
    }

    /// Appends what is missing to `file`, in as many attempts as needed.
    fn receive(&self, order: &Order<'_>, file: &mut File, listener: Listener<'_>) -> Result<()> {
        let mut tries = Tries::new(self.patience, order.url);
        let mut longest = file.metadata()?.len();
        loop {
            // A known hash verifies a resumed file; without one, the server must say that it is the same file.
            let tag = read_tag(order.partial);
            if order.expected.is_none() && tag.is_none() {
                file.set_len(0)?;
            }
            let start = file.metadata()?.len();
            let limit = Limit::of(order)?;
            let request = Request { url: order.url, token: order.token, start, if_range: tag.as_deref() };
            let attempt = match self.attempt_listening(&request, listener)? {
                Ok(answer) => match append(answer, start, (order, &limit), file, listener) {
                    Ok(()) => return Ok(()),
                    Err(Broken::Off(error)) => Attempt::Again { wait: None, error: ureq::Error::Io(error) },
                    Err(Broken::For(error)) => return Err(error),
                },
                Err(attempt) => attempt,
            };
            // A server that always starts from the beginning, and always ends too early, brings nothing new.
            let len = file.metadata()?.len();
            if len > longest {
                longest = len;
                tries.progressed();
            }
            tries.failed(attempt, listener)?;
        }
    }
}

/// Why the body of a response is incomplete.
enum Broken {
    /// The connection.
    Off(io::Error),
    /// An error that another attempt cannot fix.
    For(Error),
}

impl<E: Into<Error>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::For(error.into())
    }
}

fn append(
    answer: Answer,
    start: u64,
    (order, limit): (&Order<'_>, &Limit),
    file: &mut File,
    listener: Listener<'_>,
) -> std::result::Result<(), Broken> {
    let unwritten = |source| Error::Write { path: order.partial.to_owned(), source };
    let continues = match answer.status() {
        StatusCode::PARTIAL_CONTENT if starts_at(&answer, start) => true,
        StatusCode::PARTIAL_CONTENT if !starts_at(&answer, 0) => {
            return Err(Broken::Off(io::Error::other(
                "the server sent a different part of the file than requested",
            )));
        }
        // Nothing is left to send if the part is complete; the hash tells whether it is.
        StatusCode::RANGE_NOT_SATISFIABLE
            if order.expected.is_some() && length_of_all(&answer) == Some(start) =>
        {
            return Ok(());
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            start_over(file, order.partial)?;
            return Err(Broken::Off(io::Error::other("the server does not have the rest of the file")));
        }
        _ => false,
    };
    if !continues {
        file.set_len(0)?;
    }
    let present_bytes = if continues { start } else { 0 };
    if let Some(tag) =
        answer.header("etag").filter(|tag| !tag.starts_with("W/")).or(answer.header("last-modified"))
    {
        fs_err::write(tag_path(order.partial), tag)?;
    } else {
        forget_tag(order.partial)?;
    }
    let body = answer.response.into_body();
    let total_bytes = body.content_length().map_or(0, |length| present_bytes + length);
    tell(listener, Event::Started { name: order.name, total_bytes, present_bytes })?;
    if total_bytes > limit.bytes {
        return Err(limit.exceeded(order, file));
    }
    let blocks = blocks(body.into_reader())?;
    let mut received = present_bytes;
    while let Some(block) = waiting::next(&blocks, listener)? {
        let block = block.map_err(Broken::Off)?;
        received += block.len() as u64;
        if received > limit.bytes {
            return Err(limit.exceeded(order, file));
        }
        file.write_all(&block).map_err(unwritten)?;
        tell(listener, Event::Received(block.len() as u64))?;
    }
    file.sync_all().map_err(unwritten)?;
    if total_bytes > 0 && file.metadata()?.len() < total_bytes {
        return Err(Broken::Off(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(())
}

/// A body in memory, of at most this many bytes.
pub(crate) fn held(answer: Answer, url: &str, limit_bytes: u64, listener: Listener<'_>) -> Result<Vec<u8>> {
    let blocks = blocks(answer.response.into_body().into_reader())?;
    let mut held = Vec::new();
    while let Some(block) = waiting::next(&blocks, listener)? {
        held.extend(block.map_err(|error| Error::Unreachable {
            url: url.to_owned(),
            attempts: 1,
            remedy: "check the network and try again".to_owned(),
            source: Box::new(ureq::Error::Io(error)),
        })?);
        if held.len() as u64 > limit_bytes {
            return Err(Error::TooLong {
                url: url.to_owned(),
                limit_bytes,
                why: "the limit for a listing".to_owned(),
                remedy: "check HF_ENDPOINT: it must name a Hugging Face Hub or a mirror of one",
            });
        }
    }
    Ok(held)
}

/// A body, a block at a time, read in a thread.
fn blocks(mut body: impl Read + Send + 'static) -> Result<Receiver<io::Result<Vec<u8>>>> {
    waiting::start(move |put| {
        loop {
            let mut block = vec![0; BUFFER_BYTES];
            let read = match body.read(&mut block) {
                Ok(0) => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read,
            };
            let failed = read.is_err();
            let block = read.map(|bytes| {
                block.truncate(bytes);
                block
            });
            if !put(block) || failed {
                return;
            }
        }
    })
}

/// How many bytes are accepted from a server that does not stop by itself.
struct Limit {
    bytes: u64,
    why: String,
    remedy: &'static str,
}

impl Limit {
    fn of(order: &Order<'_>) -> Result<Self> {
        let folder = order.partial.parent().unwrap_or(Path::new("."));
        let room = rustix::fs::statvfs(folder).map_err(io::Error::from)?;
        // Some file systems do not report free space.
        let free = if room.f_blocks == 0 { u64::MAX } else { room.f_bavail.saturating_mul(room.f_frsize) };
        // The part from an earlier attempt needs no more room.
        let free = free.saturating_add(fs_err::metadata(order.partial)?.len());
        match order.size_bytes {
            Some(bytes) if bytes > free => Err(Error::NoRoom {
                url: order.url.to_owned(),
                bytes,
                free_bytes: free,
                folder: folder.to_owned(),
            }),
            Some(bytes) => Ok(Self {
                bytes,
                why: "which the file should have".to_owned(),
                remedy: "it is not the file that was listed or recorded: check the URL, or try again later",
            }),
            None => Ok(Self::unlisted(free, folder)),
        }
    }

    /// The limit if the size is unknown.
    fn unlisted(free_bytes: u64, folder: &Path) -> Self {
        let (half, most) = (free_bytes / 2, MAX_GIB << 30);
        let remedy = "check that the URL is that of a file; if it is, download it by hand and name its path";
        if half < most {
            let why = format!("half of the free space in {}", folder.display());
            return Self { bytes: half, why, remedy };
        }
        let why = format!("{MAX_GIB} GiB, the limit for a file of unknown size");
        Self { bytes: most, why, remedy }
    }

    /// Keeps nothing of it: it is not the requested file, or does not fit.
    fn exceeded(&self, order: &Order<'_>, file: &File) -> Broken {
        let Self { bytes: limit_bytes, why, remedy } = self;
        let (limit_bytes, why) = (*limit_bytes, why.clone());
        match start_over(file, order.partial) {
            Ok(()) => Broken::For(Error::TooLong { url: order.url.to_owned(), limit_bytes, why, remedy }),
            Err(error) => Broken::For(error),
        }
    }
}

/// Whether `Content-Range: bytes START-END/SIZE` continues at `start`.
fn starts_at(answer: &Answer, start: u64) -> bool {
    let range = answer.header("content-range").and_then(|range| range.strip_prefix("bytes "));
    let first = range.and_then(|range| range.split('-').next()).and_then(|first| first.trim().parse().ok());
    first == Some(start)
}

/// SIZE of `Content-Range: bytes */SIZE`.
fn length_of_all(answer: &Answer) -> Option<u64> {
    answer.header("content-range")?.rsplit('/').next()?.trim().parse().ok()
}

fn start_over(file: &File, partial: &Path) -> Result<()> {
    file.set_len(0)?;
    forget_tag(partial)
}

/// The file beside the unfinished file, with the tag by which the server can tell that it is still the same.
fn tag_path(partial: &Path) -> PathBuf {
    partial.with_extension("tag")
}

fn read_tag(partial: &Path) -> Option<String> {
    small_text(&tag_path(partial)).filter(|tag| !tag.is_empty())
}

pub(crate) fn forget_tag(partial: &Path) -> Result<()> {
    match fs_err::remove_file(tag_path(partial)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_unknown_size_takes_half_of_the_free_space_at_most() {
        let folder = Path::new("store");
        let limit = Limit::unlisted(1 << 20, folder);
        assert_eq!((limit.bytes, limit.why.as_str()), (1 << 19, "half of the free space in store"));
        assert_eq!(Limit::unlisted(u64::MAX, folder).bytes, MAX_GIB << 30);
    }
}
