//! Python's definitions of a space and of a word, which differ from Rust's: the references are Python programs.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// `str.isspace`, which `str.split` and `str.strip` go by: `White_Space` and the four information
/// separators.
#[must_use]
pub fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// `\w` of `re`, `str.isalnum` and the underscore. Unlike Rust's `is_alphanumeric` and the regex
/// crate's `\w`, it leaves out combining marks and circled letters: `\ba\b` matches in "a\u{301}".
#[must_use]
pub fn is_word(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || character == '_';
    }
    matches!(character.general_category_group(), GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number)
}
