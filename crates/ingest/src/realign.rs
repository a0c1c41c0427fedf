//! Finds an answer that is not at its offset, and whether its place is beyond doubt.
//!
//! Offsets are wrong if a program wrote the file that counts differently from Python (UTF-16 code units, bytes), or if
//! context and answer were cleaned after counting (white space, line ends, case, Unicode normal form). Each of these is
//! tried: it explains the offset if it leads from the offset to the answer's text. An answer is moved if the
//! explanations agree on one place, or if its text occurs only once in the context.

mod counted;
mod folded;

use squad::offsets::{CharIndex, CharOffset};
use unicode_normalization::UnicodeNormalization as _;

use self::counted::{COUNTS, to_character};
use self::folded::Folded;

/// An answer's place in its context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<'a> {
    /// Where it starts, in characters.
    pub start: i32,
    /// The text of the context there.
    pub text: &'a str,
}

/// What is known about the place of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located<'a> {
    /// Its place, and why it is certain.
    At(Place<'a>, String),
    /// The nearest of several, and how many.
    Several(Place<'a>, usize),
    /// Its text is not in the context.
    Nowhere,
}

/// Looks for an answer that is not at its offset, or has no offset.
#[must_use]
pub fn locate<'a>(text: &str, start: Option<i32>, context: &CharIndex<'a>) -> Located<'a> {
    let folded = Folded::new(context.slice(CharOffset(0), context.len()));
    let places: Vec<Place<'a>> = folded
        .occurrences(text)
        .into_iter()
        .map(|(start, end)| Place {
            start: start as i32,
            text: context.slice(CharOffset(start), CharOffset(end)),
        })
        .collect();
    let trimmed = text.trim();
    let exact: Vec<&Place<'a>> = places.iter().filter(|place| place.text == trimmed).collect();
    let all: Vec<&Place<'a>> = places.iter().collect();

    for candidates in [&exact, &all] {
        let explained = explained(start, context, candidates);
        if let [(place, why), rest @ ..] = &explained[..] {
            if rest.iter().all(|(other, _)| other == place) {
                let why = why.map_or_else(|| difference(text, place.text).to_owned(), str::to_owned);
                return Located::At((*place).clone(), why);
            }
            return Located::Several(nearest(candidates, start), candidates.len());
        }
    }
    let candidates = if exact.is_empty() { all } else { exact };
    match &candidates[..] {
        [] => Located::Nowhere,
        [place] if place.text == trimmed => {
            Located::At((*place).clone(), "the only place with this text".to_owned())
        }
        [place] => {
            let why = format!("the only place with this text; {}", difference(text, place.text));
            Located::At((*place).clone(), why)
        }
        several => Located::Several(nearest(several, start), several.len()),
    }
}

/// The places that a way of counting leads to from `start`; `None` for counting characters, which is the right way.
fn explained<'c, 'a>(
    start: Option<i32>,
    context: &CharIndex<'a>,
    places: &[&'c Place<'a>],
) -> Vec<(&'c Place<'a>, Option<&'static str>)> {
    let Some(start) = start.and_then(|start| u32::try_from(start).ok()) else { return Vec::new() };
    let whole = context.slice(CharOffset(0), context.len());
    let counts =
        COUNTS.iter().filter_map(|count| Some((to_character(start, whole, count)?, Some(count.name))));
    let found = [(start, None)].into_iter().chain(counts).filter_map(|(at, why)| {
        let leads_to = |place: &&&Place<'_>| {
            let place_start = place.start as u32;
            // White space before an answer may have been counted as part of it.
            at <= place_start && context.slice(CharOffset(at), CharOffset(place_start)).trim().is_empty()
        };
        Some((*places.iter().find(leads_to)?, why))
    });
    found.collect()
}

/// The place nearest to `start`, or the first.
fn nearest<'a>(places: &[&Place<'a>], start: Option<i32>) -> Place<'a> {
    let nearest = places.iter().min_by_key(|place| place.start.abs_diff(start.unwrap_or(0)));
    (*nearest.expect("asked of at least two places")).clone()
}

/// How an answer differs from the text at its place.
fn difference(text: &str, found: &str) -> &'static str {
    let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if spaced(text) == spaced(found) {
        "white space differs"
    } else if text.to_lowercase() == found.to_lowercase() {
        "case differs"
    } else if text.nfc().eq(found.nfc()) {
        "normal form differs (NFC)"
    } else if text.nfkc().eq(found.nfkc()) {
        "normal form differs (NFKC)"
    } else {
        "white space, case or normal form differ"
    }
}

#[cfg(test)]
mod tests;
