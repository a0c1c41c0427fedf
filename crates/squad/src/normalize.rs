//! Normalises answers as the official SQuAD scripts do, and as MLQA's script does for scripts without spaces.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_script::{Script, UnicodeScript};

use crate::python;

/// Scripts in which every character is a unit: they have no spaces between words, or attach particles to words, as
/// Korean does.
const UNSPACED: [Script; 8] = [
    Script::Han,
    Script::Hiragana,
    Script::Katakana,
    Script::Hangul,
    Script::Thai,
    Script::Lao,
    Script::Khmer,
    Script::Myanmar,
];

/// Lowercases, removes ASCII punctuation and the articles *a*, *an* and *the*, and joins the rest with single spaces:
/// `normalize_answer` of the official `evaluate-v1.1.py` and `evaluate-v2.0.py`.
#[must_use]
pub fn normalize_answer(answer: &str) -> String {
    let mut text = answer.to_lowercase();
    text.retain(|character| !character.is_ascii_punctuation());
    join_words(&remove_articles(&text))
}

/// The same without any punctuation, as MLQA's script removes it.
pub(crate) fn normalize_for_characters(answer: &str) -> String {
    let mut text = answer.to_lowercase();
    text.retain(|character| {
        !character.is_ascii_punctuation()
            && character.general_category_group() != GeneralCategoryGroup::Punctuation
    });
    join_words(&remove_articles(&text))
}

/// The characters of unspaced scripts and the words between them: `mixed_segmentation` of MLQA's script, which knows
/// only Chinese.
#[must_use]
pub fn units_of(normalized: &str) -> Vec<&str> {
    let mut units = Vec::new();
    for word in normalized.split(' ') {
        let mut rest = word;
        while let Some((start, character)) =
            rest.char_indices().find(|(_, character)| is_unspaced(*character))
        {
            let end = start + character.len_utf8();
            units.extend([&rest[..start], &rest[start..end]]);
            rest = &rest[end..];
        }
        units.push(rest);
    }
    units.retain(|unit| !unit.is_empty());
    units
}

fn is_unspaced(character: char) -> bool {
    // Marks that several scripts share, such as the long vowel of Hiragana and Katakana, list all of them.
    character.script_extension().iter().any(|script| UNSPACED.contains(&script))
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
