//! SQuAD's own form, one article at a time.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use squad::json::Article;

use super::Visit;
use super::error::{ReadError, SourceError};
use crate::error::{Error, Result};

const EXPECTED: &str = "SQuAD v1.1 or v2.0: {\"data\": [{\"title\": …, \"paragraphs\": [{\"context\": …, \"qas\": [{\"id\": …, \
                        \"question\": …, \"answers\": [{\"text\": …, \"answer_start\": …}]}]}]}]}";

/// The largest article: SQuAD's have about 100 KB.
const MAX_ARTICLE_MIB: u64 = 256;

/// Shows every article of `text` to `visit`.
pub(super) fn read(text: impl Read, name: &str, visit: Visit<'_>) -> Result<()> {
    let since_article = Rc::new(Cell::new(0));
    let text = Bounded { inner: text, since_article: Rc::clone(&since_article) };
    let mut stopped = None;
    let mut json = serde_json::Deserializer::from_reader(text);
    let file = FileSeed(Articles { visit, stopped: &mut stopped, since_article });
    let outcome = file.deserialize(&mut json).and_then(|()| json.end());
    match (stopped, outcome) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(()),
        (None, Err(source)) => Err(SourceError::json(name, EXPECTED, 0, source).into()),
    }
}

/// Refuses to read on when an article does not end.
struct Bounded<R> {
    inner: R,
    since_article: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.since_article.set(self.since_article.get() + n as u64);
        if self.since_article.get() > MAX_ARTICLE_MIB << 20 {
            return Err(io::Error::other(ReadError::TooLarge { limit_mib: MAX_ARTICLE_MIB }));
        }
        Ok(n)
    }
}

struct Articles<'a, 'b> {
    visit: Visit<'b>,
    /// The error of `visit`, which serde's own cannot carry.
    stopped: &'a mut Option<Error>,
    since_article: Rc<Cell<u64>>,
}

struct FileSeed<'a, 'b>(Articles<'a, 'b>);

impl<'de> DeserializeSeed<'de> for FileSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FileSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("struct Dataset")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let mut articles = Some(self.0);
        while let Some(key) = map.next_key::<String>()? {
            if key != "data" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            match articles.take() {
                Some(articles) => map.next_value_seed(articles)?,
                None => return Err(A::Error::duplicate_field("data")),
            }
        }
        if articles.is_some() { Err(A::Error::missing_field("data")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Articles<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Articles<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of articles")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut articles: A) -> std::result::Result<(), A::Error> {
        while let Some(article) = articles.next_element::<Article>()? {
            self.since_article.set(0);
            if let Err(error) = (self.visit)(article) {
                *self.stopped = Some(error);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}
