//! A school: its people, and its lessons.

use super::{Domain, WHAT, WHO, relation, topic, wordings};
use crate::sample::vocabulary::Kind::{Lesson, Person};

pub(super) const SCHOOL: Domain = Domain {
    name: "{root} [School|Academy|College]",
    introduction: wordings(
        &[
            "{name} stood near {place} and had {number} [desks|rooms].",
            "The bell of {name} was cast in {place} in {year}.",
            "{person} drew the plans of {name}.",
        ],
        &[
            "The rules of {name} filled {number} pages.",
            "A stone from {year} lies before the gate of {name}.",
        ],
    ),
    topics: &[
        topic(
            Person,
            WHO,
            [
                relation(
                    [
                        ("gave the building", "gave the house of"),
                        ("gave away the building", "gave away the house of"),
                        ("donated the building", "donated the house of"),
                        ("presented the building", "presented the house of"),
                    ],
                    wordings(
                        &["{value} {word} [as a present|for nothing]."],
                        &["It was {value} who generously {word}."],
                    ),
                ),
                relation(
                    [
                        ("was its head", "was the head of"),
                        ("was its head teacher", "was the head teacher of"),
                        ("was its principal", "was the principal of"),
                        ("was its director", "was the director of"),
                    ],
                    wordings(
                        &["{value} {word} and [kept order|ran the office]."],
                        &["It was {value} who for years {word}."],
                    ),
                ),
                relation(
                    [
                        ("was its caretaker", "was the caretaker of"),
                        ("was its janitor", "was the janitor of"),
                        ("was its porter", "was the porter of"),
                        ("was its doorkeeper", "was the doorkeeper of"),
                    ],
                    wordings(
                        &["{value} {word} and [lit the stoves|swept the yard]."],
                        &["It was {value} who at all hours {word}."],
                    ),
                ),
                relation(
                    [
                        ("was its best pupil", "was the famous pupil of"),
                        ("was its best schoolchild", "was the famous schoolchild of"),
                        ("was its best student", "was the famous student of"),
                        ("was its best graduate", "was the famous graduate of"),
                    ],
                    wordings(
                        &["{value} {word} and [won prizes|passed with honours]."],
                        &["It was {value} who without doubt {word}."],
                    ),
                ),
            ],
        ),
        topic(
            Lesson,
            WHAT,
            [
                relation(
                    [
                        ("was famous for", "was {name} famous for"),
                        ("was known for", "was {name} known for"),
                        ("was renowned for", "was {name} renowned for"),
                        ("was celebrated for", "was {name} celebrated for"),
                    ],
                    wordings(
                        &["It {word} {value}, [everywhere|even abroad]."],
                        &["What it {word} was {value}."],
                    ),
                ),
                relation(
                    [
                        ("introduced", "did {name} introduce"),
                        ("brought in", "did {name} bring in"),
                        ("added", "did {name} add"),
                        ("took up", "did {name} take up"),
                    ],
                    wordings(
                        &["It {word} {value} as something new."],
                        &["What it newly {word} was {value}."],
                    ),
                ),
                relation(
                    [
                        ("required", "did {name} require"),
                        ("demanded", "did {name} demand"),
                        ("insisted on", "did {name} insist on"),
                        ("prescribed", "did {name} prescribe"),
                    ],
                    wordings(
                        &["It {word} {value} of [everyone|all who came]."],
                        &["What it always {word} was {value}."],
                    ),
                ),
                relation(
                    [
                        ("dropped", "did {name} drop"),
                        ("gave up", "did {name} give up"),
                        ("abolished", "did {name} abolish"),
                        ("discontinued", "did {name} discontinue"),
                    ],
                    wordings(
                        &["It {word} {value} for want of [teachers|interest]."],
                        &["What it {word} in the end was {value}."],
                    ),
                ),
            ],
        ),
    ],
};
