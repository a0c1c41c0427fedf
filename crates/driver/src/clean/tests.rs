//! What may be deleted, case by case. Only the tests of unfinished folders touch files.

use serde_json::json;

use super::verdict::*;
use super::*;

const NOW: Duration = Duration::from_secs(2_000_000_000);

fn fingerprint(name: &str) -> String {
    format!("{name:0<32}")
}

/// A finished artifact, made so many days ago.
fn entry(stage: &str, name: &str, days: u32, inputs: &[&str]) -> Entry {
    let inputs: Vec<String> = inputs.iter().map(|name| fingerprint(name)).collect();
    let folder = Folder {
        stage: stage.to_owned(),
        fingerprint: fingerprint(name),
        kind: FolderKind::Finished,
        dir: name.into(),
    };
    let age = DAY * days;
    let manifest = artifact::Manifest {
        format_version: 1,
        stage: stage.to_owned(),
        fingerprint: folder.fingerprint.clone(),
        parts: json!({ "inputs": inputs }),
        inputs: Vec::new(),
        files: Vec::new(),
        metrics: serde_json::Map::new(),
        run: json!({ "started": format!("2026-01-{:02}", 31 - days) }).as_object().unwrap().clone(),
        checksum: String::new(),
    };
    Entry {
        folder,
        usage: artifact::Usage { bytes: 1, changed: SystemTime::UNIX_EPOCH + NOW - age },
        manifest: Some(manifest),
        fault: None,
        running: None,
        is_pinned: false,
        is_latest: false,
    }
}

fn of_kind(kind: FolderKind, entry: Entry) -> Entry {
    Entry { folder: Folder { kind, ..entry.folder }, manifest: None, ..entry }
}

fn rules(keep: Option<usize>) -> Rules {
    Rules { keep, older_than: DAY * 7, now: SystemTime::UNIX_EPOCH + NOW }
}

/// The names of what goes.
fn going(entries: &[Entry], wanted: &Wanted, keep: Option<usize>) -> Vec<String> {
    let verdicts = decide(entries, wanted, rules(keep));
    let goes = entries.iter().zip(verdicts).filter(|(_, verdict)| matches!(verdict, Verdict::Goes(_)));
    goes.map(|(entry, _)| entry.folder.dir.display().to_string()).collect()
}

fn why(entries: &[Entry], keep: usize) -> Vec<String> {
    decide(entries, &Wanted::default(), rules(Some(keep)))
        .into_iter()
        .map(|verdict| match verdict {
            Verdict::Stays(why) => format!("stays: {why}"),
            Verdict::Goes(why) => format!("goes: {why}"),
        })
        .collect()
}

/// Two chains; the older one was made again from its ingest for the newest model.
fn chains() -> Vec<Entry> {
    vec![
        entry("ingest", "i1", 9, &[]),
        entry("ingest", "i2", 8, &[]),
        entry("ingest", "i3", 2, &[]),
        entry("train", "t1", 7, &["i1"]),
        entry("train", "t2", 6, &["i2"]),
        entry("train", "t3", 5, &["i1"]),
        entry("export", "e1", 4, &["t1", "i1"]),
        entry("export", "e3", 3, &["t3", "i1"]),
    ]
}

#[test]
fn finished_artifacts_go_only_if_a_number_to_keep_was_typed() {
    assert_eq!(going(&chains(), &Wanted::default(), None), [""; 0]);
    assert_eq!(going(&chains(), &Wanted::default(), Some(1)), ["i2", "t1", "t2", "e1"]);
    assert_eq!(going(&chains(), &Wanted::default(), Some(2)), [""; 0], "t1 is an input of e1, i2 of t2");
}

#[test]
fn inputs_of_what_stays_stay_through_all_stages() {
    let mut entries = chains();
    entries[6].is_pinned = true;
    assert_eq!(going(&entries, &Wanted::default(), Some(1)), ["i2", "t2"]);
    let reasons = why(&entries, 1);
    assert_eq!(reasons[0], "stays: an input of train t3000000");
    assert_eq!(reasons[3], "stays: an input of export e1000000");
    assert_eq!(reasons[6], "stays: has a file .keep");
    assert_eq!(reasons[1], "goes: 1 newer");
}

#[test]
fn what_the_settings_lead_to_or_name_stays_with_its_inputs() {
    let wanted = Wanted { fingerprints: [fingerprint("t2")].into(), ..Wanted::default() };
    assert_eq!(going(&chains(), &wanted, Some(1)), ["t1", "e1"], "and i2, from which t2 was made");
    let wanted = Wanted { named: [("export".to_owned(), fingerprint("e1"))].into(), ..Wanted::default() };
    assert_eq!(going(&chains(), &wanted, Some(1)), ["i2", "t2"]);
    let parts = json!({ "inputs": { "init_from": fingerprint("t2") } });
    let wanted = Wanted { references: vec![References::of(&parts)], ..Wanted::default() };
    assert_eq!(going(&chains(), &wanted, Some(1)), ["t1", "e1"]);
}

#[test]
fn latest_stays_whatever_began_later() {
    let mut entries = chains();
    entries[3].is_latest = true;
    assert_eq!(going(&entries, &Wanted::default(), Some(1)), ["i2", "t2", "e1"]);
}

