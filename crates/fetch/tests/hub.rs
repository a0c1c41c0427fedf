//! A small Hub on loopback: revisions, the cache's layout, hashes, tokens, offline.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use distilburn_fetch::{Client, Environment, Error, Hub, Patience, Repo, RepoFile, RepoKind, Revision};

#[allow(dead_code, reason = "each test file uses its part of it")]
mod server;

use server::{COMMIT, Fault, Server};

const PARQUET: &[u8] = b"PAR1 not really";

fn hub_with(server: &Server, cache: &Path, change: impl FnOnce(&mut Environment)) -> Hub {
    let patience = Patience {
        timeout: Duration::from_millis(500),
        attempts: 3,
        max_wait: Duration::from_secs(5),
        first_wait: Duration::ZERO,
    };
    let mut environment =
        Environment { endpoint: server.url(""), cache: cache.to_owned(), token: None, offline: false };
    change(&mut environment);
    Hub::new(Client::new(patience), environment)
}

fn hub(server: &Server, cache: &Path) -> Hub {
    hub_with(server, cache, |_| ())
}

fn squad() -> Repo {
    Repo { kind: RepoKind::Dataset, id: "rajpurkar/squad".to_owned() }
}

fn resolve(hub: &Hub, revision: &str) -> Result<Revision, Error> {
    hub.resolve(&squad(), revision, &mut |_| ControlFlow::Continue(()))
}

fn file(hub: &Hub, revision: &Revision, name: &str) -> Result<PathBuf, Error> {
    hub.file(&squad(), revision, name, &mut |_| ControlFlow::Continue(()))
}

fn serve_squad(server: &Server) {
    let files: [(&str, &[u8]); 2] = [("README.txt", b"about"), ("plain_text/train.parquet", PARQUET)];
    server.repository("datasets", "rajpurkar/squad", &files);
}

/// Message and help, without port.
fn message(error: &Error, server: &Server) -> String {
    let help = miette::Diagnostic::help(error).map(|help| help.to_string()).unwrap_or_default();
    format!("{error}\nhelp: {help}").replace(&server.url(""), "http://SERVER")
}

#[test]
fn files_lie_as_huggingface_hub_lays_them() {
    let (server, cache) = (Server::start(), tempfile::tempdir().unwrap());
    serve_squad(&server);
    let hub = hub(&server, cache.path());
    let revision = resolve(&hub, "main").unwrap();
    assert_eq!(revision.commit, COMMIT);
    assert_eq!(revision.files.keys().collect::<Vec<_>>(), ["README.txt", "plain_text/train.parquet"]);

    let path = file(&hub, &revision, "plain_text/train.parquet").unwrap();
    let folder = cache.path().join("datasets--rajpurkar--squad");
    assert_eq!(path, folder.join("snapshots").join(COMMIT).join("plain_text/train.parquet"));
    assert_eq!(std::fs::read(&path).unwrap(), PARQUET);
    let link = std::fs::read_link(&path).unwrap();
    assert_eq!(link, Path::new("../../../blobs").join(server::sha256(PARQUET)));
    assert_eq!(std::fs::read_to_string(folder.join("refs/main")).unwrap(), COMMIT);
    assert_eq!(std::fs::read(file(&hub, &revision, "README.txt").unwrap()).unwrap(), b"about");

    let before = server.asked().len();
    file(&hub, &revision, "plain_text/train.parquet").unwrap();
    assert_eq!(server.asked().len(), before, "what is cached is not asked for");
}

#[test]
fn offline_takes_what_the_cache_has_and_opens_no_connection() {
    let (server, cache) = (Server::start(), tempfile::tempdir().unwrap());
    serve_squad(&server);
    let online = hub(&server, cache.path());
    let revision = resolve(&online, "main").unwrap();
    file(&online, &revision, "plain_text/train.parquet").unwrap();
    let before = server.asked().len();

    let offline = hub_with(&server, cache.path(), |environment| environment.offline = true);
    for name in ["main", COMMIT] {
        let cached = resolve(&offline, name).unwrap();
        assert_eq!(
            cached.files.keys().collect::<Vec<_>>(),
            ["plain_text/train.parquet"],
            "only what is there"
        );
        assert_eq!(cached.files["plain_text/train.parquet"], revision.files["plain_text/train.parquet"]);
        assert!(file(&offline, &cached, "plain_text/train.parquet").is_ok());
    }
    let unknown = resolve(&offline, "v1").unwrap_err();
    let missing = file(&offline, &revision, "README.txt").unwrap_err();
    assert_eq!(server.asked().len(), before);
    insta::assert_snapshot!([unknown, missing].map(|error| message(&error, &server)).join("\n\n"));
}

