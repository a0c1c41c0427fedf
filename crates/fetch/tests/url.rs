//! Downloads of a URL from a server that fails: what is kept, what is retried, what is refused.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use distilburn_fetch::{Client, Digest, Downloaded, Error, Event, Patience};

#[allow(dead_code, reason = "each test file uses its part of it")]
mod server;

use server::{Fault, Server};

/// Waits of nothing, so that no test sleeps.
fn client() -> Client {
    Client::new(client_patience())
}

fn client_patience() -> Patience {
    Patience {
        timeout: Duration::from_millis(500),
        attempts: 3,
        max_wait: Duration::from_secs(5),
        first_wait: Duration::ZERO,
    }
}

fn body() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn download(url: &str, folder: &Path) -> Result<Downloaded, Error> {
    client().download(url, folder, None, &mut |_| ControlFlow::Continue(()))
}

fn ranges(server: &Server) -> Vec<Option<String>> {
    server.asked().iter().map(|asked| asked.header("range").map(str::to_owned)).collect()
}

/// Message, causes and help of an error, without port and folder.
fn message(error: &Error, server: &Server, folder: &Path) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let _ = write!(text, "\ncause: {error}");
        cause = error.source();
    }
    let help = miette::Diagnostic::help(error).map(|help| help.to_string()).unwrap_or_default();
    format!("{text}\nhelp: {help}")
        .replace(&server.url(""), "http://SERVER")
        .replace(&folder.display().to_string(), "FOLDER")
}

#[test]
fn a_file_is_named_by_its_hash_and_nothing_else_is_left() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.file("/train.json", &body());
    let downloaded = download(&server.url("/train.json"), folder.path()).unwrap();
    assert_eq!(downloaded.sha256.hex(), server::sha256(&body()));
    assert_eq!(downloaded.size_bytes, 800_000);
    assert_eq!(std::fs::read(folder.path().join(downloaded.sha256.hex())).unwrap(), body());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_broken_connection_is_resumed_where_it_broke() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.file("/f", &body());
    server.faults("/f", &[Some(Fault::CutAfter(100_000)), Some(Fault::CutAfter(50_000))]);
    let downloaded = download(&server.url("/f"), folder.path()).unwrap();
    assert_eq!(downloaded.sha256.hex(), server::sha256(&body()));
    assert_eq!(ranges(&server), [None, Some("bytes=100000-".to_owned()), Some("bytes=150000-".to_owned())]);
}

#[test]
fn what_an_ended_process_left_is_resumed_only_while_the_file_is_the_same() {
    for changed in [false, true] {
        let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
        server.file("/f", &body());
        server.faults("/f", &[Some(Fault::CutAfter(30_000)), None]);
        let mut received = 0;
        // Stopped as by a signal, before the second attempt.
        let stopped = client().download(&server.url("/f"), folder.path(), None, &mut |event| match event {
            Event::Received(bytes) => {
                received += bytes;
                if received >= 30_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
            _ => ControlFlow::Continue(()),
        });
        assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
        let body: Vec<u8> = if changed { body().into_iter().rev().collect() } else { body() };
        server.file("/f", &body);
        let downloaded = download(&server.url("/f"), folder.path()).unwrap();
        assert_eq!(downloaded.sha256.hex(), server::sha256(&body), "changed: {changed}");
        assert_eq!(ranges(&server)[1].as_deref(), Some("bytes=30000-"));
    }
}

#[test]
fn a_server_without_ranges_is_asked_for_the_whole() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.file("/f", &body());
    server.faults("/f", &[Some(Fault::CutAfter(100_000)), Some(Fault::WholeAlways)]);
    let downloaded = download(&server.url("/f"), folder.path()).unwrap();
    assert_eq!(downloaded.sha256.hex(), server::sha256(&body()));
}

#[test]
fn a_slow_server_costs_the_time_out_and_no_more() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.file("/f", &body());
    server.faults("/f", &[Some(Fault::Stall)]);
    assert!(download(&server.url("/f"), folder.path()).is_ok());

    server.faults("/f", &[Some(Fault::Stall), Some(Fault::Stall), Some(Fault::Stall)]);
    let begun = Instant::now();
    let error = download(&server.url("/f"), folder.path()).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(10), "three time-outs of half a second");
    insta::assert_snapshot!(message(&error, &server, folder.path()));
}

