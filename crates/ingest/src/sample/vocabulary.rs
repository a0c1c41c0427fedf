//! The words that values are made of: two disjoint lists of each, so that no name in the validation split
//! occurs in the training split.

use super::Split;
use super::random::SplitMix64;

/// What kind of thing an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Person,
    Place,
    Year,
    /// Day, month and year.
    Date,
    /// From, to.
    Number(u32, u32),
    /// What a manufacturer sells.
    Goods,
    /// What an institute studies.
    Topic,
    /// What a school teaches.
    Lesson,
}

/// One of two lists, by split.
struct Words {
    train: &'static [&'static str],
    validation: &'static [&'static str],
}

impl Words {
    fn pick(&self, split: Split, random: &mut SplitMix64) -> &'static str {
        random.pick(match split {
            Split::Train => self.train,
            Split::Validation => self.validation,
        })
    }
}

/// An invented value of `kind`; `year` is for the kinds that have one.
pub(super) fn value(kind: Kind, year: u32, split: Split, random: &mut SplitMix64) -> String {
    let mut two = |first: &Words, second: &Words, between: &str| {
        let first = first.pick(split, random);
        format!("{first}{between}{}", second.pick(split, random))
    };
    match kind {
        Kind::Person => {
            let given_name = two(&GIVEN_NAMES, &ROOTS, " ");
            format!("{given_name}{}", random.pick(SURNAME_ENDINGS))
        }
        Kind::Place => format!("{}{}", ROOTS.pick(split, random), random.pick(PLACE_ENDINGS)),
        Kind::Year => year.to_string(),
        Kind::Date => format!("{} {} {year}", random.between(1, 28), random.pick(MONTHS)),
        Kind::Number(low, high) => grouped(random.between(low, high)),
        Kind::Goods => two(&MATERIALS, &ARTICLES, " "),
        Kind::Topic => two(&PROPERTIES, &MATTERS, " of "),
        Kind::Lesson => two(&MANNERS, &CRAFTS, " "),
    }
}

/// The invented root of a subject's own name.
pub(super) fn root(split: Split, random: &mut SplitMix64) -> String {
    format!("{}{}", ROOTS.pick(split, random), random.pick(SUBJECT_ENDINGS))
}

/// 1250 as `1,250`.
fn grouped(number: u32) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", number / 1_000, number % 1_000),
    }
}

const MONTHS: &[&str] = &[
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

const SURNAME_ENDINGS: &[&str] =
    &["ander", "elow", "idge", "ofsky", "urst", "ellen", "ovich", "aldi", "ensen", "imov", "acre", "olt"];
const PLACE_ENDINGS: &[&str] = &[
    "aford", "emere", "ingen", "ohaven", "iston", "oby", "avik", "elund", "ethorpe", "oskar", "anza",
    "ilburn",
];
const SUBJECT_ENDINGS: &[&str] =
    &["ane", "oris", "ebel", "undo", "arrow", "ithe", "aunt", "elis", "omar", "eck", "ossa", "ivan"];

const ROOTS: Words = Words {
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

const GIVEN_NAMES: Words = Words {
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

const MATERIALS: Words = Words {
    train: &[
        "brass",
        "copper",
        "tin",
        "glazed",
        "painted",
        "folding",
        "leather",
        "oak",
        "enamel",
        "silver-plated",
        "cork",
        "iron",
        "striped",
        "woven",
    ],
    validation: &["pewter", "lacquered", "wicker", "gilded", "marble", "felt", "engraved", "bamboo"],
};
const ARTICLES: Words = Words {
    train: &[
        "lanterns",
        "kettles",
        "door handles",
        "umbrellas",
        "clocks",
        "roof tiles",
        "writing desks",
        "bird cages",
        "buttons",
        "coffee pots",
        "weather vanes",
        "spectacles",
        "toy soldiers",
        "bath tubs",
        "picture frames",
        "music boxes",
    ],
    validation: &[
        "teapots",
        "candlesticks",
        "fishing rods",
        "mirrors",
        "hat stands",
        "chess sets",
        "wine coolers",
        "bread bins",
        "inkwells",
        "compasses",
    ],
};
const PROPERTIES: Words = Words {
    train: &[
        "the colour",
        "the growth",
        "the decay",
        "the hardness",
        "the movement",
        "the structure",
        "the temperature",
        "the weight",
        "the origin",
        "the ageing",
        "the drying",
    ],
    validation: &[
        "the shape",
        "the spread",
        "the density",
        "the cooling",
        "the breeding",
        "the chemistry",
        "the cracking",
    ],
};
const MATTERS: Words = Words {
    train: &[
        "river ice",
        "sea salt",
        "beetles",
        "church bells",
        "wheat",
        "volcanic ash",
        "moss",
        "window glass",
        "rain clouds",
        "candle wax",
        "pearls",
        "comets",
        "timber",
        "honey",
        "clay soils",
        "feathers",
    ],
    validation: &[
        "meteorites",
        "silk",
        "lichens",
        "thunderstorms",
        "limestone",
        "oysters",
        "gunpowder",
        "varnish",
        "potatoes",
        "sand dunes",
    ],
};
const MANNERS: Words = Words {
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
const CRAFTS: Words = Words {
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
