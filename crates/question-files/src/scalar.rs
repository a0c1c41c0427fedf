//! Values that files write in several types: a number as text, a flag as 0 or "yes", a list as its only item.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A text, or a whole number in place of a text.
pub(crate) struct Word(pub(crate) String);

/// The same; empty if there is none.
pub(crate) struct AnswerText(pub(crate) String);

/// A place in a text; `None` if there is none.
pub(crate) struct Start(pub(crate) Option<i32>);

/// A boolean; tables have 0 and 1, and texts.
pub(crate) struct Flag(pub(crate) bool);

/// A list, or its only item.
pub(crate) struct Many<T>(pub(crate) Vec<T>);

/// Takes a value of any type that `FromScalar` understands.
trait FromScalar: Sized {
    const EXPECTED: &str;

    fn from_scalar(value: Scalar<'_>) -> Option<Self>;
}

#[derive(Clone, Copy)]
enum Scalar<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(&'a str),
}

impl FromScalar for Word {
    const EXPECTED: &str = "a string";

    fn from_scalar(value: Scalar<'_>) -> Option<Self> {
        match value {
            Scalar::Text(text) => Some(Self(text.to_owned())),
            Scalar::Integer(number) => Some(Self(number.to_string())),
            _ => None,
        }
    }
}

impl FromScalar for AnswerText {
    const EXPECTED: &str = Word::EXPECTED;

    fn from_scalar(value: Scalar<'_>) -> Option<Self> {
        match value {
            Scalar::Null => Some(Self(String::new())),
            value => Word::from_scalar(value).map(|Word(text)| Self(text)),
        }
    }
}

impl FromScalar for Start {
    const EXPECTED: &str = "a whole number of 32 bits";

    fn from_scalar(value: Scalar<'_>) -> Option<Self> {
        match value {
            Scalar::Null => Some(Self(None)),
            Scalar::Integer(number) => i32::try_from(number).ok().map(|start| Self(Some(start))),
            // A table of numbers with gaps turns 4 into this.
            Scalar::Float(number) => (number.fract() == 0.0 && number.abs() < f64::from(i32::MAX))
                .then_some(Self(Some(number as i32))),
            Scalar::Text(text) if text.trim().is_empty() => Some(Self(None)),
            // A place in HTML, such as `/div[1]/text()[1]`, is not a place in the text.
            Scalar::Text(text) if text.starts_with('/') && text.ends_with(']') => Some(Self(None)),
            Scalar::Text(text) => match text.trim().parse::<i32>() {
                Ok(start) => Some(Self(Some(start))),
                Err(_) => Self::from_scalar(Scalar::Float(text.trim().parse().ok()?)),
            },
            Scalar::Bool(_) => None,
        }
    }
}

impl FromScalar for Flag {
    const EXPECTED: &str = "true or false";

    fn from_scalar(value: Scalar<'_>) -> Option<Self> {
        match value {
            Scalar::Bool(flag) => Some(Self(flag)),
            Scalar::Integer(number @ (0 | 1)) => Some(Self(number == 1)),
            // A table of numbers with gaps turns them into this.
            Scalar::Float(0.0) => Some(Self(false)),
            Scalar::Float(1.0) => Some(Self(true)),
            Scalar::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(Self(true)),
                "false" | "f" | "no" | "n" | "0" | "0.0" => Some(Self(false)),
                _ => None,
            },
            _ => None,
        }
    }
}

struct ScalarVisitor<T>(PhantomData<T>);

impl<T: FromScalar> ScalarVisitor<T> {
    fn take<E: serde::de::Error>(self, scalar: Scalar<'_>) -> Result<T, E> {
        use serde::de::Unexpected;
        T::from_scalar(scalar).ok_or_else(|| match scalar {
            Scalar::Null => E::invalid_type(Unexpected::Unit, &self),
            Scalar::Bool(flag) => E::invalid_type(Unexpected::Bool(flag), &self),
            Scalar::Integer(number) => E::invalid_value(Unexpected::Signed(number), &self),
            Scalar::Float(number) => E::invalid_value(Unexpected::Float(number), &self),
            Scalar::Text(text) => E::invalid_value(Unexpected::Str(text), &self),
        })
    }
}

impl<T: FromScalar> Visitor<'_> for ScalarVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<T, E> {
        self.take(Scalar::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<T, E> {
        self.take(Scalar::Bool(flag))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<T, E> {
        self.take(Scalar::Integer(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
        match i64::try_from(number) {
            Ok(number) => self.take(Scalar::Integer(number)),
            Err(_) => self.take(Scalar::Float(number as f64)),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<T, E> {
        self.take(Scalar::Float(number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        self.take(Scalar::Text(text))
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for AnswerText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

impl<'de, T: FromScalar + Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ManyVisitor(PhantomData))
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: FromScalar + Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, or a list of them", T::EXPECTED)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Many<T>, A::Error> {
        let mut many = Vec::new();
        while let Some(item) = items.next_element()? {
            many.push(item);
        }
        Ok(Many(many))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Many<T>, E> {
        ScalarVisitor::<T>(PhantomData).visit_unit().map(|item| Many(vec![item]))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Many<T>, E> {
        ScalarVisitor::<T>(PhantomData).visit_i64(number).map(|item| Many(vec![item]))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Many<T>, E> {
        ScalarVisitor::<T>(PhantomData).visit_u64(number).map(|item| Many(vec![item]))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Many<T>, E> {
        ScalarVisitor::<T>(PhantomData).visit_f64(number).map(|item| Many(vec![item]))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Many<T>, E> {
        ScalarVisitor::<T>(PhantomData).visit_str(text).map(|item| Many(vec![item]))
    }
}
