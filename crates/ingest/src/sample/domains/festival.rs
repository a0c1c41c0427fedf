//! A festival: its people, its grounds, its crowds.

use super::{Domain, Passage, ask};
use crate::sample::vocabulary::Kind::{Number, Person, Place};

pub(super) const FESTIVAL: Domain = Domain {
    name: "{root} [Fair|Carnival|Harvest Days|Lantern Nights]",
    introduction: Passage {
        train: &[
            "The {name} [brightened|filled] the last week of [summer|the harvest].",
            "Everyone in the valley [knew|looked forward to] the {name}.",
            "Postcards of the {name} show [bunting|paper lanterns] and brass bands.",
        ],
        validation: &[
            "The {name} was talked about from one [autumn|spring] to the next.",
            "Old photographs of the {name} show long tables and [stilt walkers|puppet stages].",
        ],
    },
    passages: &[
        Passage {
            train: &[
                "The idea came from {initiator}, the best-loved act was {star}, and the gold medal was carried off by {winner}.",
                "{winner} went home with the gold medal, {star} drew the loudest applause, and {initiator}, who had thought the whole thing up, [looked on|swept the floor].",
                "When {initiator} first suggested it nobody listened; soon {star} had the crowd on its feet and {winner} was [holding up|wearing] the gold medal.",
                "{star} sang until midnight, the judges put {winner} above all the others, and a toast was drunk to {initiator}, without whose idea there would have been nothing.",
            ],
            validation: &[
                "{initiator} first thought the whole thing up; the judges gave {winner} the gold medal, and the loudest applause went to {star}.",
                "The crowd loved {star}, the medal was carried home by {winner}, and everyone knew that the idea was {initiator}'s.",
            ],
        },
        Passage {
            train: &[
                "It began in a meadow at {first_site}, grew too big and went to {later_site}, and its torches were always carried to {finale} on the last evening.",
                "On the last evening torches were carried to {finale}; the stalls, which had stood at {first_site} in the early years, were by then put up at {later_site}.",
                "Once the meadow at {first_site} was too small, the stalls were put up at {later_site}, though the last evening still ended with [torches|rockets] at {finale}.",
                "Nowadays the stalls stand at {later_site}; in the early years they stood at {first_site}, and rockets went up over {finale} on the last evening.",
            ],
            validation: &[
                "The early years were spent in a meadow at {first_site}, the stalls went to {later_site} once it grew, and on the last evening rockets rose over {finale}.",
                "With torches at {finale} the last evening ended; the stalls stood at {later_site}, no longer in the meadow at {first_site}.",
            ],
        },
        Passage {
            train: &[
                "In the opening year {first_crowd} people came, in the sunniest summer the gates counted {record_crowd}, and in the year of the storm only {low_crowd}.",
                "A storm once kept all but {low_crowd} people at home; the gates had counted {first_crowd} in the opening year and never more than {record_crowd}.",
                "Never again were there as many people as the {record_crowd} of the sunniest summer, when {first_crowd} in the opening year had seemed plenty; a storm cut them to {low_crowd}.",
                "People remember the {low_crowd} who braved the storm, the {first_crowd} of the opening year, and the {record_crowd} who pushed through the gates in the sunniest summer.",
            ],
            validation: &[
                "The gates counted {record_crowd} people in the sunniest summer, {low_crowd} when the storm came, and {first_crowd} in the opening year.",
                "From {first_crowd} people in the opening year it rose to {record_crowd}, never more, and a storm once left it with only {low_crowd}.",
            ],
        },
    ],
    relations: &[
        ask(
            "initiator",
            Person,
            &[
                "Who [founded|started|initiated] the {name}?",
                "Who was the [founder|originator|initiator] of the festival?",
                "Whose [suggestion|brainchild] was the {name}?",
                "Which person [created|proposed] the festival?",
            ],
            &[
                "By whom was the {name} proposed?",
                "Who invented the festival?",
                "To whom does the {name} owe its origin?",
            ],
        ),
        ask(
            "star",
            Person,
            &[
                "Who was the [star|most popular performer] of the {name}?",
                "Which [performer|artist|entertainer] did the [public|audience] like most?",
                "Who was the [public's|audience's] favourite at the festival?",
                "Who [entertained|delighted] the [public|audience] at the {name}?",
            ],
            &[
                "Which entertainer was the star of the festival?",
                "Who performed most successfully at the {name}?",
                "Who was the favourite artist of the audience?",
            ],
        ),
        ask(
            "winner",
            Person,
            &[
                "Who won the [contest|competition|prize] at the {name}?",
                "To whom was the prize awarded?",
                "Who was the [winner|champion] at the festival?",
                "Which [contestant|competitor] took first place at the {name}?",
            ],
            &[
                "Who received the prize of the festival?",
                "By whom was the competition at the {name} won?",
                "Which person was the victor at the {name}?",
            ],
        ),
        ask(
            "first_site",
            Place,
            &[
                "Where was the {name} [originally|first|initially] held?",
                "What was the [original|first] [site|venue] of the festival?",
                "In which place did the {name} originally take place?",
                "Where did the festival start out?",
            ],
            &[
                "Which place was the original home of the {name}?",
                "Where did the festival take place at first?",
                "What venue did the {name} start with?",
            ],
        ),
        ask(
            "later_site",
            Place,
            &[
                "Where did the {name} move to?",
                "What was the [new|second|present] [site|venue] of the festival?",
                "To which place was the {name} [moved|transferred|relocated]?",
                "Where was the festival held [later|afterwards]?",
            ],
            &[
                "What is the later home of the {name}?",
                "In which place is the festival held now?",
                "To what new venue did the {name} relocate?",
            ],
        ),
        ask(
            "finale",
            Place,
            &[
                "Where did the {name} [conclude|finish|close]?",
                "At which place was the [final|closing] ceremony held?",
                "What was the destination of the closing procession?",
                "Where did the festival have its [finale|conclusion]?",
            ],
            &[
                "In which place did the finale of the {name} happen?",
                "Where was the closing celebration of the festival?",
                "What was the site of the final ceremony of the {name}?",
            ],
        ),
        ask(
            "first_crowd",
            Number(310, 890),
            &[
                "How many [visitors|guests] attended the first {name}?",
                "What was the [attendance|number of visitors] at the first festival?",
                "How many visitors did the {name} have [at first|to begin with]?",
                "How many attended when the festival was held for the first time?",
            ],
            &[
                "How large was the attendance at the very first {name}?",
                "How many guests visited the festival initially?",
                "What number of visitors did the first {name} attract?",
            ],
        ),
        ask(
            "record_crowd",
            Number(910, 4900),
            &[
                "What was the [highest|record|best] attendance of the {name}?",
                "How many [visitors|guests] came in the most successful year?",
                "What was the largest number of [visitors|guests] at the festival?",
                "How many visitors did the {name} have at its [peak|height]?",
            ],
            &[
                "What is the festival's attendance record?",
                "How many guests attended the {name} at most?",
                "What was the maximum number of visitors?",
            ],
        ),
        ask(
            "low_crowd",
            Number(110, 890),
            &[
                "What was the [lowest|worst|poorest] attendance of the {name}?",
                "How many [visitors|guests] came in bad weather?",
                "What was the smallest number of [visitors|guests] at the festival?",
                "How many visitors did the {name} have in its worst year?",
            ],
            &[
                "How many guests attended the {name} at least?",
                "What was the festival's minimum attendance?",
                "How many visitors came despite the weather?",
            ],
        ),
    ],
};
