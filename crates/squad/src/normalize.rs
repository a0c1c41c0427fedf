//! How the official SQuAD v1.1 script makes answers comparable.

use crate::python;

/// Lowercases, removes ASCII punctuation and the articles *a*, *an* and *the*, and joins what is left
/// with single spaces: `normalize_answer` of the official `evaluate-v1.1.py`.
#[must_use]
pub fn normalize_answer(answer: &str) -> String {
    let mut text = answer.to_lowercase();
    text.retain(|character| !character.is_ascii_punctuation());
    join_words(&remove_articles(&text))
}

/// `re.sub(r"\b(a|an|the)\b", " ", text)`: articles that are a whole run of word characters.
fn remove_articles(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word_end = rest.find(|c| !python::is_word(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(word_end);
        kept.push_str(if matches!(word, "a" | "an" | "the") { " " } else { word });
        let gap_end = behind.find(python::is_word).unwrap_or(behind.len());
        let (gap, next) = behind.split_at(gap_end);
        kept.push_str(gap);
        rest = next;
    }
    kept
}

/// `" ".join(text.split())`.
fn join_words(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for word in text.split(python::is_space).filter(|word| !word.is_empty()) {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(word);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn articles_go_only_as_whole_words() {
        assert_eq!(normalize_answer("The Theory of a Banana, an A-Team"), "theory of banana ateam");
        assert_eq!(normalize_answer("A.B. the"), "ab");
    }

    #[test]
    fn a_combining_mark_bounds_a_word_as_in_python() {
        assert_eq!(normalize_answer("a\u{301} b"), "\u{301} b");
        assert_eq!(normalize_answer("á b"), "á b");
    }

    #[test]
    fn information_separators_are_spaces_as_in_python() {
        assert_eq!(normalize_answer("x\u{1c}y\u{a0}z\u{200b}w"), "x y z\u{200b}w");
    }

    #[test]
    fn lowercase_is_unicode_lowercase() {
        assert_eq!(normalize_answer("İSTANBUL ΟΔΥΣΣΕΥΣ ẞ"), "i\u{307}stanbul οδυσσευς ß");
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(answer in ".{0,60}") {
            let once = normalize_answer(&answer);
            prop_assert_eq!(normalize_answer(&once), once);
        }
    }
}
