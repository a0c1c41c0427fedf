//! Where the data of an ingest artifact came from, in words.

use artifact::{Manifest, Origin, Sources};

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

/// Both splits on a line: sources and numbers of questions, as far as the manifest has them.
pub(crate) fn in_short(manifest: &Manifest) -> Option<String> {
    let sources = Sources::of(manifest)?;
    let splits = [("train", sources.train), ("validation", sources.validation)];
    let split = |(split, origins): &(&str, Vec<Origin>)| {
        let origins = match origins.as_slice() {
            [first, _, ..] => format!("{} and {} more", name(first), origins.len() - 1),
            origins => origins.iter().map(name).collect(),
        };
        let count = |what: &str| manifest.metrics.get(*split)?.get(what)?.as_u64();
        let questions = count("questions").map(|count| format!(", {} questions", grouped(count)));
        let unanswerable = count("unanswerable").filter(|count| *count > 0);
        let unanswerable = unanswerable.map(|count| format!(", {} unanswerable", grouped(count)));
        format!("{split}: {origins}{}{}", questions.unwrap_or_default(), unanswerable.unwrap_or_default())
    };
    Some(splits.iter().map(split).collect::<Vec<_>>().join("; "))
}