#[test]
fn redirects_are_followed_but_not_into_the_open() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.file("/f", b"here");
    let to = |location: &str| Some(Fault::Status(302, vec![("location", location.to_owned())]));
    server.faults("/moved", &[to("/f"), to("http://example.org/f"), None, to("f")]);
    assert!(download(&server.url("/moved"), folder.path()).is_ok());
    let open = download(&server.url("/moved"), folder.path()).unwrap_err();
    insta::assert_snapshot!(message(&open, &server, folder.path()), @r"
    http://example.org/f is not https://
    help: use https://; http:// is allowed only for servers on this machine (127.0.0.1, localhost)
    ");
    server.faults("/circle", &vec![to("/circle"); 20]);
    let circle = download(&server.url("/circle"), folder.path()).unwrap_err();
    server.faults("/nowhere", &[Some(Fault::Status(301, vec![]))]);
    let nowhere = download(&server.url("/nowhere"), folder.path()).unwrap_err();
    insta::assert_snapshot!(
        [circle, nowhere].map(|error| message(&error, &server, folder.path())).join("\n\n")
    );
}

#[test]
fn patience_is_as_long_as_the_server_asks_for() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.file("/f", b"here");
    let busy = |wait: &str| Some(Fault::Status(429, vec![("retry-after", wait.to_owned())]));
    server.faults("/f", &[busy("1"), Some(Fault::Status(503, vec![]))]);
    let begun = Instant::now();
    assert!(download(&server.url("/f"), folder.path()).is_ok());
    assert!(begun.elapsed() >= Duration::from_secs(1), "Retry-After: 1");
    assert_eq!(server.asked().len(), 3);

    server.faults("/f", &[busy("3600")]);
    let too_long = download(&server.url("/f"), folder.path()).unwrap_err();
    server.faults("/f", &[busy("0"), busy("0"), busy("0")]);
    let again_and_again = download(&server.url("/f"), folder.path()).unwrap_err();
    server.faults("/f", &vec![Some(Fault::Status(502, vec![])); 3]);
    let broken = download(&server.url("/f"), folder.path()).unwrap_err();
    insta::assert_snapshot!(
        [too_long, again_and_again, broken].map(|error| message(&error, &server, folder.path())).join("\n\n")
    );
}

#[test]
fn refusals_say_what_to_do() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    for status in [401, 403, 404, 410, 418] {
        server.faults(&format!("/{status}"), &[Some(Fault::Status(status, vec![]))]);
    }
    let messages = [401, 403, 404, 410, 418].map(|status| {
        let error = download(&server.url(&format!("/{status}")), folder.path()).unwrap_err();
        message(&error, &server, folder.path())
    });
    assert_eq!(server.asked().len(), 5, "each is asked once");
    insta::assert_snapshot!(messages.join("\n\n"));
}

#[test]
fn a_file_that_changed_is_refused_and_not_kept() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.file("/f", b"now");
    let before = Digest::parse(&server::sha256(b"then")).unwrap();
    let url = server.url("/f");
    let error =
        client().download(&url, folder.path(), Some((&before, 3)), &mut |_| ControlFlow::Continue(()));
    insta::assert_snapshot!(message(&error.unwrap_err(), &server, folder.path()));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.iter().all(|path| std::fs::metadata(path).unwrap().len() == 0), "{left:?}");
}

#[test]
fn two_at_once_are_one_download() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.file("/f", &body());
    let url = server.url("/f");
    std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| download(&url, folder.path()).unwrap()));
        let both = both.map(|thread| thread.join().unwrap());
        assert_eq!(both[0], both[1]);
    });
    assert_eq!(std::fs::read(folder.path().join(server::sha256(&body()))).unwrap(), body());
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let gone = Server::start().url("/f");
    let error = download(&gone, folder.path()).unwrap_err();
    assert!(matches!(&error, Error::Unreachable { attempts: 3, .. }), "{error:?}");
}

