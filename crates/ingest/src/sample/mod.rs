//! The default data: a question answering corpus in SQuAD's form that distilburn makes up itself.
//!
//! Every paragraph tells of an invented company, expedition, ship, institute, festival, bridge, school or
//! opera, and asks for some of its facts. The validation split has its own names, its own sentences and its
//! own question wordings. The corpus is a function of the seed and the same bytes on every platform.

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
use domains::{DOMAINS, Domain};
use random::SplitMix64;

/// The generated corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// 2,228 questions on 436 paragraphs.
    pub train: Dataset,
    /// 384 questions on 75 paragraphs.
    pub validation: Dataset,
}

/// Makes the corpus that belongs to `seed`.
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
            Self::Train => (420, 16),
            Self::Validation => (72, 3),
        }
    }
}

/// Questions on a paragraph with one account.
const QUESTIONS_PER_ACCOUNT: usize = 5;
/// Accounts in a chronicle: some 600 tokens, more than a window holds.
const ACCOUNTS_PER_CHRONICLE: usize = 4;
/// Questions on each account of a chronicle.
const QUESTIONS_PER_CHRONICLED_ACCOUNT: usize = 2;

fn write_split(split: Split, seed: u64) -> Dataset {
    let mut random = SplitMix64::new(seed);
    let own_seed = match split {
        Split::Train => random.next(),
        Split::Validation => !random.next(),
    };
    let mut random = SplitMix64::new(own_seed);
    let (accounts, chronicles) = split.paragraphs();
    let mut data: Vec<_> = (0..accounts)
        .map(|index| {
            let account = Account::write(&DOMAINS[index % DOMAINS.len()], split, &mut random);
            write_article(account.name.clone(), &[account], QUESTIONS_PER_ACCOUNT, split, &mut random)
        })
        .collect();
    for _ in 0..chronicles {
        let mut domains: Vec<&'static Domain> = DOMAINS.iter().collect();
        random.shuffle(&mut domains);
        let accounts: Vec<_> = domains[..ACCOUNTS_PER_CHRONICLE]
            .iter()
            .map(|domain| Account::write(domain, split, &mut random))
            .collect();
        let title = format!("Chronicle of {}", vocabulary::root(split, &mut random));
        data.push(write_article(title, &accounts, QUESTIONS_PER_CHRONICLED_ACCOUNT, split, &mut random));
    }
    random.shuffle(&mut data);
    number(&mut data, split);
    Dataset { version: Some("1.1".to_owned()), data }
}

/// One article of one paragraph, which tells the accounts one after the other.
fn write_article(
    title: String,
    accounts: &[Account],
    questions: usize,
    split: Split,
    random: &mut SplitMix64,
) -> Article {
    let (mut context, mut qas) = (String::new(), Vec::new());
    for account in accounts {
        if !context.is_empty() {
            context.push(' ');
        }
        let account_start = context.chars().count();
        context.push_str(&account.text);
        let mut asked: Vec<_> = (0..account.facts.len()).collect();
        random.shuffle(&mut asked);
        for &index in &asked[..questions] {
            let fact = &account.facts[index];
            let answer =
                Answer { text: fact.text.clone(), answer_start: (account_start + fact.start) as i32 };
            let question = account.question(index, split, random);
            qas.push(Qa { id: String::new(), question, answers: vec![answer], is_impossible: false });
        }
    }
    Article { title, paragraphs: vec![Paragraph { context, qas }] }
}

/// Gives the questions their ids, `sample-train-000000` and on.
fn number(data: &mut [Article], split: Split) {
    let paragraphs = data.iter_mut().flat_map(|article| &mut article.paragraphs);
    for (index, qa) in paragraphs.flat_map(|paragraph| &mut paragraph.qas).enumerate() {
        qa.id = format!("sample-{}-{index:06}", split.name());
    }
}
