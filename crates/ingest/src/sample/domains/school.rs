//! A school: its people, its lessons, its pupils.

use super::{Domain, Passage, ask};
use crate::sample::vocabulary::Kind::{Lesson, Number, Person};

pub(super) const SCHOOL: Domain = Domain {
    name: "{root} [School|Academy|College]",
    introduction: Passage {
        train: &[
            "{name} [looked out|stood] over [ploughed fields|an old mill pond].",
            "The bell of {name} could be heard [in three parishes|across the valley].",
            "{name} took boys and girls [alike|from the age of nine].",
        ],
        validation: &[
            "Ivy covers what remains of {name}.",
            "The rules of {name} filled [one page|a thick volume].",
        ],
    },
    passages: &[
        Passage {
            train: &[
                "{benefactor} left the house and the land for it, {head} [kept order|sat in the study] for thirty years, and {pupil} is the name that every child there learns.",
                "In a class that sat before {head} was {pupil}, later known all over the country, whose desk is kept in the hall beside a portrait of {benefactor}, from whose will the house came.",
                "The house was a gift of {benefactor}; {head} appointed the staff and wrote the reports, and {pupil} sat at a back desk before the whole country knew the name.",
                "{pupil} learnt to read there, long before [the medals|the statues]; {head} wrote the reports, and the roof and walls had been given by {benefactor}.",
            ],
            validation: &[
                "{head} appointed the staff and kept order, the house had been left in the will of {benefactor}, and {pupil} sat at a desk there before the country knew the name.",
                "The land was a gift of {benefactor}; every child learns that {pupil} sat there, while {head} wrote the reports.",
            ],
        },
        Passage {
            train: &[
                "Families chose it for its classes in {speciality}; {added} came onto the timetable last, and {ended} vanished from it.",
                "The timetable lost {ended} and gained {added}, but what drew families from far away was {speciality}.",
                "Nobody there was taught {ended} any longer, {added} came in to fill the hours, and {speciality} went on drawing families from far away.",
                "In place of {ended}, which vanished, came {added}; the classes that drew families were those in {speciality}.",
            ],
            validation: &[
                "What drew families was {speciality}; {ended} vanished from the hours, and {added} came onto the timetable.",
                "The timetable gained {added} when it lost {ended}, while families from far away chose it for {speciality}.",
            ],
        },
        Passage {
            train: &[
                "On the opening day {first_roll} children sat down, in the fullest year there were {peak_roll}, and at the end just {last_roll}.",
                "Just {last_roll} children were left when the bell fell silent; {first_roll} had sat down on the opening day, and the benches once held {peak_roll}.",
                "The benches never held more than {peak_roll} children; {first_roll} had come on the opening day, and {last_roll} said goodbye at the end.",
                "From {first_roll} children on the opening day it grew to {peak_roll} in the fullest year, then dwindled until {last_roll} were left.",
            ],
            validation: &[
                "There were {peak_roll} children in the fullest year, {first_roll} on the opening day, and {last_roll} at the end.",
                "It opened with {first_roll} children, never held more than {peak_roll}, and when the bell fell silent {last_roll} were left.",
            ],
        },
    ],
    relations: &[
        ask(
            "benefactor",
            Person,
            &[
                "Who [donated|provided] the building of {name}?",
                "Who was the [benefactor|donor|patron] of the school?",
                "To whose generosity does {name} owe its building?",
                "Which [benefactor|donor] made the school possible?",
            ],
            &[
                "By whom was the building of {name} donated?",
                "Who was generous to the school?",
                "Whose donation allowed {name} to be founded?",
            ],
        ),
        ask(
            "head",
            Person,
            &[
                "Who was the [principal|headteacher|headmaster] of {name}?",
                "Who [ran|headed|directed] the school?",
                "Which person was in charge of {name}?",
                "Under whose direction did the teachers work?",
            ],
            &[
                "Who was at the head of {name}?",
                "By whom was the school directed?",
                "Which principal governed {name}?",
            ],
        ),
        ask(
            "pupil",
            Person,
            &[
                "Who was the most famous [pupil|student] of {name}?",
                "Which [famous|celebrated] person [attended|studied at] the school?",
                "Which former [pupil|student] of {name} became famous?",
                "Who was educated at {name} and became a celebrity?",
            ],
            &[
                "Who is the best-known alumnus of {name}?",
                "Which former student brought fame to the school?",
                "What celebrity was once a pupil of {name}?",
            ],
        ),
        ask(
            "speciality",
            Lesson,
            &[
                "What was {name} [famous|known|renowned] for teaching?",
                "Which subject was the [speciality|strength] of the school?",
                "For which subject did pupils travel to {name}?",
                "What subject gave the school its [reputation|renown]?",
            ],
            &[
                "What was the most attractive subject at {name}?",
                "In which subject did the school excel?",
                "On what subject did the reputation of {name} rest?",
            ],
        ),
        ask(
            "added",
            Lesson,
            &[
                "Which subject was [introduced|added] at {name}?",
                "What was the [new|newest] subject at the school?",
                "What did {name} begin to teach?",
                "Which subject did the teachers [introduce|start]?",
            ],
            &[
                "What new lessons were introduced at {name}?",
                "Which subject was an addition to the school's programme?",
                "What did teachers at {name} start to offer?",
            ],
        ),
        ask(
            "ended",
            Lesson,
            &[
                "Which subject was [abolished|dropped|removed] at {name}?",
                "What did the school [stop|cease] teaching?",
                "Which subject did {name} give up?",
                "Lessons in what were [discontinued|abolished|cancelled]?",
            ],
            &[
                "What did {name} stop offering?",
                "Which subject was removed from the school's programme?",
                "Which lessons were dropped by {name}?",
            ],
        ),
        ask(
            "first_roll",
            Number(21, 59),
            &[
                "How many [pupils|students] did {name} have [at first|initially]?",
                "With how many [pupils|students] did the school start?",
                "What was the original number of pupils at {name}?",
                "How many pupils attended the school to begin with?",
            ],
            &[
                "How many students were there when {name} started?",
                "What was the initial enrolment of the school?",
                "How many pupils had {name} in the beginning?",
            ],
        ),
        ask(
            "peak_roll",
            Number(61, 390),
            &[
                "What was the [highest|largest|maximum] number of pupils at {name}?",
                "How many [pupils|students] did the school have at its [peak|height]?",
                "What was the record enrolment of {name}?",
                "How many students attended the school at most?",
            ],
            &[
                "How many pupils were at {name} when it was largest?",
                "What was the school's peak enrolment?",
                "What was the greatest number of students at {name}?",
            ],
        ),
        ask(
            "last_roll",
            Number(11, 59),
            &[
                "How many [pupils|students] did {name} have when it closed?",
                "What was the final number of pupils at the school?",
                "How many [pupils|students] remained [in the last year|finally]?",
                "What was the last enrolment of {name}?",
            ],
            &[
                "How many students remained at {name} upon its closure?",
                "What was the number of pupils at the closing of the school?",
                "How many pupils did {name} have finally?",
            ],
        ),
    ],
};
