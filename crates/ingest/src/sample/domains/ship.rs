//! A ship: where it was at home, and its dates.

use super::{Domain, Passage, ask};
use crate::sample::vocabulary::Kind::{Date, Place};

pub(super) const SHIP: Domain = Domain {
    name: "{root} [Star|Castle|Maid|Queen|Rover]",
    introduction: Passage {
        train: &[
            "The {name} was a [three-masted|two-masted] vessel [of oak|with an iron hull].",
            "Sailors [praised|admired] the {name} as a [dry|lucky|restless] vessel.",
            "A painting of the {name} hangs in the [custom house|town hall].",
        ],
        validation: &[
            "Songs are still sung about the {name}, a [narrow|heavy] vessel.",
            "A model of the {name} stands in the [chapel|library] of a fishing village.",
        ],
    },
    passages: &[
        Passage {
            train: &[
                "[She was built|Carpenters put her together] at {yard}, [she was based|her crew had their families] at {home}, and [she was wrecked|a reef tore her open] at {wreck}.",
                "[She was wrecked|A reef tore her open] at {wreck}; [she was based|her crew had their families] at {home}, and [she was built|carpenters put her together] at {yard}.",
                "[She was based|Her crew had their families] at {home}, [she was wrecked|a reef tore her open] at {wreck}, and [she was built|carpenters put her together] at {yard}.",
                "[She was built|Carpenters put her together] at {yard} and [she was wrecked|a reef tore her open] at {wreck}, and [she was based|her crew had their families] at {home}.",
            ],
            validation: &[
                "At {home} her crew had their families, at {yard} carpenters put her together, and at {wreck} a reef tore her open.",
                "At {wreck} a reef tore her open; at {yard} carpenters put her together, and at {home} her crew had their families.",
            ],
        },
        Passage {
            train: &[
                "[She was launched|She slid into the water] on {launched}, [she made her maiden voyage|she carried her earliest cargo] on {maiden}, and [she was sunk|she went to the bottom] on {lost}.",
                "[She was sunk|She went to the bottom] on {lost}; [she made her maiden voyage|she carried her earliest cargo] on {maiden}, and [she was launched|she slid into the water] on {launched}.",
                "[She made her maiden voyage|She carried her earliest cargo] on {maiden}, [she was sunk|she went to the bottom] on {lost}, and [she was launched|she slid into the water] on {launched}.",
                "[She was launched|She slid into the water] on {launched} and [she was sunk|she went to the bottom] on {lost}, and [she made her maiden voyage|she carried her earliest cargo] on {maiden}.",
            ],
            validation: &[
                "On {maiden} she carried her earliest cargo, on {launched} she slid into the water, and on {lost} she went to the bottom.",
                "On {lost} she went to the bottom; on {launched} she slid into the water, and on {maiden} she carried her earliest cargo.",
            ],
        },
    ],
    relations: &[
        ask(
            "yard",
            Place,
            &[
                "Where did carpenters put the {name} together?",
                "Where was the {name} [built|constructed]?",
                "In which place was the {name} built?",
                "What was the building place of the {name}?",
                "Where did the construction of the {name} take place?",
                "Which place [built|constructed] the {name}?",
            ],
            &[
                "In which place was the {name} constructed?",
                "Where was it that the {name} was built?",
                "What was the place of construction of the {name}?",
                "At which location did they build the {name}?",
            ],
        ),
        ask(
            "home",
            Place,
            &[
                "Where did the crew of the {name} have their families?",
                "What was the home port of the {name}?",
                "Where was the {name} [based|at home]?",
                "In which port was the {name} based?",
                "Where was the home port of the {name}?",
                "Which port was the home of the {name}?",
            ],
            &[
                "In which place did the {name} have its home port?",
                "At which port was the {name} at home?",
                "Where was it that the {name} was based?",
                "What was the name of the home port of the {name}?",
            ],
        ),
        ask(
            "wreck",
            Place,
            &[
                "Where did a reef tear the {name} open?",
                "Where was the {name} [wrecked|shipwrecked]?",
                "Near which place was the {name} wrecked?",
                "What was the place of the shipwreck of the {name}?",
                "Where did the shipwreck of the {name} take place?",
                "Which place saw the wreck of the {name}?",
            ],
            &[
                "Near which place was the {name} shipwrecked?",
                "Where was it that the {name} was wrecked?",
                "What was the location of the wreck of the {name}?",
                "At which place did the shipwreck of the {name} happen?",
            ],
        ),
        ask(
            "launched",
            Date,
            &[
                "When did the {name} slide into the water?",
                "When was the {name} launched?",
                "On what [date|day] was the {name} launched?",
                "What was the date of the launch of the {name}?",
                "When did the launch of the {name} take place?",
                "What was the launch date of the {name}?",
            ],
            &[
                "On which day did the launch of the {name} take place?",
                "When was it that the {name} was launched?",
                "On what date did they launch the {name}?",
                "What was the day of the launch of the {name}?",
            ],
        ),
        ask(
            "maiden",
            Date,
            &[
                "When did the {name} carry its earliest cargo?",
                "When did the {name} make its [maiden|first] voyage?",
                "On what [date|day] was the maiden voyage of the {name}?",
                "What was the date of the first voyage of the {name}?",
                "When did the [maiden|first] voyage of the {name} take place?",
                "On what [date|day] did the {name} begin its first voyage?",
            ],
            &[
                "On which day did the maiden voyage of the {name} take place?",
                "What was the date of the maiden voyage of the {name}?",
                "When was it that the {name} made its maiden voyage?",
                "On what date was the first voyage of the {name}?",
            ],
        ),
        ask(
            "lost",
            Date,
            &[
                "When did the {name} go to the bottom?",
                "When did the {name} sink?",
                "On what [date|day] was the {name} sunk?",
                "What was the date of the [sinking|loss] of the {name}?",
                "When did the [sinking|loss] of the {name} take place?",
                "On what [date|day] did the {name} sink?",
            ],
            &[
                "On which day did the sinking of the {name} take place?",
                "When was it that the {name} sank?",
                "On which day was the {name} sunk?",
                "What was the day of the loss of the {name}?",
            ],
        ),
    ],
};
