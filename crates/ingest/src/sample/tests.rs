//! What the corpus promises: the same bytes for a seed, answers where they are said to stand, distractors of
//! the answer's kind, and a validation split that shares no name, sentence or question wording with training.

use std::collections::{BTreeMap, BTreeSet};

use super::account::Fact;
use super::template::{expansions, fill};
use super::vocabulary::Kind;
use super::*;

const SPLITS: [Split; 2] = [Split::Train, Split::Validation];

/// The fingerprint of the corpus of seed 0. A change makes every published figure about the sample stale.
const CORPUS_OF_SEED_0: &str = "6ca8ba448e1c2130c148af4b740dfb8c";

#[test]
fn a_seed_makes_the_same_corpus_everywhere() {
    let sample = generate(0);
    assert_eq!(sample, generate(0));
    assert_ne!(sample, generate(1));
    let corpus = serde_json::json!({ "train": sample.train, "validation": sample.validation });
    assert_eq!(artifact::fingerprint(&corpus), CORPUS_OF_SEED_0);
}

#[test]
fn the_splits_are_as_large_as_documented() {
    let sample = generate(0);
    assert_eq!((sample.train.data.len(), sample.train.questions().count()), (672, 2_688));
    assert_eq!((sample.validation.data.len(), sample.validation.questions().count()), (88, 352));
    let ids: BTreeSet<_> = sample.train.questions().map(|(_, qa)| &qa.id).collect();
    assert_eq!(ids.len(), 2_688);
    assert_eq!(sample.train.questions().next().map(|(_, qa)| qa.id.as_str()), Some("sample-train-000000"));
}

#[test]
fn every_answer_stands_at_its_offset() {
    for seed in 0..3 {
        let Sample { train, validation } = generate(seed);
        for (paragraph, qa) in train.questions().chain(validation.questions()) {
            let answer = &qa.answers[0];
            let length = answer.text.chars().count();
            let there: String =
                paragraph.context.chars().skip(answer.answer_start as usize).take(length).collect();
            assert_eq!(there, answer.text, "{}", qa.id);
        }
    }
}

#[test]
fn one_context_in_twenty_five_fills_several_windows() {
    let Sample { train, validation } = generate(0);
    for dataset in [train, validation] {
        let contexts = dataset.data.iter().map(|article| &article.paragraphs[0].context);
        let (long, short): (Vec<_>, Vec<_>) =
            contexts.map(|context| context.split(' ').count()).partition(|&words| words > 250);
        assert!((0.03..0.05).contains(&(long.len() as f64 / (long.len() + short.len()) as f64)));
        assert!(short.iter().all(|words| (35..70).contains(words)), "{short:?}");
    }
}

#[test]
fn validation_shares_no_document_question_or_name_with_training() {
    let Sample { train, validation } = generate(0);
    let collect = |dataset: &Dataset| -> BTreeSet<String> {
        let documents = dataset
            .data
            .iter()
            .flat_map(|article| [article.title.clone(), article.paragraphs[0].context.clone()]);
        let answers = dataset.questions().map(|(_, qa)| qa.answers[0].text.clone());
        documents.chain(answers.filter(|answer| !answer.starts_with(|c: char| c.is_ascii_digit()))).collect()
    };
    assert!(collect(&train).is_disjoint(&collect(&validation)));

    // Titles and answers could still share a word: a given name, a material, a place in a company's name.
    let words = |split| -> BTreeSet<String> {
        let mut random = Random::new(5);
        let accounts =
            (0..400).map(|index| Account::write(&DOMAINS[index % DOMAINS.len()], split, &mut random));
        let named = |kind| !matches!(kind, Kind::Year | Kind::Date | Kind::Number(..));
        let values = accounts.flat_map(|account| account.facts).filter(|fact| named(fact.relation.kind));
        values.flat_map(|fact| fact.text.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let shared: Vec<_> = words(Split::Train).intersection(&words(Split::Validation)).cloned().collect();
    assert!(shared.is_empty(), "{shared:?}");
}

#[test]
fn validation_shares_no_wording_with_training() {
    let wordings = |split| -> BTreeSet<String> {
        let questions = DOMAINS.iter().flat_map(|domain| domain.relations).flat_map(|it| it.wordings(split));
        let passages = DOMAINS.iter().flat_map(|it| it.passages.iter().chain([&it.introduction]));
        let sentences = passages.flat_map(|passage| passage.sentences(split));
        questions.chain(sentences).flat_map(|template| expansions(template)).collect()
    };
    let (train, validation) = (wordings(Split::Train), wordings(Split::Validation));
    assert_eq!(train.intersection(&validation).next(), None);
}

#[test]
fn every_wording_of_a_domain_states_every_relation_once_and_asks_for_known_ones() {
    let slots = |template: &'static str| {
        let mut slots = Vec::new();
        fill(template, |_| String::new(), &mut String::new(), |slot, _| slots.push(slot));
        slots
    };
    for domain in DOMAINS {
        let known: Vec<_> = domain.relations.iter().map(|relation| relation.slot).collect();
        let mut stated = Vec::new();
        for passage in domain.passages {
            let mut wordings = SPLITS.iter().flat_map(|&split| passage.sentences(split)).map(|text| {
                let mut slots = slots(text);
                slots.sort_unstable();
                slots
            });
            let first = wordings.next().expect("a passage has a wording");
            assert!(wordings.all(|slots| slots == first), "{}: {first:?}", domain.name);
            stated.extend(first);
        }
        stated.sort_unstable();
        let mut expected = known.clone();
        expected.sort_unstable();
        assert_eq!(stated, expected, "{}", domain.name);
        for relation in domain.relations {
            for template in SPLITS.iter().flat_map(|&split| relation.wordings(split)) {
                let fits = |slot: &&str| *slot == "name" || (known.contains(slot) && *slot != relation.slot);
                assert!(slots(template).iter().all(fits), "{template}");
            }
        }
    }
}

#[test]
fn every_fact_has_two_distractors_of_its_kind() {
    for split in SPLITS {
        let mut random = Random::new(11);
        for domain in DOMAINS {
            let account = Account::write(domain, split, &mut random);
            for fact in &account.facts {
                let alike = |other: &&Fact| {
                    std::mem::discriminant(&other.relation.kind)
                        == std::mem::discriminant(&fact.relation.kind)
                        && other.text != fact.text
                        && account.text.contains(&other.text)
                };
                assert!(account.facts.iter().filter(alike).count() >= 2, "{}: {}", account.name, fact.text);
            }
        }
    }
}

#[test]
fn answers_are_of_several_kinds() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let Sample { validation, .. } = generate(0);
    for (_, qa) in validation.questions() {
        let text = &qa.answers[0].text;
        let kind = match (text.chars().next(), text.split(' ').count()) {
            (Some('0'..='9'), 3) => "date",
            (Some('0'..='9'), _) => "number or year",
            (Some('A'..='Z'), 2) => "person",
            (Some('A'..='Z'), _) => "place",
            _ => "phrase",
        };
        *counts.entry(kind).or_default() += 1;
    }
    assert_eq!(counts.len(), 5);
    assert!(counts.values().all(|&count| count >= 10), "{counts:?}");
}
