//! A school: its people, and its lessons.

use super::{Domain, Passage, ask};
use crate::sample::vocabulary::Kind::{Lesson, Person};

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
                "{benefactor} [donated the building|gave the house], {head} [directed it|wrote the reports], and {pupil} [was its famous student|sat at a back desk before the country knew the name].",
                "{pupil} [was its famous student|sat at a back desk before the country knew the name]; {head} [directed it|wrote the reports], and {benefactor} [donated the building|gave the house].",
                "{head} [directed it|wrote the reports], {pupil} [was its famous student|sat at a back desk before the country knew the name], and {benefactor} [donated the building|gave the house].",
                "{benefactor} [donated the building|gave the house] and {pupil} [was its famous student|sat at a back desk before the country knew the name], and {head} [directed it|wrote the reports].",
            ],
            validation: &[
                "It was {head} who wrote the reports, {benefactor} who gave the house, and {pupil} who sat at a back desk before the country knew the name.",
                "{pupil} sat at a back desk before the country knew the name, while {benefactor} gave the house and {head} wrote the reports.",
            ],
        },
        Passage {
            train: &[
                "It [was famous for its|drew families from far away with its] {speciality}, it [introduced|put onto the timetable] {added}, and it [abolished|struck from the timetable] {ended}.",
                "It [abolished|struck from the timetable] {ended}; it [introduced|put onto the timetable] {added}, and it [was famous for its|drew families from far away with its] {speciality}.",
                "It [introduced|put onto the timetable] {added}, it [abolished|struck from the timetable] {ended}, and it [was famous for its|drew families from far away with its] {speciality}.",
                "It [was famous for its|drew families from far away with its] {speciality} and it [abolished|struck from the timetable] {ended}, and it [introduced|put onto the timetable] {added}.",
            ],
            validation: &[
                "The timetable onto which it put {added} was the one from which it struck {ended}, but with its {speciality} it drew families from far away.",
                "While it drew families from far away with its {speciality}, it put onto the timetable {added} and struck from it {ended}.",
            ],
        },
    ],
    relations: &[
        ask(
            "benefactor",
            Person,
            &[
                "Who gave the house for {name}?",
                "Who [donated|provided] the building of {name}?",
                "Who was the [benefactor|donor] of {name}?",
                "By whom was the building of {name} donated?",
                "Which person donated the building of {name}?",
                "Who was [known|remembered] as the benefactor of {name}?",
            ],
            &[
                "By whom was the building of {name} provided?",
                "Can you name the donor of {name}?",
                "Who was it that donated the building of {name}?",
                "Which person was the benefactor of {name}?",
            ],
        ),
        ask(
            "head",
            Person,
            &[
                "Who wrote the reports of {name}?",
                "Who was the [principal|headteacher] of {name}?",
                "Who [directed|headed] {name}?",
                "By whom was {name} directed?",
                "Which person [directed|headed] {name}?",
                "Who was [known|remembered] as the headteacher of {name}?",
            ],
            &[
                "By whom was {name} headed?",
                "Can you name the principal of {name}?",
                "Who was it that directed {name}?",
                "Which person was the headteacher of {name}?",
            ],
        ),
        ask(
            "pupil",
            Person,
            &[
                "Who sat at a back desk in {name}?",
                "Who was the most famous [pupil|student] of {name}?",
                "Who studied at {name} and became famous?",
                "By which famous person was {name} attended?",
                "Which famous [pupil|student] attended {name}?",
                "Who was [known|remembered] as the famous student of {name}?",
            ],
            &[
                "Can you name the famous pupil of {name}?",
                "Who was it that attended {name} and became famous?",
                "Which famous person studied at {name}?",
                "Who was the famous student that attended {name}?",
            ],
        ),
        ask(
            "speciality",
            Lesson,
            &[
                "What drew families from far away to {name}?",
                "What was {name} [famous|renowned] for teaching?",
                "Which subject was the speciality of {name}?",
                "For which subject was {name} famous?",
                "What was the speciality of {name}?",
                "Which subject made {name} [famous|renowned]?",
            ],
            &[
                "For which subject was {name} renowned?",
                "What subject was {name} famous for?",
                "In which subject lay the speciality of {name}?",
                "What was it that made {name} famous?",
            ],
        ),
        ask(
            "added",
            Lesson,
            &[
                "What did {name} put onto the timetable?",
                "Which subject was [introduced|added] at {name}?",
                "What was the new subject at {name}?",
                "Which new subject did {name} [introduce|add]?",
                "What did {name} begin to teach?",
                "Which subject was new at {name}?",
            ],
            &[
                "Which new subject was introduced at {name}?",
                "What subject did {name} introduce?",
                "What was the subject that {name} added?",
                "What new subject did {name} begin to teach?",
            ],
        ),
        ask(
            "ended",
            Lesson,
            &[
                "What did {name} strike from the timetable?",
                "Which subject was [abolished|dropped] at {name}?",
                "What did {name} stop teaching?",
                "Which subject did {name} [abolish|drop]?",
                "What was the abolished subject at {name}?",
                "Which subject did {name} cease to teach?",
            ],
            &[
                "What subject did {name} stop teaching?",
                "What was the subject that {name} abolished?",
                "Which of its subjects did {name} drop?",
                "What subject was dropped at {name}?",
            ],
        ),
    ],
};
