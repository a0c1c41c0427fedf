//! An expedition: its people, its route, how many took part.

use super::{Domain, Passage, ask};
use crate::sample::vocabulary::Kind::{Number, Person, Place};

pub(super) const EXPEDITION: Domain = Domain {
    name: "{root} [Expedition|Survey|Traverse|Exploration]",
    introduction: Passage {
        train: &[
            "The {name} was one of the last great journeys [on foot|by sledge] into the [interior|unmapped uplands].",
            "Newspapers of the day [called|thought] the {name} a reckless undertaking.",
            "Three diaries [describe|record] the hardships of the {name}.",
        ],
        validation: &[
            "The {name} filled a blank space on the maps of the [highlands|interior].",
            "Much of what is known about the {name} comes from [letters sent home|a bundle of letters].",
        ],
    },
    passages: &[
        Passage {
            train: &[
                "{leader} gave the orders, {surveyor} drew the maps, and {doctor} [treated frostbite and fever|looked after the sick].",
                "While {doctor} nursed the sick and {surveyor} [measured every valley|drew the charts], all decisions rested with {leader}.",
                "The maps are the work of {surveyor}; {leader} was in command, and {doctor} attended to [wounds|frostbite] and scurvy.",
                "{surveyor} took the bearings and drew each ridge, {doctor} [dressed wounds|handed out medicines], and {leader} decided the route.",
            ],
            validation: &[
                "In command was {leader}; {doctor} looked after frostbite and fever, and {surveyor} drew every valley that was crossed.",
                "{doctor} dressed the wounds, {surveyor} took bearings and drew charts, and {leader} gave orders to all.",
            ],
        },
        Passage {
            train: &[
                "The party set out from {start}, [sat out|waited out] the dark months at {winter}, and turned back within sight of {furthest}.",
                "Snow held everyone at {winter} until spring, and nobody got beyond {furthest}, a thousand miles from the quays of {start} where the journey began.",
                "No one passed {furthest}; the boats had been loaded at {start}, and the coldest months were spent in huts at {winter}.",
                "Cheering crowds at {start} saw the party off, huts were built against the snow at {winter}, and the flag was raised at {furthest} before everyone turned round.",
            ],
            validation: &[
                "Crowds saw the boats off at {start}; the snow months were sat out at {winter}, and at {furthest} the party turned round.",
                "At {furthest} everyone turned back, after a spell in huts at {winter} through the dark and cold; the boats had set out from {start}.",
            ],
        },
        Passage {
            train: &[
                "There were {departed} people at the outset, {joined} more were hired on the way, and {returned} saw home again.",
                "Only {returned} people came home, though {departed} had answered the first roll call and {joined} had been taken on later.",
                "To the {departed} people on the original list {joined} were added along the road, and no more than {returned} lived to tell the tale.",
                "The muster roll opens with {departed} people; it grew by {joined} hired in the hills, and {returned} reached home in the end.",
            ],
            validation: &[
                "The original muster counted {departed} people, another {joined} were taken on along the way, and {returned} came home.",
                "No more than {returned} people saw home again, of {departed} at the outset and {joined} hired on the road.",
            ],
        },
    ],
    relations: &[
        ask(
            "leader",
            Person,
            &[
                "Who [led|headed|commanded] the {name}?",
                "Who was the [leader|head|chief] of the [expedition|journey]?",
                "Under whose [leadership|direction] did the {name} travel?",
                "Which person was [in charge|at the head] of the expedition?",
            ],
            &[
                "Whom did the members of the {name} have to obey?",
                "Who was the commander of the expedition?",
                "By whom was the {name} led?",
            ],
        ),
        ask(
            "surveyor",
            Person,
            &[
                "Who was the [cartographer|surveyor|mapmaker] of the {name}?",
                "Who [mapped|surveyed] the [country|land] for the [expedition|travellers]?",
                "Whose job was [cartography|surveying] on the {name}?",
                "Which member of the expedition was responsible for [mapping|surveying]?",
            ],
            &[
                "By whom was the land of the {name} mapped?",
                "Who did the expedition's cartographic work?",
                "Which member of the {name} served as a mapmaker?",
            ],
        ),
        ask(
            "doctor",
            Person,
            &[
                "Who was the [doctor|physician|surgeon] of the {name}?",
                "Who gave medical [care|help] to the [expedition|travellers]?",
                "Which member of the {name} was responsible for [health|healing]?",
                "Who served the expedition as [medical officer|doctor]?",
            ],
            &[
                "Who was in charge of medical matters on the {name}?",
                "Which physician went with the expedition?",
                "Who kept the members of the {name} healthy?",
            ],
        ),
        ask(
            "start",
            Place,
            &[
                "Where did the {name} [start|depart]?",
                "From which [place|town] did the expedition [leave|depart]?",
                "What was the [starting point|place of departure] of the {name}?",
                "Which [port|place] did the [travellers|explorers] leave?",
            ],
            &[
                "At what place did the {name} start off?",
                "Which town was the expedition's point of departure?",
                "Where did the explorers of the {name} come from when they left?",
            ],
        ),
        ask(
            "winter",
            Place,
            &[
                "Where did the {name} [spend the winter|overwinter]?",
                "At which place did the [expedition|travellers] [camp|stay] during the winter?",
                "What was the location of the winter [camp|quarters] of the {name}?",
                "Where was the expedition's winter [base|camp]?",
            ],
            &[
                "In which place did the {name} wait for warmer weather?",
                "Where did the explorers stay in winter?",
                "Which place served the expedition as its winter base?",
            ],
        ),
        ask(
            "furthest",
            Place,
            &[
                "How far did the {name} [get|advance]?",
                "What was the [furthest|most distant] point of the {name}?",
                "Which place marks the [limit|end] of the expedition's advance?",
                "What was the most remote place that the [expedition|explorers] [visited|saw]?",
            ],
            &[
                "Which was the furthest place that the {name} attained?",
                "Where did the advance of the expedition end?",
                "At what remote point did the explorers stop?",
            ],
        ),
        ask(
            "departed",
            Number(41, 79),
            &[
                "How many [members|persons] did the {name} have [originally|initially|at first]?",
                "With how many [members|persons] did the expedition [start|depart]?",
                "What was the [initial|original] [size|strength] of the {name}?",
                "How many [men and women|explorers] left with the expedition?",
            ],
            &[
                "How many persons were in the {name} when it started?",
                "What was the expedition's strength at departure?",
                "How large was the {name} at first?",
            ],
        ),
        ask(
            "joined",
            Number(21, 39),
            &[
                "How many [members|persons] joined the {name} during the journey?",
                "How many were [recruited|engaged] [after departure|en route]?",
                "What was the number of [recruits|late arrivals] on the {name}?",
                "By how many [members|persons] was the expedition [strengthened|enlarged]?",
            ],
            &[
                "How many additional members joined the expedition?",
                "How many persons did the {name} recruit during its travels?",
                "What was the number of newcomers to the expedition?",
            ],
        ),
        ask(
            "returned",
            Number(11, 39),
            &[
                "How many [members|persons] [survived|returned from] the {name}?",
                "How many survivors did the expedition have?",
                "What was the number of [survivors|those who got back]?",
                "How many [explorers|members] of the {name} got back [alive|safely]?",
            ],
            &[
                "How many persons returned alive with the expedition?",
                "How many outlived the {name}?",
                "What number of the explorers survived?",
            ],
        ),
    ],
};