#[test]
fn a_hub_that_is_not_reached_leaves_what_the_cache_has() {
    let cache = tempfile::tempdir().unwrap();
    let gone = {
        let server = Server::start();
        serve_squad(&server);
        let hub = hub(&server, cache.path());
        let revision = resolve(&hub, "main").unwrap();
        file(&hub, &revision, "README.txt").unwrap();
        hub
    };
    assert_eq!(resolve(&gone, "main").unwrap().commit, COMMIT);
    let error = resolve(&gone, "v1").unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }));
    let advised = error.advise("a folder may be meant");
    let help = miette::Diagnostic::help(&advised).unwrap().to_string();
    assert!(help.starts_with("a folder may be meant; check the network"), "{help}");
}

#[test]
fn a_wrong_hash_is_refused_and_does_not_get_into_the_cache() {
    let (server, cache) = (Server::start(), tempfile::tempdir().unwrap());
    serve_squad(&server);
    let hub = hub(&server, cache.path());
    let revision = resolve(&hub, "main").unwrap();
    let storage = format!("/storage/{}", server::sha256(PARQUET));
    server.faults(&storage, &[Some(Fault::OtherBytes)]);
    let error = file(&hub, &revision, "plain_text/train.parquet").unwrap_err();
    insta::assert_snapshot!(message(&error, &server));
    let blob = cache.path().join("datasets--rajpurkar--squad/blobs").join(server::sha256(PARQUET));
    assert!(!blob.exists());
    // The next attempt begins anew.
    assert!(file(&hub, &revision, "plain_text/train.parquet").is_ok());
}

#[test]
fn a_damaged_beginning_is_fetched_again_from_the_start() {
    let (server, cache) = (Server::start(), tempfile::tempdir().unwrap());
    serve_squad(&server);
    let hub = hub(&server, cache.path());
    let revision = resolve(&hub, "main").unwrap();
    let blobs = cache.path().join("datasets--rajpurkar--squad/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let partial = blobs.join(format!("{}.incomplete", server::sha256(PARQUET)));
    for left in [&b"XXXX"[..], PARQUET, &[PARQUET, b"more"].concat()] {
        std::fs::write(&partial, left).unwrap();
        let path = file(&hub, &revision, "plain_text/train.parquet").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), PARQUET, "{left:?}");
        std::fs::remove_file(path).unwrap();
        std::fs::remove_file(blobs.join(server::sha256(PARQUET))).unwrap();
    }
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let (server, cache) = (Server::start(), tempfile::tempdir().unwrap());
    let elsewhere = Server::start();
    elsewhere.file("/large", PARQUET);
    serve_squad(&server);
    server.require_token("hf_secret");
    let resolve_path = format!("/datasets/rajpurkar/squad/resolve/{COMMIT}/plain_text/train.parquet");
    server.faults(&resolve_path, &[Some(Fault::Status(302, vec![("location", elsewhere.url("/large"))]))]);

    let refused = resolve(&hub(&server, cache.path()), "main").unwrap_err();
    let with = |token: &str| {
        hub_with(&server, cache.path(), |environment| environment.token = Some(token.to_owned()))
    };
    let wrong = resolve(&with("hf_other"), "main").unwrap_err();
    insta::assert_snapshot!([refused, wrong].map(|error| message(&error, &server)).join("\n\n"));

    let hub = with("hf_secret");
    let revision = resolve(&hub, "main").unwrap();
    file(&hub, &revision, "plain_text/train.parquet").unwrap();
    assert_eq!(server.asked().last().unwrap().header("authorization"), Some("Bearer hf_secret"));
    assert_eq!(elsewhere.asked().last().unwrap().header("authorization"), None);
}

