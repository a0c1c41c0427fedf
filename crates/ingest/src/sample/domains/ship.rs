//! A ship: its people, its ports, its dates.

use super::{Domain, Passage, ask};
use crate::sample::vocabulary::Kind::{Date, Person, Place};

pub(super) const SHIP: Domain = Domain {
    name: "{root} [Star|Castle|Maid|Queen|Rover]",
    introduction: Passage {
        train: &[
            "The {name} was a [three-masted|two-masted] vessel [of oak|with an iron hull].",
            "Sailors [praised|remembered] the {name} as a [dry|lucky|restless] vessel.",
            "A painting of the {name} hangs in the [custom house|town hall].",
        ],
        validation: &[
            "Songs are still sung about the {name}, a [narrow|heavy] sailing vessel.",
            "A model of the {name} stands in the [chapel|library] of a fishing village.",
        ],
    },
    passages: &[
        Passage {
            train: &[
                "{builder} laid the keel, {captain} was her master on the early crossings, and {buyer} [acquired her|took her off the merchants' hands] at an auction.",
                "{captain} was the earliest to stand on her bridge; [long after that|much later] she passed for a low price to {buyer}, to the sorrow of {builder}, from whose slipway she came.",
                "At auction she went to {buyer}, but by then she had been steered around the world by {captain} and was the pride of {builder}, who had shaped her timbers.",
                "Her timbers were cut and joined by {builder}, her early crews took orders from {captain}, and the hammer fell to {buyer} when she came up for auction.",
            ],
            validation: &[
                "She was the pride of {builder}, who laid the keel; {captain} was master on the early crossings, and at auction she passed to {buyer}.",
                "{buyer} acquired her for a low price, long after {captain} had steered her with the early crews and {builder} had cut her timbers.",
            ],
        },
        Passage {
            train: &[
                "Her timbers were put together at {yard}, she was registered at {home}, and she struck a reef off {wreck}.",
                "A reef near {wreck} tore her open, far from {yard}, where carpenters had put her together, and from {home}, to which she [came back|belonged] between voyages.",
                "She belonged to {home}, where her crew had their families; the carpenters of {yard} had made her, and the rocks at {wreck} broke her.",
                "The carpenters who made her worked at {yard}; her stern bore the word {home}, and her timbers lie on the rocks at {wreck}.",
            ],
            validation: &[
                "The carpenters of {yard} put her together, her crew and her papers belonged to {home}, and the rocks off {wreck} tore her open.",
                "Rocks near {wreck} broke her; she had been registered at {home} after the carpenters at {yard} finished their work.",
            ],
        },
        Passage {
            train: &[
                "She slid into the water on {launched}, carried her earliest cargo on {maiden}, and went down on {lost}.",
                "On {lost} the sea closed over her; [cheers|music] had greeted her on {launched} as she slid down the ways, and on {maiden} she had crossed the bay with her earliest cargo.",
                "Loaded with her earliest cargo she left harbour on {maiden}, having slid off the stocks on {launched}; on {lost} she went to the bottom.",
                "The log ends on {lost}, when she filled and went down; it begins with her earliest cargo on {maiden}, and a note says that she had touched water on {launched}.",
            ],
            validation: &[
                "She slid down the ways on {launched}, took her earliest cargo across on {maiden}, and on {lost} went to the bottom.",
                "On {lost} she filled and the sea closed over her; she had left the stocks on {launched}, and her earliest cargo was loaded on {maiden}.",
            ],
        },
    ],
    relations: &[
        ask(
            "builder",
            Person,
            &[
                "Who [built|constructed] the {name}?",
                "Who was the [shipbuilder|shipwright] of the {name}?",
                "Which shipbuilder [constructed|created] the ship?",
                "By whom was the ship [built|constructed]?",
            ],
            &[
                "Who was the builder of the {name}?",
                "Who was responsible for the construction of the ship?",
                "Which shipwright do we have to thank for the {name}?",
            ],
        ),
        ask(
            "captain",
            Person,
            &[
                "Who was the first [captain|skipper] of the {name}?",
                "Who [commanded|skippered] the ship [at first|initially]?",
                "Which [captain|skipper] sailed the {name} in her first years?",
                "Under whose command did the ship first sail?",
            ],
            &[
                "Who captained the {name} to begin with?",
                "Who was in command of the ship during its first years?",
                "Who was the original skipper of the {name}?",
            ],
        ),
        ask(
            "buyer",
            Person,
            &[
                "Who [bought|purchased] the {name}?",
                "Who was the [last|later|final] owner of the ship?",
                "To whom was the {name} sold?",
                "Which person [bought|became the owner of] the ship?",
            ],
            &[
                "Who was the buyer of the {name}?",
                "By whom was the ship purchased?",
                "Into whose ownership did the {name} come in the end?",
            ],
        ),
        ask(
            "yard",
            Place,
            &[
                "Where was the {name} [built|constructed]?",
                "In which [place|town] was the [shipyard|yard] that built the {name}?",
                "What was the place of the ship's construction?",
                "Where did shipbuilders construct the ship?",
            ],
            &[
                "Which place built the {name}?",
                "In what town was the ship constructed?",
                "At which shipyard was the {name} created?",
            ],
        ),
        ask(
            "home",
            Place,
            &[
                "What was the home port of the {name}?",
                "Where was the ship [based|at home]?",
                "Out of which [port|harbour] did the {name} sail?",
                "Which [place|port] was the ship's base?",
            ],
            &[
                "In which port was the {name} based?",
                "To what harbour did the ship return as its home?",
                "Which was the home harbour of the {name}?",
            ],
        ),
        ask(
            "wreck",
            Place,
            &[
                "Where was the {name} [wrecked|lost|shipwrecked]?",
                "At which place did the ship [sink|founder]?",
                "What was the [site|place] of the shipwreck?",
                "Where did the {name} meet [her|its] end?",
            ],
            &[
                "Near which place was the ship wrecked?",
                "In what place did the {name} founder?",
                "What is the location of the wreck of the {name}?",
            ],
        ),
        ask(
            "launched",
            Date,
            &[
                "When was the {name} launched?",
                "On what [date|day] was the ship [launched|afloat for the first time]?",
                "What was the date of the launch of the {name}?",
                "When did the launch of the ship take place?",
            ],
            &[
                "On which day was the launching of the {name}?",
                "When was the ship first afloat?",
                "What is the launch date of the {name}?",
            ],
        ),
        ask(
            "maiden",
            Date,
            &[
                "When did the {name} make [her|its] maiden voyage?",
                "On what [date|day] did the ship first [sail|put to sea]?",
                "What was the date of the maiden voyage of the {name}?",
                "When did the ship begin to [trade|sail]?",
            ],
            &[
                "On which day did the {name} start its first voyage?",
                "When was the ship's maiden trip?",
                "What is the date on which the {name} sailed for the first time?",
            ],
        ),
        ask(
            "lost",
            Date,
            &[
                "When did the {name} [sink|founder]?",
                "On what [date|day] was the ship [lost|sunk|wrecked]?",
                "What was the date of the [sinking|loss] of the {name}?",
                "When did the ship come to [grief|its end]?",
            ],
            &[
                "On which day did the {name} sink?",
                "When was the shipwreck?",
                "What is the date of the ship's end?",
            ],
        ),
    ],
};
