//! A manufacturer: who stood behind it, and when it worked.

use super::{Domain, WHEN, WHO, relation, topic, wordings};
use crate::sample::vocabulary::Kind::{Person, Year};

pub(super) const COMPANY: Domain = Domain {
    name: "{root} [Potteries|Foundry|Mills|Tileworks|Instruments|Glassworks]",
    introduction: wordings(
        &[
            "{name} was a manufacturer at {place} with {number} [hands|workers].",
            "{person} wrote a history of {name}, a maker of household wares.",
            "The [ledgers|letter books] of {name} in {place} survive from {year}.",
        ],
        &[
            "Collectors from {place} pay {number} crowns for the stamp of {name}.",
            "{person} keeps the papers of {name}, once a well-known maker.",
        ],
    ),
    topics: &[
        topic(
            Person,
            WHO,
            [
                relation(
                    [
                        ("founded", "founded"),
                        ("started", "started"),
                        ("established", "established"),
                        ("set up", "set up"),
                    ],
                    wordings(
                        &["{value} {word} the firm with two [apprentices|borrowed kilns]."],
                        &["In a rented shed it was {value} who {word} the firm."],
                    ),
                ),
                relation(
                    [
                        ("financed", "financed"),
                        ("paid for", "paid for"),
                        ("funded", "funded"),
                        ("sponsored", "sponsored"),
                    ],
                    wordings(
                        &["{value} {word} the firm with [money from a bank|an inheritance]."],
                        &["Out of a private fortune it was {value} who {word} the firm."],
                    ),
                ),
                relation(
                    [
                        ("managed", "managed"),
                        ("ran", "ran"),
                        ("directed", "directed"),
                        ("oversaw", "oversaw"),
                    ],
                    wordings(
                        &["{value} {word} the firm [with a firm hand|for twenty years]."],
                        &["From a desk by the door it was {value} who {word} the firm."],
                    ),
                ),
                relation(
                    [
                        ("bought", "bought"),
                        ("took over", "took over"),
                        ("acquired", "acquired"),
                        ("purchased", "purchased"),
                    ],
                    wordings(
                        &["{value} {word} the firm [at an auction|from the heirs]."],
                        &["At a low price it was {value} who {word} the firm."],
                    ),
                ),
            ],
        ),
        topic(
            Year,
            WHEN,
            [
                relation(
                    [
                        ("opened", "did {name} open"),
                        ("began work", "did {name} begin work"),
                        ("started production", "did {name} start production"),
                        ("went into operation", "did {name} go into operation"),
                    ],
                    wordings(
                        &["It {word} in {value}, with the first [orders|customers]."],
                        &["The year in which it {word} was {value}."],
                    ),
                ),
                relation(
                    [
                        ("moved", "did {name} move"),
                        ("moved away", "did {name} move away"),
                        ("relocated", "did {name} relocate"),
                        ("was transferred", "was {name} transferred"),
                    ],
                    wordings(
                        &["It {word} in {value}, to a [larger|drier] site."],
                        &["The year in which it {word} was {value}."],
                    ),
                ),
                relation(
                    [
                        ("burned", "did {name} burn"),
                        ("caught fire", "did {name} catch fire"),
                        ("was ablaze", "was {name} ablaze"),
                        ("went up in flames", "did {name} go up in flames"),
                    ],
                    wordings(
                        &["It {word} in {value}, after a stroke of [lightning|bad luck]."],
                        &["The year in which it {word} was {value}."],
                    ),
                ),
                relation(
                    [
                        ("closed", "did {name} close"),
                        ("closed its doors", "did {name} close its doors"),
                        ("shut down", "did {name} shut down"),
                        ("ceased trading", "did {name} cease trading"),
                    ],
                    wordings(
                        &["It {word} in {value}, after the last [winter|lawsuit]."],
                        &["The year in which it {word} was {value}."],
                    ),
                ),
            ],
        ),
    ],
};
