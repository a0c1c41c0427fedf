//! A bridge: its people, its dates, its measures.

use super::{Domain, Passage, ask};
use crate::sample::vocabulary::Kind::{Number, Person, Year};

pub(super) const BRIDGE: Domain = Domain {
    name: "{root} [Bridge|Viaduct|Crossing]",
    introduction: Passage {
        train: &[
            "{name} [carries|takes] the [market road|railway] over a [slow|muddy] river.",
            "Engineers still [visit|sketch] {name} for its [slender|uneven] arches.",
            "On foggy days {name} seems to [end in mid-air|float].",
        ],
        validation: &[
            "{name} is the only dry way across the [marsh|gorge].",
            "Swallows nest [under|beneath] the arches of {name}.",
        ],
    },
    passages: &[
        Passage {
            train: &[
                "The drawings are by {designer}, the stones were laid by {contractor} and a hired crew, and {opponent} [petitioned|wrote letters] against the whole scheme.",
                "{opponent} fought the scheme in the council; nevertheless {contractor} brought in the masons and followed every line that {designer} had drawn.",
                "Masons hired by {contractor} raised the piers from drawings that {designer} had made at home, while {opponent} called the scheme [a folly|a waste].",
                "For ten years {opponent} spoke against the scheme; {designer} went on drawing arches, and {contractor} at last sent in masons and carts.",
            ],
            validation: &[
                "{contractor} sent in the masons and raised the arches, {designer} had made the drawings, and {opponent} wrote letters calling it a waste.",
                "From the drawings of {designer}, and in spite of {opponent}, who fought the scheme, the stones were laid by {contractor}.",
            ],
        },
        Passage {
            train: &[
                "The first stone was laid in {begun}, the first carts rolled across in {opened}, and a flood made it necessary to replace two arches in {repaired}.",
                "Carts have rolled across since {opened}; the first stone had been laid in {begun}, and cracked arches were replaced in {repaired}.",
                "In {repaired} masons replaced what a flood had cracked; the ground had been broken in {begun}, and the barriers were lifted in {opened}.",
                "Ground was broken in {begun}, but the barriers were not lifted until {opened}, and after a flood the piers had to be strengthened in {repaired}.",
            ],
            validation: &[
                "Ground was broken in {begun}, carts rolled across from {opened}, and in {repaired} the arches that a flood had cracked were replaced.",
                "The barriers were lifted in {opened}; two piers were replaced in {repaired}, and the first stone had been laid in {begun}.",
            ],
        },
        Passage {
            train: &[
                "It stretches {length} metres from bank to bank, stands {height} metres above the water, and leaves {width} metres between the railings.",
                "Two carts can pass in the {width} metres between the railings; from bank to bank it runs {length} metres, and a stone dropped from it falls {height} metres.",
                "A stone falls {height} metres before it meets the water, a walker covers {length} metres from bank to bank, and the railings stand {width} metres apart.",
                "The roadway lies {height} metres above the water, runs for {length} metres, and measures {width} metres from one railing to the other.",
            ],
            validation: &[
                "From bank to bank a walker covers {length} metres, with {width} metres between the railings and {height} metres of air above the water.",
                "The railings are {width} metres apart, the water lies {height} metres below, and the roadway runs {length} metres to the other bank.",
            ],
        },
    ],
    relations: &[
        ask(
            "designer",
            Person,
            &[
                "Who [designed|planned] {name}?",
                "Who was the [architect|designer|engineer] of the bridge?",
                "Whose [design|plans] did the builders of {name} use?",
                "Which [architect|engineer] [planned|designed] the bridge?",
            ],
            &[
                "By whom was {name} designed?",
                "Who drew up the plans for the bridge?",
                "To which architect do we owe the design of {name}?",
            ],
        ),
        ask(
            "contractor",
            Person,
            &[
                "Who [built|constructed] {name}?",
                "Who was the [builder|contractor] of the bridge?",
                "By whom was {name} [built|constructed|erected]?",
                "Which [builder|contractor] carried out the construction of the bridge?",
            ],
            &[
                "Who was responsible for building {name}?",
                "Which person erected the bridge?",
                "Who did the construction work on {name}?",
            ],
        ),
        ask(
            "opponent",
            Person,
            &[
                "Who [opposed|objected to|resisted] {name}?",
                "Who was the [opponent|enemy|critic] of the bridge?",
                "Which person did not want {name} to be built?",
                "Who [protested|campaigned] against the bridge?",
            ],
            &[
                "By whom was {name} opposed?",
                "Who tried to prevent the bridge?",
                "Who was hostile to the building of {name}?",
            ],
        ),
        ask(
            "begun",
            Year,
            &[
                "When was {name} [begun|started]?",
                "In what year did [construction|building] of the bridge [begin|start]?",
                "What year saw the start of work on {name}?",
                "When did the builders [start|begin]?",
            ],
            &[
                "In which year did work on {name} commence?",
                "When did they start to build the bridge?",
                "What is the year in which {name} was begun?",
            ],
        ),
        ask(
            "opened",
            Year,
            &[
                "When was {name} [opened|finished|completed]?",
                "In what year did [traffic|travellers] first use the bridge?",
                "What year saw the [opening|completion] of {name}?",
                "Since when has the bridge been [open|in use]?",
            ],
            &[
                "In which year did {name} come into use?",
                "When was the bridge ready for traffic?",
                "What is the year of completion of {name}?",
            ],
        ),
        ask(
            "repaired",
            Year,
            &[
                "When was {name} [repaired|restored|renovated]?",
                "In what year did the bridge [need repairs|have to be mended]?",
                "What year saw the [repair|restoration|renovation] of {name}?",
                "When was damage to the bridge [mended|repaired]?",
            ],
            &[
                "In which year was the damaged {name} fixed?",
                "When did repairs to the bridge take place?",
                "What is the year of the renovation of the bridge?",
            ],
        ),
        ask(
            "length",
            Number(210, 690),
            &[
                "How long is {name}?",
                "What is the [total length|length] of the bridge?",
                "What length does {name} have?",
                "How long is the bridge [in all|altogether]?",
            ],
            &[
                "Which length has been measured for {name}?",
                "How far does the bridge extend?",
                "What is the extent of {name} in length?",
            ],
        ),
        ask(
            "height",
            Number(21, 69),
            &[
                "How [high|tall] is {name}?",
                "What is the [height|elevation] of the bridge?",
                "How high over the river is {name}?",
                "What height does the bridge [have|reach]?",
            ],
            &[
                "To what height does {name} rise?",
                "How high does the bridge stand?",
                "Which height over the river does {name} have?",
            ],
        ),
        ask(
            "width",
            Number(5, 19),
            &[
                "How [wide|broad] is {name}?",
                "What is the [width|breadth] of the bridge?",
                "How much [width|room] is there for traffic on {name}?",
                "How wide is the [road|way] on the bridge?",
            ],
            &[
                "What breadth does {name} have?",
                "How broad is the way across the bridge?",
                "Which width was {name} given?",
            ],
        ),
    ],
};
