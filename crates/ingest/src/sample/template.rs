//! Sentences with blanks: `[one|other]` is a choice of words, `{slot}` takes a value.

use super::random::Random;

/// Takes one of the words of every `[one|other]`.
pub(super) fn choose(template: &str, random: &mut Random) -> String {
    let mut chosen = String::new();
    let mut rest = template;
    while let Some((before, choice, after)) = bracketed(rest, '[', ']') {
        let words: Vec<_> = choice.split('|').collect();
        chosen.push_str(before);
        chosen.push_str(random.pick(&words));
        rest = after;
    }
    chosen + rest
}

/// Appends `template` to `text` with every `{slot}` replaced by its value, and calls `filled` with the slot
/// and the character at which its value starts.
pub(super) fn fill<'a>(
    template: &'a str,
    value: impl Fn(&str) -> String,
    text: &mut String,
    mut filled: impl FnMut(&'a str, usize),
) {
    let mut rest = template;
    while let Some((before, slot, after)) = bracketed(rest, '{', '}') {
        text.push_str(before);
        filled(slot, text.chars().count());
        text.push_str(&value(slot));
        rest = after;
    }
    text.push_str(rest);
}

/// What stands before, within and after the first pair of brackets.
fn bracketed(text: &str, open: char, close: char) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once(open)?;
    let (within, after) = rest.split_once(close)?;
    Some((before, within, after))
}

/// Every sentence that [`choose`] can make of `template`.
#[cfg(test)]
pub(super) fn expansions(template: &str) -> Vec<String> {
    let Some((before, choice, after)) = bracketed(template, '[', ']') else {
        return vec![template.to_owned()];
    };
    let tails = expansions(after);
    choice.split('|').flat_map(|word| tails.iter().map(move |tail| format!("{before}{word}{tail}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_filled_and_their_starts_counted_in_characters() {
        let (mut text, mut starts) = ("Née ".to_owned(), Vec::new());
        fill("{a} and {b}.", |slot| slot.repeat(3), &mut text, |slot, start| starts.push((slot, start)));
        assert_eq!(text, "Née aaa and bbb.");
        assert_eq!(starts, [("a", 4), ("b", 12)]);
    }

    #[test]
    fn every_choice_is_one_of_the_expansions() {
        let template = "Who [made|built] the [ship|boat]?";
        let all = expansions(template);
        assert_eq!(all.len(), 4);
        let mut random = Random::new(7);
        assert!((0..20).all(|_| all.contains(&choose(template, &mut random))));
    }
}
