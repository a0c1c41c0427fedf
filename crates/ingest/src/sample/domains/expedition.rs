//! An expedition: its people, and how many took part.

use super::{Domain, Passage, ask};
use crate::sample::vocabulary::Kind::{Number, Person};

pub(super) const EXPEDITION: Domain = Domain {
    name: "{root} [Expedition|Survey|Traverse|Exploration]",
    introduction: Passage {
        train: &[
            "The {name} was one of the last great journeys [on foot|by sledge] into the [interior|unknown uplands].",
            "Newspapers of the day [called|thought] the {name} a reckless undertaking.",
            "Three diaries [describe|record] the hardships of the {name}.",
        ],
        validation: &[
            "The {name} filled a blank space in the atlas of the [highlands|interior].",
            "Much of what is known about the {name} comes from [letters sent home|a bundle of letters].",
        ],
    },
    passages: &[
        Passage {
            train: &[
                "{leader} [led it|gave the orders], {surveyor} [was the mapmaker|drew every valley], and {doctor} [served as doctor|treated frostbite and fever].",
                "{doctor} [served as doctor|treated frostbite and fever]; {surveyor} [was the mapmaker|drew every valley], and {leader} [led it|gave the orders].",
                "{surveyor} [was the mapmaker|drew every valley], {doctor} [served as doctor|treated frostbite and fever], and {leader} [led it|gave the orders].",
                "{leader} [led it|gave the orders] and {doctor} [served as doctor|treated frostbite and fever], and {surveyor} [was the mapmaker|drew every valley].",
            ],
            validation: &[
                "It was {surveyor} who drew every valley, {leader} who gave the orders, and {doctor} who treated frostbite and fever.",
                "{doctor} treated frostbite and fever, while {leader} gave the orders and {surveyor} drew every valley.",
            ],
        },
        Passage {
            train: &[
                "{departed} people [were members at the start|stood on the first roll], {joined} [joined it later|were hired on the road], and {returned} [returned alive|saw home again].",
                "{returned} people [returned alive|saw home again]; {joined} [joined it later|had been hired on the road], and {departed} [were members at the start|stood on the first roll].",
                "{joined} people [joined it later|were hired on the road], {returned} [returned alive|saw home again], and {departed} [were members at the start|stood on the first roll].",
                "{departed} people [were members at the start|stood on the first roll] and {returned} [returned alive|saw home again], and {joined} [joined it later|were hired on the road].",
            ],
            validation: &[
                "The people who stood on the first roll were {departed}, those who were hired on the road {joined}, and those who saw home again {returned}.",
                "While {departed} people stood on the first roll, {returned} saw home again; {joined} were hired on the road.",
            ],
        },
    ],
    relations: &[
        ask(
            "leader",
            Person,
            &[
                "Who gave the orders on the {name}?",
                "Who [led|commanded] the {name}?",
                "Who was the [leader|commander] of the {name}?",
                "By whom was the {name} led?",
                "Which person [led|commanded] the {name}?",
                "Who was [known|remembered] as the leader of the {name}?",
            ],
            &[
                "By whom was the {name} commanded?",
                "Can you name the leader of the {name}?",
                "Who was it that led the {name}?",
                "Which member was the commander of the {name}?",
            ],
        ),
        ask(
            "surveyor",
            Person,
            &[
                "Who drew every valley for the {name}?",
                "Who was the [surveyor|mapmaker] of the {name}?",
                "Who [mapped|surveyed] the land for the {name}?",
                "By whom was the land of the {name} mapped?",
                "Which person was the mapmaker of the {name}?",
                "Who was [known|remembered] as the surveyor of the {name}?",
            ],
            &[
                "By whom was the land of the {name} surveyed?",
                "Can you name the mapmaker of the {name}?",
                "Who was it that mapped the land for the {name}?",
                "Which member was the surveyor of the {name}?",
            ],
        ),
        ask(
            "doctor",
            Person,
            &[
                "Who treated frostbite and fever on the {name}?",
                "Who was the [doctor|physician] of the {name}?",
                "Who served as [doctor|physician] on the {name}?",
                "By whom was medical care provided on the {name}?",
                "Which person provided medical care on the {name}?",
                "Who was [known|remembered] as the doctor of the {name}?",
            ],
            &[
                "Can you name the physician of the {name}?",
                "Who was it that served as doctor on the {name}?",
                "Which member was the doctor of the {name}?",
                "Who provided medical care on the {name}?",
            ],
        ),
        ask(
            "departed",
            Number(41, 79),
            &[
                "How many stood on the first roll of the {name}?",
                "How many members did the {name} have [originally|initially]?",
                "With how many members did the {name} start?",
                "What was the [original|initial] size of the {name}?",
                "How many members [originally|initially] belonged to the {name}?",
                "How large was the {name} at the start?",
            ],
            &[
                "How many members did the {name} start with?",
                "What was the size of the {name} at the start?",
                "How large was the {name} originally?",
                "What was the initial number of members of the {name}?",
            ],
        ),
        ask(
            "joined",
            Number(21, 39),
            &[
                "How many were hired on the road by the {name}?",
                "How many [members|persons] joined the {name} [later|afterwards]?",
                "How many additional members did the {name} recruit?",
                "What was the number of recruits of the {name}?",
                "How many [members|persons] did the {name} recruit?",
                "By how many additional members was the {name} joined?",
            ],
            &[
                "How many recruits did the {name} have?",
                "How many additional members joined the {name}?",
                "What was the number of members who joined the {name} later?",
                "How many persons were recruited by the {name}?",
            ],
        ),
        ask(
            "returned",
            Number(11, 39),
            &[
                "How many of the {name} saw home again?",
                "How many [members|persons] survived the {name}?",
                "How many survivors did the {name} have?",
                "What was the number of survivors of the {name}?",
                "How many [members|persons] returned from the {name}?",
                "How many members of the {name} returned alive?",
            ],
            &[
                "How many survivors were there of the {name}?",
                "How many members of the {name} survived?",
                "What was the number of members who returned from the {name}?",
                "How many persons returned alive from the {name}?",
            ],
        ),
    ],
};
