//! A server on loopback that serves files and a small Hub, and fails in the ways that servers fail.
//!
//! Each connection carries one request. The server ends with the value.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// No test waits longer than this for the other side.
const LIMIT: Duration = Duration::from_secs(10);

/// A commit of the small Hub.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What a client asked.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Path and query.
    pub path: String,
    headers: HashMap<String, String>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What the server does instead of answering properly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Answers with a status and these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// Closes the connection after so many bytes of the body.
    CutAfter(usize),
    /// Sends the headers, and then nothing.
    Stall,
    /// Reads the request and answers nothing.
    Silent,
    /// Sends a byte of the body ten times a second.
    Drip,
    /// Sends another body of the same length.
    OtherBytes,
    /// Names no length, and sends the body again and again.
    Endless,
    /// Takes no notice of `Range`.
    WholeAlways,
}

#[derive(Debug, Clone)]
struct Content {
    body: Vec<u8>,
    etag: String,
    extra: Vec<(&'static str, String)>,
}

#[derive(Debug, Default)]
struct State {
    contents: BTreeMap<String, Content>,
    /// By path: the fault of the first request, of the second, …
    faults: HashMap<String, Vec<Option<Fault>>>,
    asked: Vec<Asked>,
    /// `Authorization` that paths below /api and /…/resolve need.
    token: Option<String>,
}

/// A server on a port of its own.
pub struct Server {
    port: u16,
    state: Arc<Mutex<State>>,
    stopped: Arc<AtomicBool>,
    accepting: Option<thread::JoinHandle<()>>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let stopped = Arc::new(AtomicBool::new(false));
        let accepting = {
            let (state, stopped) = (Arc::clone(&state), Arc::clone(&stopped));
            thread::spawn(move || {
                for stream in listener.incoming() {
                    if stopped.load(Ordering::SeqCst) {
                        break;
                    }
                    let (state, stopped) = (Arc::clone(&state), Arc::clone(&stopped));
                    let Ok(stream) = stream else { continue };
                    thread::spawn(move || serve(stream, &state, &stopped));
                }
            })
        };
        Self { port, state, stopped, accepting: Some(accepting) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Serves a file with a tag that tells its contents.
    pub fn file(&self, path: &str, body: &[u8]) {
        let etag = format!("\"{}\"", &sha256(body)[..16]);
        self.put(path, body.to_vec(), etag, Vec::new());
    }

    fn put(&self, path: &str, body: Vec<u8>, etag: String, extra: Vec<(&'static str, String)>) {
        self.state.lock().unwrap().contents.insert(path.to_owned(), Content { body, etag, extra });
    }

    /// Serves a repository as the Hub does: `kind` is `models` or `datasets`. Files whose name ends with
    /// `.json` or `.txt` are git blobs, the others come from large file storage, elsewhere, by a redirect.
    pub fn repository(&self, kind: &str, id: &str, files: &[(&str, &[u8])]) {
        let mut siblings = Vec::new();
        for (name, body) in files {
            let (git, sha256) = (git_blob(body), sha256(body));
            let is_small = [".json", ".txt"].iter().any(|end| name.ends_with(end));
            let lfs = format!(r#","lfs":{{"sha256":"{sha256}","size":{},"pointerSize":134}}"#, body.len());
            let lfs = if is_small { "" } else { &lfs };
            siblings.push(format!(r#"{{"rfilename":"{name}","size":{},"blobId":"{git}"{lfs}}}"#, body.len()));
            let prefix = if kind == "datasets" { "/datasets" } else { "" };
            let path = format!("{prefix}/{id}/resolve/{COMMIT}/{name}");
            if is_small {
                self.put(&path, body.to_vec(), format!("\"{git}\""), Vec::new());
            } else {
                let storage = format!("/storage/{sha256}");
                self.put(&storage, body.to_vec(), format!("\"{sha256}\""), Vec::new());
                let away = vec![("location", storage), ("x-linked-etag", format!("\"{sha256}\""))];
                self.put(&path, Vec::new(), "302".to_owned(), away);
            }
        }
        let info = format!(r#"{{"id":"{id}","sha":"{COMMIT}","siblings":[{}]}}"#, siblings.join(","));
        for revision in ["main", "v1", COMMIT] {
            let path = format!("/api/{kind}/{id}/revision/{revision}?blobs=true");
            self.put(&path, info.clone().into_bytes(), "\"info\"".to_owned(), Vec::new());
        }
    }

    /// The nth request of `path` meets the nth fault; later ones are served.
    pub fn faults(&self, path: &str, faults: &[Option<Fault>]) {
        self.state.lock().unwrap().faults.insert(path.to_owned(), faults.to_vec());
    }

    /// Opens the repositories only to this token.
    pub fn require_token(&self, token: &str) {
        self.state.lock().unwrap().token = Some(format!("Bearer {token}"));
    }

    /// Everything that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener up.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>, stopped: &AtomicBool) {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    let Some(asked) = read_request(&stream) else { return };
    let (content, fault, refused) = {
        let mut state = state.lock().unwrap();
        state.asked.push(asked.clone());
        let fault = state.faults.get_mut(&asked.path).filter(|faults| !faults.is_empty());
        let fault = fault.and_then(|faults| faults.remove(0));
        let guarded = asked.path.starts_with("/api/") || asked.path.contains("/resolve/");
        let refused = guarded
            && state.token.as_deref().is_some_and(|token| asked.header("authorization") != Some(token));
        (state.contents.get(&asked.path).cloned(), fault, refused)
    };
    let _ = match (refused, fault, content) {
        (true, ..) => head(&mut stream, 401, &[("content-length", "0".to_owned())]),
        (_, Some(Fault::Status(status, headers)), _) => {
            let headers: Vec<_> = headers.into_iter().chain([("content-length", "0".to_owned())]).collect();
            head(&mut stream, status, &headers)
        }
        (_, _, None) => head(&mut stream, 404, &[("content-length", "0".to_owned())]),
        (_, fault, Some(content)) => answer(&mut stream, &asked, &content, fault, stopped),
    };
    let _ = stream.shutdown(Shutdown::Both);
}

fn answer(
    stream: &mut TcpStream,
    asked: &Asked,
    content: &Content,
    fault: Option<Fault>,
    stopped: &AtomicBool,
) -> std::io::Result<()> {
    if content.etag == "302" {
        let mut headers = content.extra.clone();
        headers.push(("content-length", "0".to_owned()));
        return head(stream, 302, &headers);
    }
    let total = content.body.len();
    let same = asked.header("if-range").is_none_or(|tag| tag == content.etag);
    let start =
        asked.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let start = start.filter(|_| same && fault != Some(Fault::WholeAlways)).unwrap_or(0_usize);
    if fault == Some(Fault::Silent) {
        hold(stream, stopped);
        return Ok(());
    }
    let mut headers = vec![("etag", content.etag.clone())];
    if start > 0 && start >= total {
        headers.extend([("content-range", format!("bytes */{total}")), ("content-length", "0".to_owned())]);
        return head(stream, 416, &headers);
    }
    let mut body = content.body[start..].to_vec();
    if fault != Some(Fault::Endless) {
        headers.push(("content-length", body.len().to_string()));
    }
    let status = if start > 0 {
        headers.push(("content-range", format!("bytes {start}-{}/{total}", total - 1)));
        206
    } else {
        200
    };
    head(stream, status, &headers)?;
    match fault {
        Some(Fault::CutAfter(bytes)) => body.truncate(bytes),
        Some(Fault::Endless) => {
            while !stopped.load(Ordering::SeqCst) {
                stream.write_all(&body)?;
            }
        }
        Some(Fault::Drip) => {
            for byte in body {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                stream.write_all(&[byte])?;
                thread::sleep(Duration::from_millis(100));
            }
            return Ok(());
        }
        Some(Fault::OtherBytes) => body.iter_mut().for_each(|byte| *byte ^= 1),
        Some(Fault::Stall) => {
            hold(stream, stopped);
            return Ok(());
        }
        _ => {}
    }
    stream.write_all(&body)
}

/// Waits until the client has had enough.
fn hold(stream: &mut TcpStream, stopped: &AtomicBool) {
    let mut byte = [0];
    while !stopped.load(Ordering::SeqCst) && matches!(stream.read(&mut byte), Ok(1..)) {}
}

fn head(stream: &mut TcpStream, status: u16, headers: &[(&str, String)]) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {status} Status\r\nconnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    stream.write_all(format!("{text}\r\n").as_bytes())
}

fn read_request(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ")?;
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    Some(Asked { path, headers })
}

pub fn sha256(body: &[u8]) -> String {
    hex(&<sha2::Sha256 as sha2::Digest>::digest(body))
}

fn git_blob(body: &[u8]) -> String {
    let mut hasher = <sha1::Sha1 as sha1::Digest>::new();
    sha1::Digest::update(&mut hasher, format!("blob {}\0", body.len()));
    sha1::Digest::update(&mut hasher, body);
    hex(&sha1::Digest::finalize(hasher))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
