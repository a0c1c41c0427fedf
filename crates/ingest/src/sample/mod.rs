//! The default data: a question-answering corpus in SQuAD's form that distilburn generates.
//!
//! Every paragraph tells of an invented company, expedition, ship or school, and asks for its facts. The validation
//! split has its own names, its own sentences and its own question wordings. The corpus depends only on the seed, and
//! has the same bytes on every platform.

mod account;
mod domains;
mod random;
mod template;
#[cfg(test)]
mod tests;
mod vocabulary;
mod words;

use squad::json::{Answer, Article, Dataset, Paragraph, Qa};

use account::Account;
use domains::{BACKGROUND, DOMAINS};
use random::Random;

/// The generated corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// 1,600 questions on 400 paragraphs.
    pub train: Dataset,
    /// 400 questions on 100 paragraphs.
    pub validation: Dataset,
}

/// Makes the corpus of `seed`.
#[must_use]
pub fn generate(seed: u64) -> Sample {
    Sample { train: write_split(Split::Train, seed), validation: write_split(Split::Validation, seed) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Split {
    Train,
    Validation,
}

impl Split {
    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
        }
    }

    /// How many paragraphs hold one account, and how many hold a whole chronicle.
    fn paragraphs(self) -> (usize, usize) {
        match self {
            Self::Train => (397, 3),
            Self::Validation => (99, 1),
        }
    }
}

/// Questions on a paragraph with one account.
const QUESTIONS_PER_ACCOUNT: usize = 4;
/// Questions on each account of a chronicle, which has one of every domain.
const QUESTIONS_PER_CHRONICLED_ACCOUNT: usize = 1;
/// Sentences about the country after each account of a chronicle: they make it longer than a window.
const BACKGROUND_SENTENCES: usize = 3;

fn write_split(split: Split, seed: u64) -> Dataset {
    let mut random = Random::new(seed);
    let mut random = Random::new(match split {
        Split::Train => random.next(),
        Split::Validation => !random.next(),
    });
    let (accounts, chronicles) = split.paragraphs();
    let mut data: Vec<_> = (0..accounts)
        .map(|index| {
            let mut paragraph = Writer::default();
            let account = Account::write(&DOMAINS[index % DOMAINS.len()], split, &mut random);
            paragraph.push_account(&account, QUESTIONS_PER_ACCOUNT, split, &mut random);
            paragraph.finish(account.name)
        })
        .collect();
    data.extend((0..chronicles).map(|_| write_chronicle(split, &mut random)));
    random.shuffle(&mut data);
    number(&mut data, split);
    Dataset { version: Some("1.1".to_owned()), data }
}

fn write_chronicle(split: Split, random: &mut Random) -> Article {
    let mut domains: Vec<_> = DOMAINS.iter().collect();
    random.shuffle(&mut domains);
    let mut background = BACKGROUND.of(split).to_vec();
    random.shuffle(&mut background);
    let mut paragraph = Writer::default();
    for (domain, background) in domains.into_iter().zip(background.chunks(BACKGROUND_SENTENCES)) {
        let account = Account::write(domain, split, random);
        paragraph.push_account(&account, QUESTIONS_PER_CHRONICLED_ACCOUNT, split, random);
        for sentence in background {
            paragraph.push(&template::choose(sentence, random));
        }
    }
    paragraph.finish(format!("Chronicle of {}", vocabulary::root(split, random)))
}

/// A paragraph as it grows.
#[derive(Default)]
struct Writer {
    context: String,
    qas: Vec<Qa>,
}

impl Writer {
    fn push(&mut self, text: &str) {
        if !self.context.is_empty() {
            self.context.push(' ');
        }
        self.context.push_str(text);
    }

    /// Tells `account`, and asks `questions` questions about it.
    fn push_account(&mut self, account: &Account, questions: usize, split: Split, random: &mut Random) {
        self.push(&account.text);
        let account_start = self.context.chars().count() - account.text.chars().count();
        let mut asked: Vec<_> = account.facts.iter().collect();
        random.shuffle(&mut asked);
        for fact in &asked[..questions] {
            let answer =
                Answer { text: fact.text.clone(), answer_start: (account_start + fact.start) as i32 };
            let question = account.question(fact, split, random);
            self.qas.push(Qa { id: String::new(), question, answers: vec![answer], is_impossible: false });
        }
    }

    /// One article of this one paragraph.
    fn finish(self, title: String) -> Article {
        Article { title, paragraphs: vec![Paragraph { context: self.context, qas: self.qas }] }
    }
}

/// Gives the questions their ids, `sample-train-000000` and on.
fn number(data: &mut [Article], split: Split) {
    let paragraphs = data.iter_mut().flat_map(|article| &mut article.paragraphs);
    for (index, qa) in paragraphs.flat_map(|paragraph| &mut paragraph.qas).enumerate() {
        qa.id = format!("sample-{}-{index:06}", split.name());
    }
}
