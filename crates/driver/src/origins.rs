//! Where the data of an ingest artifact came from, in words.

use artifact::{Manifest, Origin, Sources, SplitCounts, SplitName};

use crate::table::grouped;

/// The splits on one line: sources and numbers of questions, as far as the manifest has them.
pub(crate) fn in_short(manifest: &Manifest) -> Option<String> {
    let sources = Sources::of(manifest)?;
    let splits = SplitName::ALL.into_iter().filter(|split| !sources.split(*split).is_empty());
    let in_short = |split: SplitName| {
        let origins = match sources.split(split) {
            [first, _, ..] => format!("{} and {} more", first.name(), sources.split(split).len() - 1),
            origins => origins.iter().map(Origin::name).collect(),
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
