//! A ship: where it was at home, and its dates.

use super::{Domain, WHERE, WHICH_DAY, relation, topic, wordings};
use crate::sample::vocabulary::Kind::{Date, Place};

pub(super) const SHIP: Domain = Domain {
    name: "{root} [Star|Castle|Maid|Queen|Rover]",
    introduction: wordings(
        &[
            "The {name} had {number} [sails|berths] and an iron hull.",
            "{person} [praised|admired] the {name} in a letter from {year}.",
            "A painting of the {name} by {person} hangs in the town hall.",
        ],
        &[
            "{person} wrote a song about the {name}.",
            "A model of the {name} with {number} guns stands in the chapel.",
        ],
    ),
    topics: &[
        topic(
            Place,
            WHERE,
            [
                relation(
                    [
                        ("was built", "was the {name} built"),
                        ("was put together", "was the {name} put together"),
                        ("was constructed", "was the {name} constructed"),
                        ("was assembled", "was the {name} assembled"),
                    ],
                    wordings(
                        &["She {word} at {value} by [forty carpenters|a master shipwright]."],
                        &["The yard where she {word} was at {value}."],
                    ),
                ),
                relation(
                    [
                        ("was based", "was the {name} based"),
                        ("was at home", "was the {name} at home"),
                        ("was stationed", "was the {name} stationed"),
                        ("was registered", "was the {name} registered"),
                    ],
                    wordings(
                        &["She {word} at {value} for [most of her years|three decades]."],
                        &["The port where she {word} was {value}."],
                    ),
                ),
                relation(
                    [
                        ("was repaired", "was the {name} repaired"),
                        ("was mended", "was the {name} mended"),
                        ("was overhauled", "was the {name} overhauled"),
                        ("was refitted", "was the {name} refitted"),
                    ],
                    wordings(
                        &["She {word} at {value} after a [collision|hard crossing]."],
                        &["The dock where she {word} was at {value}."],
                    ),
                ),
                relation(
                    [
                        ("sank", "did the {name} sink"),
                        ("was wrecked", "was the {name} wrecked"),
                        ("ran aground", "did the {name} run aground"),
                        ("capsized", "did the {name} capsize"),
                    ],
                    wordings(
                        &["She {word} at {value} in a [gale|dense fog]."],
                        &["The bay where she {word} was off {value}."],
                    ),
                ),
            ],
        ),
        topic(
            Date,
            WHICH_DAY,
            [
                relation(
                    [
                        ("was ordered", "was the {name} ordered"),
                        ("was requested", "was the {name} requested"),
                        ("was commissioned", "was the {name} commissioned"),
                        ("was contracted", "was the {name} contracted"),
                    ],
                    wordings(
                        &["She {word} on {value} by a [merchant|shipping line]."],
                        &["The day on which she {word} was {value}."],
                    ),
                ),
                relation(
                    [
                        ("was launched", "was the {name} launched"),
                        ("left the slipway", "did the {name} leave the slipway"),
                        ("was set afloat", "was the {name} set afloat"),
                        ("took to the water", "did the {name} take to the water"),
                    ],
                    wordings(
                        &["She {word} on {value} with [flags|a brass band]."],
                        &["The day on which she {word} was {value}."],
                    ),
                ),
                relation(
                    [
                        ("was captured", "was the {name} captured"),
                        ("was taken by force", "was the {name} taken by force"),
                        ("was seized", "was the {name} seized"),
                        ("was hijacked", "was the {name} hijacked"),
                    ],
                    wordings(
                        &["She {word} on {value} by [pirates|an enemy frigate]."],
                        &["The day on which she {word} was {value}."],
                    ),
                ),
                relation(
                    [
                        ("was sold", "was the {name} sold"),
                        ("was sold off", "was the {name} sold off"),
                        ("was auctioned", "was the {name} auctioned"),
                        ("was handed to a dealer", "was the {name} handed to a dealer"),
                    ],
                    wordings(
                        &["She {word} on {value} for [scrap|a good price]."],
                        &["The day on which she {word} was {value}."],
                    ),
                ),
            ],
        ),
    ],
};
