//! What the corpus promises: the same bytes for a seed, answers at their offsets, distractors of the answer's kind, and
//! a validation split that shares no name, sentence or question wording with training.

use std::collections::{BTreeMap, BTreeSet};

use super::domains::{Relation, Topic};
use super::template::expansions;
use super::vocabulary::{Kind, value};
use super::*;

const SPLITS: [Split; 2] = [Split::Train, Split::Validation];

/// The fingerprint of the corpus of seed 0. A change makes every published figure about the sample stale.
const CORPUS_OF_SEED_0: &str = "6a487fb8041a9ec97c3444857b99ab65";

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
    assert_eq!((sample.train.data.len(), sample.train.questions().count()), (400, 1_600));
    assert_eq!((sample.validation.data.len(), sample.validation.questions().count()), (100, 400));
    let ids: BTreeSet<_> = sample.train.questions().map(|(_, qa)| &qa.id).collect();
    assert_eq!(ids.len(), 1_600);
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
fn some_contexts_fill_several_windows() {
    let Sample { train, validation } = generate(0);
    for dataset in [train, validation] {
        let contexts = dataset.data.iter().map(|article| &article.paragraphs[0].context);
        let (long, short): (Vec<_>, Vec<_>) =
            contexts.map(|context| context.split(' ').count()).partition(|&words| words > 250);
        assert!(long.len() * 200 > short.len(), "{} of {}", long.len(), short.len());
        assert!(short.iter().all(|words| (30..70).contains(words)), "{short:?}");
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

    // Titles and answers could still share a word: a given name, a lesson, a place in a company's name.
    let words = |split| -> BTreeSet<String> {
        let mut random = Random::new(5);
        let named = |kind| !matches!(kind, Kind::Year | Kind::Date | Kind::Number(..));
        let topics = DOMAINS.iter().flat_map(|domain| domain.topics).filter(|topic| named(topic.kind));
        let values = topics.flat_map(|topic| {
            (0..400).map(|_| value(topic.kind, 1800, split, &mut random)).collect::<Vec<_>>()
        });
        values.flat_map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let shared: Vec<_> = words(Split::Train).intersection(&words(Split::Validation)).cloned().collect();
    assert!(shared.is_empty(), "{shared:?}");
}

fn topics() -> impl Iterator<Item = &'static Topic> {
    DOMAINS.iter().flat_map(|domain| domain.topics)
}

fn relations() -> impl Iterator<Item = &'static Relation> {
    topics().flat_map(|topic| &topic.relations)
}

#[test]
fn validation_shares_no_wording_with_training() {
    let wordings = |split| -> BTreeSet<String> {
        let introductions = DOMAINS.iter().map(|domain| &domain.introduction);
        let told = relations().map(|relation| &relation.told);
        let all = told.chain(topics().map(|topic| &topic.asked)).chain(introductions).chain([&BACKGROUND]);
        all.flat_map(|wordings| wordings.of(split)).flat_map(|template| expansions(template)).collect()
    };
    let (train, validation) = (wordings(Split::Train), wordings(Split::Validation));
    assert_eq!(train.intersection(&validation).next(), None);
}

#[test]
fn every_wording_has_the_slots_that_its_place_asks_for() {
    let slots = |template: &str| -> BTreeSet<String> {
        let after = template.split('{').skip(1);
        let all: Vec<_> = after.map(|rest| rest.split('}').next().unwrap_or_default().to_owned()).collect();
        let slots: BTreeSet<_> = all.iter().cloned().collect();
        assert_eq!(slots.len(), all.len(), "{template}");
        slots
    };
    let set = |slots: &[&str]| slots.iter().map(|&slot| slot.to_owned()).collect::<BTreeSet<_>>();
    for split in SPLITS {
        for introduction in DOMAINS.iter().flat_map(|domain| domain.introduction.of(split)) {
            let slots = slots(introduction);
            assert!(slots.contains("name"), "{introduction}");
            assert!(slots.is_subset(&set(&["name", "person", "place", "year", "number"])), "{introduction}");
        }
        for template in relations().flat_map(|relation| relation.told.of(split)) {
            assert_eq!(slots(template), set(&["value", "word"]), "{template}");
        }
        for topic in topics() {
            for question in topic.asked.of(split) {
                for (told, asked) in topic.relations.iter().flat_map(|relation| relation.words) {
                    assert_eq!(slots(told), set(&[]), "{told}");
                    let question = question.replace("{word}", asked);
                    assert_eq!(slots(&question), set(&["name"]), "{question}");
                }
            }
        }
    }
}

#[test]
fn a_validation_question_is_not_in_the_words_of_the_text() {
    let mut random = Random::new(3);
    for relation in relations() {
        for _ in 0..20 {
            let told = relation.told_word(Split::Validation, &mut random);
            let asked = relation.asked_word(told, Split::Validation, &mut random);
            let words =
                |text: &'static str| text.split(' ').filter(|word| word.len() > 3).collect::<BTreeSet<_>>();
            let shared = &words(relation.words[told].0) & &words(relation.words[asked].1);
            assert!(shared.is_empty() || shared == BTreeSet::from(["best"]), "{shared:?}");
        }
    }
}

#[test]
fn every_fact_has_three_distractors_of_its_kind_where_it_is_told() {
    for split in SPLITS {
        let mut random = Random::new(11);
        for index in 0..100 {
            let account = Account::write(&DOMAINS[index % DOMAINS.len()], split, &mut random);
            let told: BTreeSet<_> = account.facts.iter().map(|fact| &fact.text).collect();
            assert_eq!(told.len(), 4, "{}", account.text);
            for fact in &account.facts {
                let there: String =
                    account.text.chars().skip(fact.start).take(fact.text.chars().count()).collect();
                assert_eq!(there, fact.text, "{}", account.text);
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