/// 160 bytes are listed; the server sends gigabytes.
#[test]
fn a_server_that_sends_without_end_is_stopped_at_the_listed_size() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let listed = Digest::parse(&server::sha256(b"listed")).unwrap();
    let (mut received, url) = (0, server.url("/f?signature=secret"));
    server.file("/f?signature=secret", &body());
    server.faults("/f?signature=secret", &[Some(Fault::Endless)]);
    let error = client().download(&url, folder.path(), Some((&listed, 160)), &mut |event| {
        if let Event::Received(bytes) = event {
            received += bytes;
        }
        ControlFlow::Continue(())
    });
    insta::assert_snapshot!(message(&error.unwrap_err(), &server, folder.path()), @r"
    http://SERVER/f?…: the server sends more than 160 bytes, which the file should have
    help: it is not the file that was listed or recorded: check the URL, or try again later
    ");
    assert!(received <= 160, "{received}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.iter().all(|path| std::fs::metadata(path).unwrap().len() == 0), "{left:?}");
}

#[test]
fn a_signal_ends_the_waiting_for_a_slow_server_at_once_and_what_came_is_kept() {
    let patience = Patience { timeout: Duration::from_mins(1), ..client_patience() };
    let client = Client::new(patience);
    for (fault, kept) in [(Fault::Silent, 0..1), (Fault::Stall, 0..1), (Fault::Drip, 5..50)] {
        let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
        server.file("/f", &body());
        server.faults("/f", &[Some(fault.clone())]);
        let (begun, mut asked) = (Instant::now(), 0);
        let stopped = client.download(&server.url("/f"), folder.path(), None, &mut |_| {
            asked += 1;
            if asked < 10 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert!(matches!(stopped, Err(Error::Interrupted)), "{fault:?}: {stopped:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{fault:?}: {:?}", begun.elapsed());
        let left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let partial = left.into_iter().find(|path| path.extension().is_some_and(|end| end == "incomplete"));
        let bytes = std::fs::metadata(partial.unwrap()).unwrap().len();
        assert!(kept.contains(&bytes), "{fault:?}: {bytes} bytes are kept");
        drop(download(&server.url("/f"), folder.path()).unwrap());
        let range = (bytes > 0).then(|| format!("bytes={bytes}-"));
        assert_eq!(ranges(&server)[1], range, "{fault:?}");
    }
}

#[test]
fn a_download_is_not_written_through_a_link_or_into_a_fifo() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.file("/f", b"here");
    server.faults("/f", &[Some(Fault::Status(418, vec![]))]);
    download(&server.url("/f"), folder.path()).unwrap_err();
    let partial = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let refused = || download(&server.url("/f"), folder.path()).unwrap_err().to_string();
    let precious = folder.path().join("precious");
    std::fs::write(&precious, "kept").unwrap();
    std::fs::remove_file(&partial).unwrap();
    std::os::unix::fs::symlink(&precious, &partial).unwrap();
    assert_eq!(refused(), format!("{} is not a regular file", partial.display()));
    assert_eq!(std::fs::read(&precious).unwrap(), b"kept");
    std::fs::remove_file(&partial).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&partial).status().unwrap().success());
    assert_eq!(refused(), format!("{} is not a regular file", partial.display()));
}

/// The server of the test below, in the process that it starts.
const LIMITED: &str = "DISTILBURN_LIMITED_DOWNLOAD";

/// No test: what the one below starts, with files of at most 100 blocks of 512 bytes.
#[test]
fn limited() {
    let Ok(url) = std::env::var(LIMITED) else { return };
    let folder = tempfile::tempdir().unwrap();
    let error = download(&url, folder.path()).unwrap_err();
    let help = miette::Diagnostic::help(&error).unwrap().to_string();
    let left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
    let left: u64 = left.map(|entry| entry.metadata().unwrap().len()).max().unwrap();
    let error = error.to_string().replace(&folder.path().display().to_string(), "FOLDER");
    assert!(left > 0);
    println!("<{error}; {help}>");
}

#[test]
fn a_file_that_outgrows_its_limit_is_named_and_kept() {
    let server = Server::start();
    server.file("/f", &body());
    let line = "trap '' XFSZ; ulimit -f 100; exec \"$0\" --exact limited --nocapture";
    let limited = std::process::Command::new("sh")
        .args(["-c", line])
        .arg(std::env::current_exe().unwrap())
        .env(LIMITED, server.url("/f"))
        .output()
        .unwrap();
    let said = String::from_utf8(limited.stdout).unwrap();
    let said = said.split_once('<').unwrap().1.rsplit_once('>').unwrap().0;
    let (file, rest) = said.split_once(".incomplete").unwrap();
    assert!(file.starts_with("FOLDER/"), "{file}");
    insta::assert_snapshot!(rest, @" cannot be written; free space on its disk, or raise `ulimit -f`, and run again: the download resumes");
}