#[test]
fn a_link_and_a_stage_of_another_version_stay_with_their_inputs() {
    let mut entries = chains();
    entries[4].folder.kind = FolderKind::Linked;
    assert_eq!(going(&entries, &Wanted::default(), Some(1)), ["t1", "e1"]);
    let mut entries = chains();
    entries.push(entry("quantize", "q1", 30, &["t2"]));
    entries.push(of_kind(FolderKind::Unfinished, entry("quantize", "q2", 30, &[])));
    assert_eq!(going(&entries[..9], &Wanted::default(), Some(1)), ["t1", "e1"]);
    assert_eq!(going(&entries, &Wanted::default(), Some(1)), [""; 0], "what q2 reads is not known");
}

#[test]
fn leftovers_go_by_their_age() {
    for (kind, old, young) in [
        (FolderKind::Unfinished, "goes: unfinished, 8 days old", "stays: unfinished, 6 days old"),
        (
            FolderKind::Damaged,
            "goes: damaged and replaced, 8 days old",
            "stays: damaged and replaced, 6 days old",
        ),
        (
            FolderKind::Removed,
            "goes: left by an interrupted `distilburn clean`",
            "goes: left by an interrupted `distilburn clean`",
        ),
    ] {
        let entries =
            [of_kind(kind, entry("train", "a", 8, &[])), of_kind(kind, entry("train", "b", 6, &[]))];
        assert_eq!(why(&entries, 1), [old, young]);
    }
}

#[test]
fn what_was_moved_aside_goes_only_where_its_successor_is_there() {
    let old = || of_kind(FolderKind::Old, entry("train", "a", 30, &[]));
    assert_eq!(why(&[old()], 1), ["stays: the only copy of an artifact"]);
    let successor = || entry("train", "a", 29, &[]);
    assert_eq!(why(&[old(), successor()], 1)[0], "goes: replaced, 30 days old");
    let fault = Some(Fault::Damaged("weights.arrow is missing".to_owned()));
    assert_eq!(why(&[old(), Entry { fault, ..successor() }], 1)[0], "stays: the only copy of an artifact");
}

#[test]
fn damaged_artifacts_count_for_none_and_go_by_their_age() {
    let mut entries = chains();
    entries[5].fault = Some(Fault::Damaged("weights.arrow is missing".to_owned()));
    // t2 is the newest that is whole; t3 stays, because e3 was made from it.
    assert_eq!(going(&entries, &Wanted::default(), Some(1)), ["t1", "e1"]);
    let damaged = |days| {
        let fault = Some(Fault::Damaged("no manifest".to_owned()));
        Entry { fault, manifest: None, ..entry("train", "d", days, &[]) }
    };
    assert_eq!(why(&[damaged(6)], 1), ["stays: damaged, 6 days old"]);
    assert_eq!(why(&[damaged(8)], 1), ["goes: damaged, 8 days old"]);
    assert_eq!(going(&[damaged(8)], &Wanted::default(), None), [""; 0]);
    let rules = Rules { keep: None, older_than: DAY * 7, now: SystemTime::UNIX_EPOCH + NOW };
    assert_eq!(decide(&[damaged(8)], &Wanted::default(), rules), [Verdict::Stays("damaged".to_owned())]);
}

#[test]
fn what_cannot_be_read_stays_with_all_that_it_may_need() {
    let mut entries = chains();
    let fault = Some(Fault::Unreadable("permission denied".to_owned()));
    entries.push(Entry { fault, manifest: None, ..entry("train", "x", 30, &[]) });
    assert_eq!(going(&entries, &Wanted::default(), Some(1)), [""; 0]);
    assert_eq!(why(&entries, 1)[1], "stays: may be an input of train x0000000");
}

/// In a folder of its own, because what it is made from stands in a file.
#[test]
fn an_unfinished_artifact_keeps_its_inputs_as_long_as_it_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().to_owned());
    let partial = store.begin("train", &fingerprint("p")).unwrap();
    let unfinished = |days| Entry {
        folder: Folder {
            dir: partial.dir().to_owned(),
            ..of_kind(FolderKind::Unfinished, entry("train", "p", 0, &[])).folder
        },
        ..of_kind(FolderKind::Unfinished, entry("train", "p", days, &[]))
    };
    let with = |days| chains().into_iter().chain([unfinished(days)]).collect::<Vec<_>>();
    assert_eq!(
        going(&with(1), &Wanted::default(), Some(1)),
        [""; 0],
        "begun by a version that noted nothing"
    );
    partial.note_parts(&json!({ "inputs": { "ingest": fingerprint("i2") } })).unwrap();
    assert_eq!(going(&with(1), &Wanted::default(), Some(1)), ["t1", "t2", "e1"]);
    let path = partial.dir().display().to_string();
    assert_eq!(going(&with(8), &Wanted::default(), Some(1)), ["i2", "t1", "t2", "e1", &path]);
    let wanted = Wanted { fingerprints: [fingerprint("p")].into(), ..Wanted::default() };
    assert_eq!(going(&with(8), &wanted, Some(1)), ["t1", "t2", "e1"], "the settings use it");
    let running = Entry { running: Some(Running::elsewhere(partial.dir())), ..unfinished(8) };
    let entries: Vec<_> = chains().into_iter().chain([running]).collect();
    assert_eq!(going(&entries, &Wanted::default(), Some(1)), ["t1", "t2", "e1"]);
}
