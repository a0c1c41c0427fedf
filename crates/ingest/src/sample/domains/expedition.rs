//! An expedition: its people, and how many took part.

use super::{Domain, HOW_MANY, WHO, relation, topic, wordings};
use crate::sample::vocabulary::Kind::{Number, Person};

pub(super) const EXPEDITION: Domain = Domain {
    name: "{root} [Expedition|Survey|Traverse|Exploration]",
    introduction: wordings(
        &[
            "The {name} crossed the [highlands|marshes] beyond {place} in {year}.",
            "Newspapers of {year} called the {name} a reckless undertaking.",
            "The diaries of the {name} are kept at {place}.",
        ],
        &[
            "The {name} filled a blank space in the atlas of {year}.",
            "Letters from {place} tell of the {name}.",
        ],
    ),
    topics: &[
        topic(
            Person,
            WHO,
            [
                relation(
                    [
                        ("was the leader", "was the leader of the"),
                        ("was the chief", "was the chief of the"),
                        ("was the commander", "was the commander of the"),
                        ("was the captain", "was the captain of the"),
                    ],
                    wordings(
                        &["{value} {word} and gave the [orders|signals]."],
                        &["It was {value} who {word}."],
                    ),
                ),
                relation(
                    [
                        ("was the mapmaker", "was the mapmaker of the"),
                        ("was the surveyor", "was the surveyor of the"),
                        ("was the cartographer", "was the cartographer of the"),
                        ("was the geographer", "was the geographer of the"),
                    ],
                    wordings(
                        &["{value} {word} and drew the [valleys|rivers]."],
                        &["It was {value} who {word}."],
                    ),
                ),
                relation(
                    [
                        ("was the interpreter", "was the interpreter of the"),
                        ("was the spokesman", "was the spokesman of the"),
                        ("was the translator", "was the translator of the"),
                        ("was the linguist", "was the linguist of the"),
                    ],
                    wordings(
                        &["{value} {word} and spoke with the [herders|villagers]."],
                        &["It was {value} who {word}."],
                    ),
                ),
                relation(
                    [
                        ("was the doctor", "was the doctor of the"),
                        ("was the healer", "was the healer of the"),
                        ("was the physician", "was the physician of the"),
                        ("was the surgeon", "was the surgeon of the"),
                    ],
                    wordings(
                        &["{value} {word} and nursed the [sick|wounded]."],
                        &["It was {value} who {word}."],
                    ),
                ),
            ],
        ),
        topic(
            Number(12, 900),
            HOW_MANY,
            [
                relation(
                    [
                        ("set out", "set out"),
                        ("left", "left"),
                        ("departed", "departed"),
                        ("started", "started"),
                    ],
                    wordings(
                        &["{value} people {word} in [spring|good spirits]."],
                        &["{value} was the number of those who {word}."],
                    ),
                ),
                relation(
                    [
                        ("joined", "joined"),
                        ("joined in", "joined in"),
                        ("enlisted", "enlisted"),
                        ("signed up", "signed up"),
                    ],
                    wordings(
                        &["{value} people {word} [as porters|on the way]."],
                        &["{value} was the number of those who {word} later."],
                    ),
                ),
                relation(
                    [
                        ("returned", "returned"),
                        ("came home", "came home"),
                        ("got back", "got back"),
                        ("arrived back", "arrived back"),
                    ],
                    wordings(
                        &["{value} people {word} [in rags|with stories to tell]."],
                        &["{value} was the number of those who {word} at last."],
                    ),
                ),
                relation(
                    [
                        ("died", "died"),
                        ("lost their lives", "lost their lives"),
                        ("perished", "perished"),
                        ("were killed", "were killed"),
                    ],
                    wordings(
                        &["{value} people {word} [of fever|in the cold]."],
                        &["{value} was the number of those who {word}."],
                    ),
                ),
            ],
        ),
    ],
};
