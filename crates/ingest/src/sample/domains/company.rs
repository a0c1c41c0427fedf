//! A manufacturer: who stood behind it, and when it worked.

use super::{Domain, Passage, ask};
use crate::sample::vocabulary::Kind::{Person, Year};

pub(super) const COMPANY: Domain = Domain {
    name: "{root} [Potteries|Foundry|Mills|Tileworks|Instruments|Glassworks]",
    introduction: Passage {
        train: &[
            "{name} was a [modest|proud|well-regarded] manufacturer in the [north|hill country|lake district].",
            "Few [makers|workshops] of the [period|age] are as well documented as {name}.",
            "The [ledgers|letter books] of {name}, a maker of household wares, survive almost complete.",
        ],
        validation: &[
            "Collectors still look for the stamp of {name}, a [provincial|country] manufacturer.",
            "A [small|local] museum keeps the papers of {name}, once a well-known maker of household wares.",
        ],
    },
    passages: &[
        Passage {
            train: &[
                "{founder} [founded it|opened the first workshop], {backer} [financed it|lent the money for it], and {successor} [succeeded the old owner|took over the keys].",
                "{successor} [succeeded the old owner|took over the keys]; {backer} [financed it|lent the money for it], and {founder} [founded it|opened the first workshop].",
                "{backer} [financed it|lent the money for it], {successor} [succeeded the old owner|took over the keys], and {founder} [founded it|opened the first workshop].",
                "{founder} [founded it|opened the first workshop] and {successor} [succeeded the old owner|took over the keys], and {backer} [financed it|lent the money for it].",
            ],
            validation: &[
                "It was {backer} who lent the money for it, {founder} who opened the first workshop, and {successor} who took over the keys.",
                "{successor} took over the keys, while {founder} opened the first workshop and {backer} lent the money for it.",
            ],
        },
        Passage {
            train: &[
                "[It was founded|The furnaces were lit for the first time] in {founded}, [it was relocated|the machines were carried to a larger site] in {moved}, and [it was closed|the last wages were paid] in {closed}.",
                "[It was closed|The last wages were paid] in {closed}; [it was relocated|the machines were carried to a larger site] in {moved}, and [it was founded|the furnaces were lit for the first time] in {founded}.",
                "[It was relocated|The machines were carried to a larger site] in {moved}, [it was closed|the last wages were paid] in {closed}, and [it was founded|the furnaces were lit for the first time] in {founded}.",
                "[It was founded|The furnaces were lit for the first time] in {founded} and [it was closed|the last wages were paid] in {closed}, and [it was relocated|the machines were carried to a larger site] in {moved}.",
            ],
            validation: &[
                "In {moved} the machines were carried to a larger site, in {founded} the furnaces were lit for the first time, and in {closed} the last wages were paid.",
                "In {closed} the last wages were paid; in {founded} the furnaces were lit for the first time, and in {moved} the machines were carried to a larger site.",
            ],
        },
    ],
    relations: &[
        ask(
            "founder",
            Person,
            &[
                "Who opened the first workshop of {name}?",
                "Who [founded|established] {name}?",
                "Who was the founder of {name}?",
                "By whom was {name} founded?",
                "Which person [founded|established] {name}?",
                "Who was [known|remembered] as the founder of {name}?",
            ],
            &[
                "By whom was {name} established?",
                "Can you name the founder of {name}?",
                "Who was it that founded {name}?",
                "Which [man or woman] established the company {name}?",
            ],
        ),
        ask(
            "backer",
            Person,
            &[
                "Who lent the money to {name}?",
                "Who [financed|funded] {name}?",
                "Who was the [financier|financial backer] of {name}?",
                "By whom was {name} financed?",
                "Which person [financed|funded] {name}?",
                "Who was [known|remembered] as the financier of {name}?",
            ],
            &[
                "By whom was {name} funded?",
                "Can you name the financier of {name}?",
                "Who was it that financed {name}?",
                "Which [man or woman] funded the company {name}?",
            ],
        ),
        ask(
            "successor",
            Person,
            &[
                "Who took over the keys of {name}?",
                "Who was the [successor|second owner] at {name}?",
                "Who succeeded the [first|old] owner of {name}?",
                "By whom was the owner of {name} succeeded?",
                "Which person became the second owner of {name}?",
                "Who was [known|remembered] as the successor at {name}?",
            ],
            &[
                "Can you name the second owner of {name}?",
                "Who was it that succeeded the owner of {name}?",
                "Which person was the successor at the company {name}?",
                "Who succeeded as [head|director] of {name}?",
            ],
        ),
        ask(
            "founded",
            Year,
            &[
                "When were the furnaces of {name} lit for the first time?",
                "When was {name} [founded|established]?",
                "In what year was {name} founded?",
                "What year saw the foundation of {name}?",
                "When did {name} start production?",
                "What is the year of the foundation of {name}?",
            ],
            &[
                "In what year was {name} established?",
                "In which year did {name} start production?",
                "What is the founding year of {name}?",
                "When did the foundation of {name} take place?",
            ],
        ),
        ask(
            "moved",
            Year,
            &[
                "When were the machines of {name} carried to a larger site?",
                "When did {name} [move|relocate]?",
                "In what year did {name} move?",
                "What year saw the [move|relocation] of {name}?",
                "When was {name} relocated?",
                "What is the year of the move of {name}?",
            ],
            &[
                "In which year did {name} relocate?",
                "What is the year of the relocation of {name}?",
                "When did the move of {name} take place?",
                "In what year was the company {name} moved?",
            ],
        ),
        ask(
            "closed",
            Year,
            &[
                "When were the last wages of {name} paid?",
                "When did {name} [close|shut down]?",
                "In what year was {name} closed?",
                "What year saw the closure of {name}?",
                "When was {name} [closed|shut down]?",
                "What is the year of the end of {name}?",
            ],
            &[
                "In which year did {name} shut down?",
                "What is the year of the closure of {name}?",
                "When did the closure of {name} take place?",
                "What year saw the end of the company {name}?",
            ],
        ),
    ],
};
