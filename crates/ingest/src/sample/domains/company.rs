//! A manufacturer: who stood behind it, when it worked, what it sold.

use super::{Domain, Passage, ask};
use crate::sample::vocabulary::Kind::{Goods, Person, Year};

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
                "{founder} opened the first workshop, {backer} [lent the money for it|paid for the machines], and {successor} took over [the management|the office] a generation later.",
                "With capital put up by {backer}, {founder} began making wares [on a small scale|in a rented shed]; [in old age|in the end] the keys were handed on to {successor}.",
                "{successor} inherited a [sound|thriving] concern, which {founder} had begun [from nothing|in a shed] and {backer} had [bankrolled|kept in credit] from the first day.",
                "The money was {backer}'s, the idea and the first workshop were {founder}'s, and {successor} was put in charge when a younger hand was needed.",
            ],
            validation: &[
                "What {founder} had begun in one rented room, on a loan from {backer}, was [after many years|in due course] taken over by {successor}.",
                "{backer} paid for the tools with which {founder} opened a workshop, and it was {successor} who inherited the whole.",
            ],
        },
        Passage {
            train: &[
                "Work began in {founded}, the machines were carried to a larger site in {moved}, and the last wages were paid in {closed}.",
                "The furnaces went cold for good in {closed}, having been lit for the first time in {founded} and transferred to roomier premises in {moved}.",
                "After its beginnings in {founded} the whole plant changed its address in {moved}, and in {closed} it was wound up.",
                "The first order was filled in {founded} and the very last in {closed}; everything had been carted across town to a larger yard in {moved}.",
            ],
            validation: &[
                "It began work in {founded}, was carried over to a bigger site in {moved}, and locked its gates for good in {closed}.",
                "Having changed its address in {moved}, it paid its last wages in {closed}; the first had been paid in {founded}.",
            ],
        },
        Passage {
            train: &[
                "Its earliest line was {initial}, its fortune came from {bestseller}, and {dropped} were given up [as unprofitable|because nobody bought them].",
                "Although it had begun with {initial}, most of the income came from {bestseller}, while {dropped} proved a costly mistake and were abandoned.",
                "An attempt with {dropped} was soon abandoned; the catalogue, which at the outset listed only {initial}, was carried by the success of {bestseller}.",
                "Customers queued for {bestseller}, but {dropped} stayed on the shelves and were withdrawn, and by then few remembered the earliest line, which was {initial}.",
            ],
            validation: &[
                "Customers could not get enough of {bestseller}, whereas {dropped} were soon given up; the earliest catalogue listed only {initial}.",
                "The earliest line had been {initial}, and although {dropped} were a costly mistake, a fortune was made with {bestseller}.",
            ],
        },
    ],
    relations: &[
        ask(
            "founder",
            Person,
            &[
                "Who [founded|established|set up] {name}?",
                "Which person [created|launched] the [firm|company|business]?",
                "By whom was {name} [founded|created|established]?",
                "Who was the [original owner|founding father|creator] of the [firm|business]?",
                "Whose initiative brought the [company|firm] into being?",
            ],
            &[
                "Who was the founder of {name}?",
                "To whom does the [company|firm] owe its existence?",
                "Who got {name} off the ground?",
            ],
        ),
        ask(
            "backer",
            Person,
            &[
                "Who [financed|funded] {name}?",
                "Which [investor|financier] stood behind the [firm|company]?",
                "Whose [savings|funds|wealth] made {name} possible?",
                "Who was the [financial supporter|financier] of the business?",
                "By whom was the [firm|company] [financed|funded]?",
            ],
            &[
                "Who invested in {name}?",
                "Who was the source of the company's [funding|finance]?",
                "Which person gave financial help to the [firm|business]?",
            ],
        ),
        ask(
            "successor",
            Person,
            &[
                "Who [succeeded|followed] {founder} as head of the [firm|company]?",
                "Who became the [next|second] [head|director|owner] of {name}?",
                "Which person [led|ran|directed] the [firm|business] in its later years?",
                "By whom was {name} [headed|led] afterwards?",
                "Who was the [heir|successor] to the [company|business]?",
            ],
            &[
                "Who replaced the original head of {name}?",
                "Who was the later [director|leader] of the [company|firm]?",
                "Who came next as owner of {name}?",
            ],
        ),
        ask(
            "founded",
            Year,
            &[
                "When was {name} [founded|established|set up]?",
                "In what year was the [firm|company] [launched|created]?",
                "What year saw the [birth|foundation] of {name}?",
                "From what year does the [business|company] date?",
            ],
            &[
                "When did {name} come into existence?",
                "What is the founding year of the [firm|company]?",
                "In which year did the business get under way?",
            ],
        ),
        ask(
            "moved",
            Year,
            &[
                "When did {name} [move|relocate]?",
                "In what year did the [firm|company] [move to|settle in] new [quarters|buildings]?",
                "What year saw the [relocation|move|removal] of {name}?",
                "When was the business [moved|relocated] elsewhere?",
            ],
            &[
                "In which year was the company's production relocated?",
                "When did {name} find a new home?",
                "What is the year of the firm's move?",
            ],
        ),
        ask(
            "closed",
            Year,
            &[
                "When did {name} [close|shut down|cease trading]?",
                "In what year did the [firm|company] go out of business?",
                "What year saw the [end|closure|liquidation] of {name}?",
                "When did production at the [company|firm] [end|stop]?",
            ],
            &[
                "When was {name} dissolved?",
                "What was the final year of the [business|company]?",
                "In which year did the firm come to an end?",
            ],
        ),
        ask(
            "initial",
            Goods,
            &[
                "What did {name} [make|produce|sell] [originally|initially]?",
                "Which [goods|products] did the [firm|company] start out with?",
                "What was the [original|initial|first] product of {name}?",
                "What was [produced|sold] by the [firm|business] at the very start?",
            ],
            &[
                "Which product came first for {name}?",
                "What were the original goods of the [company|firm]?",
                "What did the business produce to start with?",
            ],
        ),
        ask(
            "bestseller",
            Goods,
            &[
                "What was the [most popular|best-selling|most profitable] product of {name}?",
                "Which [goods|products] earned the [firm|company] the most?",
                "What made {name} [rich|prosperous|famous]?",
                "Which [goods|products] sold best for the [business|company]?",
            ],
            &[
                "What did {name} sell most successfully?",
                "Which of the company's products was the most popular with the public?",
                "What brought the firm its [greatest|main] profit?",
            ],
        ),
        ask(
            "dropped",
            Goods,
            &[
                "What did {name} stop [making|producing|selling]?",
                "Which [goods|products] were a [failure|flop] for the [firm|company]?",
                "What was the least [successful|popular] product of {name}?",
                "Which [goods|products] did the [business|firm] fail to sell?",
            ],
            &[
                "Which product of {name} sold badly?",
                "What did the company cease to produce?",
                "Which unsuccessful goods did the firm discontinue?",
            ],
        ),
    ],
};
