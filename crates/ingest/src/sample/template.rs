//! Sentences with a choice of words: `[one|other]`.

use super::random::Random;

/// Takes one of the words of every `[one|other]`.
pub(super) fn choose(template: &str, random: &mut Random) -> String {
    let mut chosen = String::new();
    let mut rest = template;
    while let Some((before, choice, after)) = bracketed(rest) {
        let words: Vec<_> = choice.split('|').collect();
        chosen.push_str(before);
        chosen.push_str(random.pick(&words));
        rest = after;
    }
    chosen + rest
}

/// The texts before, within and after the first pair of brackets.
fn bracketed(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('[')?;
    let (within, after) = rest.split_once(']')?;
    Some((before, within, after))
}

/// Every sentence that [`choose`] can make of `template`.
#[cfg(test)]
pub(super) fn expansions(template: &str) -> Vec<String> {
    let Some((before, choice, after)) = bracketed(template) else {
        return vec![template.to_owned()];
    };
    let tails = expansions(after);
    choice.split('|').flat_map(|word| tails.iter().map(move |tail| format!("{before}{word}{tail}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_one_of_the_expansions() {
        let template = "Who [made|built] the [ship|boat]?";
        let all = expansions(template);
        assert_eq!(all.len(), 4);
        let mut random = Random::new(7);
        assert!((0..20).all(|_| all.contains(&choose(template, &mut random))));
    }
}
