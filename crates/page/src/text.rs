//! Makes text from data fit to show.

use std::borrow::Cow;

/// `text` with a mark in the place of every control character except line breaks and tabs: browsers drop some of them
/// and refuse others.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_control = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    if text.contains(is_control) { text.replace(is_control, "\u{fffd}").into() } else { text.into() }
}

/// The beginning of a long text, on one line and fit to show.
#[must_use]
pub fn shortened(text: &str, characters: usize) -> String {
    let cut = text.char_indices().nth(characters);
    let (shown, more) = cut.map_or((text, ""), |(end, _)| (&text[..end], "…"));
    let line = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{}{more}", printable(&line))
}

/// `text` as Markdown shows it letter for letter, in a cell of a table too.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for letter in printable(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\n' | '\t' => escaped.push(' '),
            // Some hosts would notify a user whose name follows the sign.
            '@' => escaped.push_str("&#64;"),
            _ => {
                if letter.is_ascii_punctuation()
                    && !matches!(letter, ',' | '.' | ';' | '\'' | '"' | '/' | ':' | '?')
                {
                    escaped.push('\\');
                }
                escaped.push(letter);
            }
        }
    }
    // Some hosts turn URLs into links.
    escaped.replace("://", ":&#47;/").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_marked_and_long_texts_cut() {
        assert_eq!(printable("a\0b\u{1b}[2Jc\nd\te"), "a\u{fffd}b\u{fffd}[2Jc\nd\te");
        assert_eq!(shortened("  one\n two three", 10), "one two…");
        assert_eq!(shortened("日本語", 3), "日本語");
    }

    #[test]
    fn markdown_is_shown_letter_for_letter() {
        assert_eq!(markdown("a|b *c* <script>"), "a\\|b \\*c\\* &lt;script&gt;");
        assert_eq!(markdown("[x](y) `z`\n@me"), "\\[x\\]\\(y\\) \\`z\\` &#64;me");
        assert_eq!(markdown("http://x www.y"), "http:&#47;/x www&#46;y");
    }
}
