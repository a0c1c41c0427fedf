//! Where the data of an ingest artifact came from, in words.

use artifact::{Manifest, Origin, Sources, SplitCounts, SplitName};

use crate::table::grouped;

/// Its name alone.
fn name(origin: &Origin) -> String {
    match origin {
        Origin::Generated { .. } => "generated".to_owned(),
        Origin::File { name, .. } => name.clone(),
        Origin::Url { url, .. } => url.clone(),
        Origin::Hub { id, .. } => id.clone(),
        Origin::ShareOfTrain { percent } => format!("{percent}% of the training contexts"),
    }
}

/// Its name, and what it is known by.
pub(crate) fn with_hash(origin: &Origin) -> String {
    match origin {
        Origin::Generated { seed } => format!("generated with the seed {seed}"),
        Origin::File { name, blake3 } => format!("{name} (BLAKE3 {blake3})"),
        Origin::Url { url, sha256 } => format!("{url} (SHA-256 {sha256})"),
        Origin::Hub { id, commit } => format!("{id}@{commit}"),
        Origin::ShareOfTrain { .. } => name(origin),
    }
}

/// The splits on a line: sources and numbers of questions, as far as the manifest has them.
pub(crate) fn in_short(manifest: &Manifest) -> Option<String> {
    let sources = Sources::of(manifest)?;
    let splits = SplitName::ALL.into_iter().filter(|split| !sources.split(*split).is_empty());
    let in_short = |split: SplitName| {
        let origins = match sources.split(split) {
            [first, _, ..] => format!("{} and {} more", name(first), sources.split(split).len() - 1),
            origins => origins.iter().map(name).collect(),
        };
        let counts = SplitCounts::of(manifest, split);
        let questions = counts
            .as_ref()
            .map(|counts| format!(", {} questions", grouped(counts.questions)))
            .unwrap_or_default();
        let unanswerable = counts.filter(|counts| counts.unanswerable > 0);
        let unanswerable =
            unanswerable.map(|counts| format!(", {} unanswerable", grouped(counts.unanswerable)));
        format!("{split}: {origins}{questions}{}", unanswerable.unwrap_or_default())
    };
    Some(splits.map(in_short).collect::<Vec<_>>().join("; "))
}
