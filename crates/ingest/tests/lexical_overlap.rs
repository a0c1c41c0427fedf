//! The score of word matching alone on the generated corpus: a baseline that shows that the corpus needs reading.
//!
//! The rule gets extra help: it knows the answer's kind, and chooses the candidate of that kind (name, place, date,
//! number, phrase) nearest to the rare words that context and question share.

use std::collections::{HashMap, HashSet};

use distilburn_ingest::sample;
use squad::json::{Dataset, Qa};

/// Words between a candidate and a shared word at which the latter counts half.
const HALF_DISTANCE: f64 = 2.0;
/// What a candidate's own rarity weighs: an invented name beats `every child`.
const TIE_BREAK: f64 = 0.3;

#[test]
fn lexical_overlap_stays_under_50_f1() {
    let validation = sample::generate(0).validation;
    let predictions = answer_by_overlap(&validation);
    let score = squad::score(&validation.ground_truths(), &predictions, squad::F1Units::Words);
    println!("lexical overlap: exact match {:.1}, F1 {:.1}", score.exact_match, score.f1);
    assert!((20.0..50.0).contains(&score.f1), "F1 {}", score.f1);
}

fn answer_by_overlap(dataset: &Dataset) -> HashMap<String, String> {
    let contexts: HashSet<&str> =
        dataset.questions().map(|(paragraph, _)| paragraph.context.as_str()).collect();
    let rarity = Rarity::of(&contexts);
    dataset
        .questions()
        .map(|(paragraph, qa)| (qa.id.clone(), answer(&paragraph.context, qa, &rarity)))
        .collect()
}

fn answer(context: &str, qa: &Qa, rarity: &Rarity) -> String {
    let asked: HashSet<String> = words(&qa.question).map(stem).collect();
    let context: Vec<&str> = words(context).collect();
    let shared = |word: &&str| asked.contains(&stem(word)).then(|| rarity.get(word));
    let shared: Vec<Option<f64>> = context.iter().map(shared).collect();
    let kind = Kind::of(&qa.answers[0].text);
    let merit = |start: usize, length: usize| {
        let own: f64 = context[start..start + length].iter().map(|word| rarity.get(word)).sum();
        overlap(&context, &shared, start, length) + TIE_BREAK * own / length as f64
    };
    let best = (0..context.len())
        .filter_map(|start| Some((start, kind.length_at(&context, start)?)))
        .filter(|&(start, length)| shared[start..start + length].iter().all(Option::is_none))
        .max_by(|one, other| merit(one.0, one.1).total_cmp(&merit(other.0, other.1)));
    let (start, length) = best.unwrap_or((0, 0));
    bare(&context[start..start + length].join(" ")).to_owned()
}

/// In how many contexts a word occurs, as its inverse document frequency.
struct Rarity {
    contexts: usize,
    occurrences: HashMap<String, usize>,
}

impl Rarity {
    fn of(contexts: &HashSet<&str>) -> Self {
        let mut occurrences = HashMap::new();
        for context in contexts {
            for stem in words(context).map(stem).collect::<HashSet<_>>() {
                *occurrences.entry(stem).or_default() += 1;
            }
        }
        Self { contexts: contexts.len(), occurrences }
    }

    fn get(&self, word: &str) -> f64 {
        let occurrences = self.occurrences.get(&stem(word)).copied().unwrap_or(1);
        (self.contexts as f64 / occurrences as f64).ln()
    }
}

/// The sum of the shared words' rarity in the candidate's sentence, each the less the farther off it stands.
fn overlap(context: &[&str], shared: &[Option<f64>], start: usize, length: usize) -> f64 {
    let ends_sentence = |word: &&str| word.ends_with('.');
    let from = context[..start].iter().rposition(ends_sentence).map_or(0, |end| end + 1);
    let to = context[start..].iter().position(ends_sentence).map_or(context.len(), |end| start + end + 1);
    let weight = |index: usize| {
        let distance = if index < start { start - index } else { index - (start + length - 1) };
        HALF_DISTANCE / (HALF_DISTANCE + distance as f64)
    };
    (from..to).filter_map(|index| Some(shared[index]? * weight(index))).sum()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ')
}

fn bare(word: &str) -> &str {
    word.trim_end_matches("'s").trim_matches(|c: char| !c.is_alphanumeric())
}

/// The first five letters: `opened`, `opening` and `opens` are one word.
fn stem(word: &str) -> String {
    bare(word).to_lowercase().chars().take(5).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Person,
    Place,
    Date,
    Number,
    Phrase,
}

impl Kind {
    /// The kind of a true answer, by its looks.
    fn of(answer: &str) -> Self {
        let count = words(answer).count();
        match answer.chars().next() {
            Some('0'..='9') if count == 3 || is_year(answer) => Self::Date,
            Some('0'..='9') => Self::Number,
            Some('A'..='Z') if count == 2 => Self::Person,
            Some('A'..='Z') => Self::Place,
            _ => Self::Phrase,
        }
    }

    /// How many words a candidate of this kind takes up from `start`, if one starts there.
    fn length_at(self, context: &[&str], start: usize) -> Option<usize> {
        let capital =
            |index: usize| context.get(index).is_some_and(|word| bare(word).starts_with(char::is_uppercase));
        let digits = |index: usize| {
            context.get(index).is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        };
        let open = |index: usize| context[index].ends_with(char::is_alphanumeric);
        let opens_sentence = start == 0 || context[start - 1].ends_with('.');
        let before = |test: &dyn Fn(usize) -> bool| start > 0 && test(start - 1) && open(start - 1);
        match self {
            Self::Person => (capital(start) && capital(start + 1) && open(start)).then_some(2),
            Self::Place => {
                (capital(start) && !opens_sentence && !before(&capital) && !capital(start + 1)).then_some(1)
            }
            Self::Date if digits(start) && capital(start + 1) => Some(3),
            Self::Date => (is_year(bare(context[start])) && !before(&capital)).then_some(1),
            Self::Number => {
                (digits(start) && !is_year(bare(context[start])) && !capital(start + 1)).then_some(1)
            }
            Self::Phrase => {
                let plain = |index: usize| context.get(index).is_some_and(|word| is_content(word));
                let of = context.get(start + 1) == Some(&"of") && plain(start + 2);
                let wide =
                    |length: usize| length + usize::from(open(start + length - 1) && plain(start + length));
                match plain(start) && open(start) && !before(&plain) {
                    true if of => Some(wide(3)),
                    true if plain(start + 1) => Some(wide(2)),
                    _ => None,
                }
            }
        }
    }
}

fn is_year(word: &str) -> bool {
    word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// A word in small letters that is none of the small words.
fn is_content(word: &str) -> bool {
    const SMALL: &str = " a although an and as at because but by down each every far for from had has in into is it its \
                         lost no of off on once onto only or soon that the then there to up was were what when where \
                         whereas which while who with ";
    bare(word).starts_with(char::is_lowercase) && !SMALL.contains(&format!(" {} ", bare(word)))
}
