//! The ways in which other programs count a text.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::{canonical_combining_class, compose};

/// A way to count.
pub(super) struct Count {
    /// In words, for the audit.
    pub name: &'static str,
    /// The count of a cluster, given the character before it.
    of: fn(&str, Option<char>) -> usize,
}

/// All of them except characters.
pub(super) const COUNTS: [Count; 9] = [
    Count { name: "counted in UTF-16 code units", of: |cluster, _| cluster.encode_utf16().count() },
    Count { name: "counted in bytes", of: |cluster, _| cluster.len() },
    Count { name: "counted in NFC", of: |cluster, _| cluster.nfc().count() },
    Count { name: "counted in NFD", of: |cluster, _| cluster.nfd().count() },
    Count { name: "counted in NFKC", of: |cluster, _| cluster.nfkc().count() },
    Count { name: "counted in NFKD", of: |cluster, _| cluster.nfkd().count() },
    Count {
        name: "counted with LF line ends",
        of: |cluster, _| cluster.chars().filter(|&character| character != '\r').count(),
    },
    Count {
        name: "counted with white space collapsed",
        of: |cluster, before| {
            let collapsed = is_space(cluster) && before.is_none_or(char::is_whitespace);
            if collapsed { 0 } else { cluster.chars().count() }
        },
    },
    Count {
        name: "counted with CR LF line ends",
        of: |cluster, before| cluster.chars().count() + usize::from(cluster == "\n" && before != Some('\r')),
    },
];

/// The character of `text` after `offset` by the count of `count`; none if the offset is inside a cluster.
pub(super) fn to_character(offset: u32, text: &str, count: &Count) -> Option<u32> {
    let (mut counted, mut characters, mut before) = (0, 0, None);
    for cluster in clusters(text) {
        let here = (count.of)(cluster, before);
        // If a cluster counts 0, the offset means the character after it.
        if counted == offset as usize && here > 0 {
            return Some(characters);
        }
        counted += here;
        characters += cluster.chars().count() as u32;
        before = cluster.chars().next_back();
    }
    None
}

fn is_space(cluster: &str) -> bool {
    cluster.chars().all(char::is_whitespace)
}

/// Pieces that a normal form changes one by one: a character, and what composes with it.
fn clusters(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut characters = rest.char_indices();
        let (_, mut last) = characters.next()?;
        let begins = |(at, next): (usize, char)| {
            let joins = canonical_combining_class(next) != 0 || compose(last, next).is_some();
            last = next;
            (!joins).then_some(at)
        };
        let end = characters.find_map(begins).unwrap_or(rest.len());
        let (cluster, behind) = rest.split_at(end);
        rest = behind;
        Some(cluster)
    })
}
