//! The words that values are made of: two disjoint lists of each, so that no name in the validation split
//! occurs in the training split.

use super::Split;
use super::random::Random;

/// One of two lists, by split.
pub(super) struct Words {
    train: &'static [&'static str],
    validation: &'static [&'static str],
}

impl Words {
    pub(super) fn pick(&self, split: Split, random: &mut Random) -> &'static str {
        random.pick(match split {
            Split::Train => self.train,
            Split::Validation => self.validation,
        })
    }
}

pub(super) const MONTHS: &[&str] = &[
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const SURNAME_ENDINGS: &[&str] =
    &["ander", "elow", "idge", "ofsky", "urst", "ellen", "ovich", "aldi", "ensen", "imov", "acre", "olt"];
pub(super) const PLACE_ENDINGS: &[&str] = &[
    "aford", "emere", "ingen", "ohaven", "iston", "oby", "avik", "elund", "ethorpe", "oskar", "anza",
    "ilburn",
];
pub(super) const SUBJECT_ENDINGS: &[&str] =
    &["ane", "oris", "ebel", "undo", "arrow", "ithe", "aunt", "elis", "omar", "eck", "ossa", "ivan"];

pub(super) const ROOTS: Words = Words {
    train: &[
        "Bran", "Tulv", "Kest", "Ord", "Marl", "Fenn", "Galv", "Hask", "Irv", "Jor", "Lund", "Nev", "Pell",
        "Quar", "Rusk", "Sorn", "Thal", "Ulm", "Varn", "Wend", "Yar", "Zel", "Aldr", "Corv", "Drav", "Esk",
        "Farl", "Grim", "Hol", "Kall", "Lor", "Mord", "Norl", "Ost", "Prin", "Rav", "Sel", "Torv", "Vel",
        "Wick", "Brask", "Dun", "Falk", "Gorm", "Hesp", "Kord", "Lask", "Mirn",
    ],
    validation: &[
        "Ash", "Blen", "Crom", "Dell", "Ebr", "Frith", "Glan", "Hurl", "Ives", "Jask", "Kint", "Lyd", "Mab",
        "Nant", "Opp", "Pom", "Rhos", "Skel", "Trev", "Umbr", "Vost", "Wroth", "Xand", "Zorb", "Cald",
        "Birk", "Stav", "Plim",
    ],
};

pub(super) const GIVEN_NAMES: Words = Words {
    train: &[
        "Ada", "Albert", "Alice", "Anton", "Beatrice", "Bernard", "Clara", "Conrad", "Daphne", "Edgar",
        "Edith", "Elias", "Emma", "Ernest", "Esther", "Felix", "Flora", "Frank", "George", "Greta", "Harold",
        "Helen", "Hugo", "Ida", "Ivan", "James", "Joan", "Julius", "Karl", "Laura", "Leon", "Lucy", "Martha",
        "Martin", "Nora", "Oscar", "Paul", "Rose", "Simon", "Thomas", "Ursula", "Victor", "Walter",
        "Winifred",
    ],
    validation: &[
        "Agnes",
        "Arthur",
        "Bruno",
        "Cecilia",
        "Dennis",
        "Dorothy",
        "Eric",
        "Eva",
        "Frederick",
        "Gilbert",
        "Hannah",
        "Isaac",
        "Irene",
        "Jacob",
        "Josephine",
        "Louis",
        "Magnus",
        "Mary",
        "Nathan",
        "Olive",
        "Peter",
        "Ruth",
        "Stephen",
        "Theresa",
        "Vera",
        "William",
    ],
};

pub(super) const MANNERS: Words = Words {
    train: &[
        "advanced",
        "practical",
        "classical",
        "medieval",
        "applied",
        "military",
        "oriental",
        "rural",
        "maritime",
        "technical",
        "church",
    ],
    validation: &["modern", "ornamental", "commercial", "experimental", "theoretical", "domestic", "civic"],
};
pub(super) const CRAFTS: Words = Words {
    train: &[
        "geometry",
        "bookkeeping",
        "drawing",
        "music",
        "rhetoric",
        "law",
        "astronomy",
        "cookery",
        "gardening",
        "singing",
        "navigation",
        "surveying methods",
        "history",
        "grammar",
        "carpentry",
    ],
    validation: &[
        "arithmetic",
        "philosophy",
        "needlework",
        "botany",
        "poetry",
        "dancing",
        "mechanics",
        "geology",
        "penmanship",
    ],
};
