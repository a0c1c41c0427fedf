//! A research institute: its people, its subjects, its dates.

use super::{Domain, Passage, ask};
use crate::sample::vocabulary::Kind::{Person, Topic, Year};

pub(super) const LABORATORY: Domain = Domain {
    name: "{root} [Institute|Laboratory|Observatory]",
    introduction: Passage {
        train: &[
            "The {name} [occupied|filled] a brick house behind the [canal|orchards].",
            "Visitors to the {name} were [shown|led] through rooms crammed with [jars|brass dials].",
            "The {name} never had [more than a dozen desks|a sign on its door].",
        ],
        validation: &[
            "The {name} was known to its neighbours for [lights at midnight|strange smells].",
            "Behind the railway stood the {name}, a [plain|low] building full of instruments.",
        ],
    },
    passages: &[
        Passage {
            train: &[
                "{director} signed the budgets, {discoverer} [noticed the effect|hit on the result] for which the place is remembered, and {critic} dismissed it in print.",
                "In a [bitter|scornful] review {critic} attacked the result, which {discoverer} had come upon by accident one night; {director}, who held the keys and the purse, said nothing.",
                "The effect was noticed by {discoverer}, dismissed by {critic} as [a mistake|wishful thinking], and defended by {director}, who gave out the posts and signed the budgets.",
                "{critic} mocked the whole affair, although {director}, at the top of the staff list, [stood by it|would hear no ill of it], and {discoverer} had seen the effect a hundred times.",
            ],
            validation: &[
                "{discoverer} noticed the effect by accident; {critic} attacked it in print as wishful thinking, and {director}, who signed the budgets, kept quiet.",
                "At the top of the staff list was {director}; the famous result was hit on by {discoverer}, and mocked by {critic}.",
            ],
        },
        Passage {
            train: &[
                "It had been set up to look into {purpose}, it is remembered for its findings on {fame}, and it paid its bills with reports on {income}.",
                "Reports on {income} kept the cash box full; the charter spoke of {purpose}, but its name in the textbooks rests on {fame}.",
                "Textbooks mention it because of {fame}, though the charter had named {purpose}, and the fees came from [advice|lectures] on {income}.",
                "The charter obliged it to look into {purpose}; fees were charged for advice on {income}, and the findings that entered the textbooks concerned {fame}.",
            ],
            validation: &[
                "The charter named {purpose}, the bills were paid by advice on {income}, and it is in the textbooks for {fame}.",
                "It is remembered because of its findings on {fame}; reports on {income} brought in fees, and it had been set up to look into {purpose}.",
            ],
        },
        Passage {
            train: &[
                "The doors were unlocked for the first time in {opened}, fire ruined one wing in {burnt}, and the university swallowed it in {merged}.",
                "In {merged} it became a department of the university; flames had [gutted|ruined] it in {burnt}, and the ribbon had been cut in {opened}.",
                "A stove set the roof alight in {burnt}, by which time the ribbon-cutting of {opened} was a distant memory, and in {merged} the university swallowed what was left.",
                "From {opened} the lamps burned every night; in {burnt} the flames took the library, and from {merged} the staff were paid by the university.",
            ],
            validation: &[
                "The ribbon was cut in {opened}, flames ruined the roof in {burnt}, and it became a department of the university in {merged}.",
                "The university swallowed it in {merged}; a stove had gutted one wing in {burnt}, and the doors had first been unlocked in {opened}.",
            ],
        },
    ],
    relations: &[
        ask(
            "director",
            Person,
            &[
                "Who was the [director|head|chief] of the {name}?",
                "Who [directed|ran|headed] the [institute|laboratory]?",
                "Under whose direction did the researchers work?",
                "Which person was in charge of the {name}?",
            ],
            &[
                "By whom was the {name} directed?",
                "Who led the researchers of the institute?",
                "Who was at the head of the {name}?",
            ],
        ),
        ask(
            "discoverer",
            Person,
            &[
                "Who made the [discovery|breakthrough] at the {name}?",
                "Which [scientist|researcher] made the great discovery?",
                "To whom do we owe the [discovery|breakthrough] of the {name}?",
                "Who was the discoverer at the [institute|laboratory]?",
            ],
            &[
                "Which scientist was behind the breakthrough of the institute?",
                "By whom was the discovery at the {name} made?",
                "Who discovered what the {name} is famous for?",
            ],
        ),
        ask(
            "critic",
            Person,
            &[
                "Who [criticised|opposed] the [research|discovery] of the {name}?",
                "Who was the [critic|opponent|sceptic] of the {name}?",
                "Which [sceptic|critic] did not believe the [researchers|discovery]?",
                "By whom was the research [criticised|doubted]?",
            ],
            &[
                "Who doubted the scientists of the {name}?",
                "Which person was critical of the discovery?",
                "Who spoke against the research of the {name}?",
            ],
        ),
        ask(
            "purpose",
            Topic,
            &[
                "What was the {name} [meant|intended] to [study|investigate]?",
                "What was the original [purpose|subject] of the [institute|laboratory]?",
                "For the study of what was the {name} founded?",
                "What was the official [task|aim] of the researchers?",
            ],
            &[
                "Which subject was the {name} created to study?",
                "What was the official purpose of the institute?",
                "What were the researchers originally supposed to investigate?",
            ],
        ),
        ask(
            "fame",
            Topic,
            &[
                "What is the {name} [famous|known|celebrated] for?",
                "Research on what made the {name} [famous|known]?",
                "In which field did the scientists win [fame|renown]?",
                "To what does the [institute|laboratory] owe its [fame|reputation]?",
            ],
            &[
                "Which subject brought fame to the {name}?",
                "On what is the reputation of the institute founded?",
                "For which research is the laboratory celebrated?",
            ],
        ),
        ask(
            "income",
            Topic,
            &[
                "How did the {name} [earn|make] its money?",
                "What was the source of the institute's [income|earnings]?",
                "Work on what [financed|funded] the {name}?",
                "Which subject brought the [laboratory|institute] its income?",
            ],
            &[
                "With what work did the researchers earn money?",
                "What provided the {name} with an income?",
                "Which subject financed the laboratory?",
            ],
        ),
        ask(
            "opened",
            Year,
            &[
                "When was the {name} [opened|inaugurated]?",
                "In what year did the [institute|laboratory] [open|begin work]?",
                "What year saw the [opening|inauguration] of the {name}?",
                "When did research at the {name} begin?",
            ],
            &[
                "In which year did scientists first work at the {name}?",
                "What is the opening year of the institute?",
                "When did the laboratory start?",
            ],
        ),
        ask(
            "burnt",
            Year,
            &[
                "When did the {name} burn?",
                "In what year was the [institute|laboratory] [damaged|hit by a blaze]?",
                "What year saw the [blaze|disaster] at the {name}?",
                "When did the [accident|disaster] happen?",
            ],
            &[
                "In which year was there a blaze at the {name}?",
                "When was the laboratory burnt?",
                "What is the year of the institute's disaster?",
            ],
        ),
        ask(
            "merged",
            Year,
            &[
                "When did the {name} lose its independence?",
                "In what year was the [institute|laboratory] [merged|taken over]?",
                "What year saw the [merger|takeover] of the {name}?",
                "When was the {name} [absorbed|incorporated]?",
            ],
            &[
                "In which year did the institute stop being independent?",
                "When was the merger of the {name}?",
                "What is the year of the laboratory's takeover?",
            ],
        ),
    ],
};
