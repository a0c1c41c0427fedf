//! Pieces of a text with answers marked in them.

use std::ops::Range;

use maud::{Markup, html};

use crate::text::printable;

/// A word of up to this many letters is left out rather than cut.
const WORD: usize = 20;

/// What is marked, in characters of the text.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    pub gold: Vec<Range<usize>>,
    pub predicted: Option<Range<usize>>,
}

/// The parts of a text around its marks, `around` characters on each side; the rest is left out. Of a long answer, both
/// ends are shown; of a text without marks, the beginning.
#[must_use]
pub fn passage(text: &str, marks: &Marks, around: usize) -> Markup {
    let length = text.chars().count();
    let within = |range: &Range<usize>| range.start.min(length)..range.end.min(length);
    let gold: Vec<Range<usize>> = marks.gold.iter().map(within).filter(|range| !range.is_empty()).collect();
    let predicted = marks.predicted.iter().map(within).find(|range| !range.is_empty());
    let marked: Vec<&Range<usize>> = gold.iter().chain(&predicted).collect();
    let pieces = pieces(&marked, around, text);
    // All places where the marks may change.
    let mut edges: Vec<usize> = marked.iter().flat_map(|range| [range.start, range.end]).collect();
    edges.extend(pieces.iter().flat_map(|piece| [piece.start, piece.end]));
    edges.sort_unstable();
    edges.dedup();
    let bytes = byte_offsets(text, &edges);
    let class = |at: usize| match (gold.iter().any(|range| range.contains(&at)), &predicted) {
        (true, Some(predicted)) if predicted.contains(&at) => Some("both"),
        (true, _) => Some("gold"),
        (false, Some(predicted)) if predicted.contains(&at) => Some("predicted"),
        (false, _) => None,
    };
    let runs = |piece: &Range<usize>| {
        let mut runs: Vec<(Option<&str>, Range<usize>)> = Vec::new();
        for (run, bytes) in edges.windows(2).zip(bytes.windows(2)) {
            if run[0] < piece.start || run[1] > piece.end {
                continue;
            }
            match runs.last_mut() {
                Some((last, range)) if *last == class(run[0]) => range.end = bytes[1],
                _ => runs.push((class(run[0]), bytes[0]..bytes[1])),
            }
        }
        runs
    };
    html! {
        @for (index, piece) in pieces.iter().enumerate() {
            @if index > 0 { " … " } @else if piece.start > 0 { "… " }
            @for (class, range) in runs(piece) {
                @let shown = printable(&text[range]);
                @match class {
                    Some(class) => mark class=(class) { (shown) },
                    None => (shown),
                }
            }
        }
        @if pieces.last().is_some_and(|piece| piece.end < length) { " …" }
    }
}

/// The parts of a text to show, in order and not touching. A word that ends nearby is not cut.
fn pieces(marked: &[&Range<usize>], around: usize, text: &str) -> Vec<Range<usize>> {
    let letters: Vec<char> = text.chars().collect();
    let length = letters.len();
    let is_space = |at: usize| letters.get(at).is_none_or(|letter| letter.is_whitespace());
    let near = |start: usize, end: usize| {
        let (first, last) = (start.saturating_sub(around), (end + around).min(length));
        let word = |at: &usize| is_space(*at);
        let first = if first == 0 {
            0
        } else {
            (first..start).take(WORD).find(|at| is_space(at - 1)).unwrap_or(first)
        };
        let last = (end..=last).rev().take(WORD).find(word).unwrap_or(last);
        first..last
    };
    let mut wanted: Vec<Range<usize>> = Vec::new();
    for range in marked {
        if range.len() > 2 * around {
            wanted.extend([near(range.start, range.start), near(range.end, range.end)]);
        } else {
            wanted.push(near(range.start, range.end));
        }
    }
    if wanted.is_empty() {
        wanted.push(near(0, around.min(length)));
    }
    wanted.sort_by_key(|range| range.start);
    let mut pieces: Vec<Range<usize>> = Vec::new();
    for range in wanted {
        match pieces.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => pieces.push(range),
        }
    }
    pieces
}

/// The byte at which each of these characters begins, in ascending order.
fn byte_offsets(text: &str, characters: &[usize]) -> Vec<usize> {
    let mut ends = text.char_indices().map(|(byte, _)| byte).chain([text.len()]).enumerate().peekable();
    let mut offset = |wanted: usize| {
        while ends.next_if(|(character, _)| *character < wanted).is_some() {}
        ends.peek().map_or(text.len(), |(_, byte)| *byte)
    };
    characters.iter().map(|&character| offset(character)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, gold: &[(usize, usize)], predicted: Option<Range<usize>>, around: usize) -> String {
        let gold = gold.iter().map(|(start, end)| *start..*end).collect();
        passage(text, &Marks { gold, predicted }, around).into_string()
    }

    #[test]
    fn answers_are_marked_where_they_overlap_too() {
        let both =
            r#"ab<mark class="gold">c</mark><mark class="both">d</mark><mark class="predicted">e</mark>fg …"#;
        assert_eq!(shown("abcdefgh", &[(2, 4)], Some(3..5), 2), both);
        assert_eq!(shown("日本語です", &[(1, 2)], None, 1), "日<mark class=\"gold\">本</mark>語 …");
    }

    #[test]
    fn what_lies_between_is_left_out_and_markup_is_escaped() {
        let text = format!("<b>{}</b>", "-".repeat(50));
        let shown = shown(&text, &[(0, 1)], Some(55..57), 2);
        assert_eq!(
            shown,
            "<mark class=\"gold\">&lt;</mark>b&gt; … &lt;/<mark class=\"predicted\">b&gt;</mark>"
        );
    }

    #[test]
    fn any_range_is_taken() {
        assert_eq!(shown("abc", &[(9, 12)], Some(3..3), 1), "ab …");
        assert_eq!(shown("", &[], None, 5), "");
        let long = shown(&"x".repeat(100), &[(10, 90)], None, 5);
        assert_eq!(long.matches('…').count(), 3, "{long}");
        assert_eq!(long.matches('x').count(), 20, "{long}");
    }
}
