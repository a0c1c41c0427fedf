//! An opera: its people, its places, its dates.

use super::{Domain, Passage, ask};
use crate::sample::vocabulary::Kind::{Person, Place, Year};

pub(super) const OPERA: Domain = Domain {
    name: "The [Weavers|Lamplighter|Falconer|Bells|Drowned Garden] of {root}",
    introduction: Passage {
        train: &[
            "{name} is a [comic|tragic] opera in [two|three|four] acts.",
            "Critics [admire|quarrel over] {name}, an opera with [only five|seven] singing parts.",
            "The opera {name} is [rarely|often] given [in full|without cuts].",
        ],
        validation: &[
            "{name} is an opera that [divides|delights] its listeners.",
            "Of all operas of its time {name} has the [longest|strangest] overture.",
        ],
    },
    passages: &[
        Passage {
            train: &[
                "The melodies are by {composer}, the verses by {librettist}, and {singer} [filled the house with a great voice|took the bows at the footlights].",
                "{singer} [took the bows at the footlights|moved the gallery to tears]; {librettist} had supplied the verses, line by line, for {composer} to set to melodies.",
                "Every verse of it is by {librettist}, who quarrelled with {composer} over the melodies and with {singer}, whose voice filled the house, over the [costumes|bows].",
                "{composer} heard the melodies in a dream, or so said {singer}, whose voice [filled the house|moved the gallery], but {librettist} spent two years on the verses.",
            ],
            validation: &[
                "The verses were supplied by {librettist}, the voice that filled the house was {singer}'s, and {composer} is remembered for the melodies.",
                "{singer} stood at the footlights with a voice that moved the gallery, {composer} had dreamt the melodies, and {librettist} had spent years on the verses.",
            ],
        },
        Passage {
            train: &[
                "The curtain went up on it in {premiere}, although the story unfolds in {setting} and the manuscript came to light in {found}.",
                "An attic in {found} held the manuscript; the story unfolds in the streets of {setting}, and it was in {premiere} that the curtain first went up.",
                "Though its story unfolds in {setting}, the curtain first went up in {premiere}; the manuscript lay in a trunk in {found}.",
                "The streets on the stage are those of {setting}; the audience that saw the curtain go up sat in {premiere}, and in {found} a trunk gave up the manuscript.",
            ],
            validation: &[
                "Its story unfolds in {setting}, the curtain first went up in {premiere}, and the manuscript lay in an attic in {found}.",
                "A trunk in {found} held the manuscript; the curtain had gone up in {premiere}, on a stage painted with the streets of {setting}.",
            ],
        },
        Passage {
            train: &[
                "The last bar was written in {completed}, the audience first heard it in {performed}, and after a long silence it came back to the stage in {revived}.",
                "It came back to the stage in {revived}; the ink on the last bar had dried in {completed}, and the first audience had clapped in {performed}.",
                "The first audience clapped in {performed}, some time after the ink dried in {completed}, and in {revived} a new generation brought it back.",
                "Written out to the last bar by {completed}, it waited until {performed} for an audience, was forgotten, and came back in {revived}.",
            ],
            validation: &[
                "The ink dried on the last bar in {completed}; an audience first clapped in {performed}, and it was brought back to the stage in {revived}.",
                "Forgotten until it came back in {revived}, it was first heard by an audience in {performed} and written to the last bar in {completed}.",
            ],
        },
    ],
    relations: &[
        ask(
            "composer",
            Person,
            &[
                "Who [composed|wrote the music of] {name}?",
                "Who was the composer of the opera?",
                "By whom was the music of {name} [composed|written]?",
                "Which [composer|musician] created the opera?",
            ],
            &[
                "To which composer do we owe {name}?",
                "Who is the author of the opera's music?",
                "By whom was {name} composed?",
            ],
        ),
        ask(
            "librettist",
            Person,
            &[
                "Who wrote the [text|words|libretto] of {name}?",
                "Who was the [librettist|poet] of the opera?",
                "By whom was the [libretto|text] of {name} written?",
                "Which [writer|poet] provided the words?",
            ],
            &[
                "Who is the author of the opera's libretto?",
                "Which poet worked on {name}?",
                "To whom do we owe the text of {name}?",
            ],
        ),
        ask(
            "singer",
            Person,
            &[
                "Who sang the [main|leading|title] [role|part] in {name}?",
                "Who was the [leading lady|star|lead singer] of the opera?",
                "Which [soprano|singer] performed in {name}?",
                "By whom was the [leading|main] role sung?",
            ],
            &[
                "Who performed the main part of the opera?",
                "Which singer starred in {name}?",
                "Who was cast in the leading role of {name}?",
            ],
        ),
        ask(
            "premiere",
            Place,
            &[
                "Where was {name} first [performed|staged]?",
                "In which [town|place] did the opera have its [premiere|first night]?",
                "Where did the [premiere|first performance] of {name} take place?",
                "Which [town|place] saw the first performance?",
            ],
            &[
                "In which town was {name} premiered?",
                "Where was the first night of the opera?",
                "What place hosted the premiere of {name}?",
            ],
        ),
        ask(
            "setting",
            Place,
            &[
                "Where is {name} set?",
                "In which [town|place] does the [action|plot] of the opera [happen|take place]?",
                "What is the [setting|scene] of {name}?",
                "Where does the plot of {name} take place?",
            ],
            &[
                "In what place is the opera set?",
                "Which town is the scene of the action of {name}?",
                "Where do the events of the plot happen?",
            ],
        ),
        ask(
            "found",
            Place,
            &[
                "Where was the score of {name} [found|discovered]?",
                "In which [town|place] did the lost [score|notes] turn up?",
                "What was the [hiding place|place of discovery] of the opera's score?",
                "Where was the score [hidden|recovered]?",
            ],
            &[
                "In what town was the opera's score discovered?",
                "Where did somebody find the lost score of {name}?",
                "Which place had hidden the score?",
            ],
        ),
        ask(
            "completed",
            Year,
            &[
                "When was {name} [completed|finished]?",
                "In what year did the composer [finish|complete] the opera?",
                "What year saw the completion of {name}?",
                "When did work on the opera end?",
            ],
            &[
                "In which year was the composition of {name} finished?",
                "When did the composer have the opera ready?",
                "What is the completion year of {name}?",
            ],
        ),
        ask(
            "performed",
            Year,
            &[
                "When was {name} first [performed|staged]?",
                "In what year was the [premiere|first night] of the opera?",
                "What year saw the [premiere|first performance] of {name}?",
                "When did the opera have its premiere?",
            ],
            &[
                "In which year was {name} premiered?",
                "When could the public see the opera for the first time?",
                "What is the year of the opera's first performance?",
            ],
        ),
        ask(
            "revived",
            Year,
            &[
                "When was {name} [revived|rediscovered]?",
                "In what year was the opera performed again?",
                "What year saw the [revival|rediscovery] of {name}?",
                "When did theatres take up the opera again?",
            ],
            &[
                "In which year did {name} return?",
                "When was the revival of the opera?",
                "What is the year in which {name} was rediscovered?",
            ],
        ),
    ],
};