#[test]
fn what_is_no_repository_or_no_hub_is_named() {
    let (server, cache) = (Server::start(), tempfile::tempdir().unwrap());
    serve_squad(&server);
    let hub = hub(&server, cache.path());
    let no_revision = resolve(&hub, "v9").unwrap_err();
    let info = "/api/datasets/rajpurkar/squad/revision/main?blobs=true";
    let mut messages = vec![message(&no_revision, &server)];
    for answer in [
        "<html>",
        r#"{"sha": "main", "siblings": []}"#,
        r#"{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [{"rfilename": "../../etc/passwd"}]}"#,
        r#"{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [{"rfilename": "a", "size": 3}]}"#,
    ] {
        server.file(info, answer.as_bytes());
        messages.push(message(&resolve(&hub, "main").unwrap_err(), &server));
    }
    serve_squad(&server);
    let revision = resolve(&hub, "main").unwrap();
    messages.push(message(&file(&hub, &revision, "plain_text/test.parquet").unwrap_err(), &server));
    insta::assert_snapshot!(messages.join("\n\n"));
}

/// Bytes changed in the cache at equal size: under the name of their hash they would count as what they are not.
#[test]
fn a_damaged_file_of_the_cache_is_fetched_again_or_refused_offline() {
    let (server, cache) = (Server::start(), tempfile::tempdir().unwrap());
    serve_squad(&server);
    let online = hub(&server, cache.path());
    let revision = resolve(&online, "main").unwrap();
    for name in ["plain_text/train.parquet", "README.txt"] {
        let path = file(&online, &revision, name).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        bytes[2] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let offline = hub_with(&server, cache.path(), |environment| environment.offline = true);
        let error = file(&offline, &revision, name).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert!(error.to_string().starts_with(&format!("{} is damaged: it has ", path.display())), "{error}");
        assert_eq!(std::fs::read(file(&online, &revision, name).unwrap()).unwrap(), whole);
        file(&offline, &revision, name).unwrap();
    }
}

/// A byte now and then keeps every time-out away.
#[test]
fn a_listing_that_never_ends_does_not_hold_up_a_signal() {
    let info = "/api/datasets/rajpurkar/squad/revision/main?blobs=true";
    for fault in [Fault::Silent, Fault::Stall, Fault::Drip] {
        let (server, cache) = (Server::start(), tempfile::tempdir().unwrap());
        serve_squad(&server);
        server.faults(info, &[Some(fault.clone())]);
        let (begun, mut asked) = (std::time::Instant::now(), 0);
        let stopped = hub(&server, cache.path()).resolve(&squad(), "main", &mut |_| {
            asked += 1;
            if asked < 4 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert!(matches!(stopped, Err(Error::Interrupted)), "{fault:?}: {stopped:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{fault:?}: {:?}", begun.elapsed());
    }
}

#[test]
fn sizes_that_no_such_file_has_are_refused_before_anything_is_sent() {
    let (server, cache) = (Server::start(), tempfile::tempdir().unwrap());
    serve_squad(&server);
    let hub = hub(&server, cache.path());
    let mut revision = resolve(&hub, "main").unwrap();
    let mut config = revision.files["README.txt"].clone();
    config.size_bytes = 5 << 40;
    revision.files.insert("config.json".to_owned(), config.clone());
    revision.files.insert("model.safetensors".to_owned(), RepoFile { size_bytes: 1 << 60, ..config });
    let model = Repo { kind: RepoKind::Model, id: "a/b".to_owned() };
    let before = server.asked().len();
    let error = |name| {
        let error = hub.file(&model, &revision, name, &mut |_| ControlFlow::Continue(())).unwrap_err();
        message(&error, &server)
    };
    insta::assert_snapshot!(error("config.json"), @r"
    a/b lists config.json with 5497558138880 bytes, the limit is 67108864
    help: a file of this kind is never that large: name another repository or revision: a/b@REVISION
    ");
    let weights = hub.file(&model, &revision, "model.safetensors", &mut |_| ControlFlow::Continue(()));
    assert!(matches!(&weights, Err(Error::NoRoom { bytes, .. }) if *bytes == 1 << 60), "{weights:?}");
    assert_eq!(server.asked().len(), before);
}
