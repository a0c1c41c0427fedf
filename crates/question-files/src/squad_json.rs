//! SQuAD's own form, one article at a time.

use std::io::BufRead;

use crate::question::Article;
use serde::de::IgnoredAny;

use crate::Visit;
use crate::error::{Error, Result};
use crate::json_text::{Expected, JsonText};

const FORM: &str = "SQuAD v1.1 or v2.0: {\"data\": [{\"title\": …, \"paragraphs\": [{\"context\": …, \"qas\": [{\"id\": …, \
                    \"question\": …, \"answers\": [{\"text\": …, \"answer_start\": …}]}]}]}]}";

/// Shows every article of `text` to `visit`.
pub(super) fn read(text: impl BufRead, name: &str, visit: Visit<'_>) -> Result<()> {
    let mut json = JsonText::new(text, Expected { name, form: FORM });
    if json.peek()?.is_none() {
        return Err(Error::Empty { name: name.to_owned() });
    }
    json.sign(b'{', "an object")?;
    let (mut has_data, mut is_first) = (false, true);
    while json.has_item(b'}', is_first)? {
        is_first = false;
        let key: String = json.value("a key")?;
        json.sign(b':', "an object")?;
        if key != "data" {
            json.value::<IgnoredAny>(&key)?;
            continue;
        }
        if has_data {
            return Err(json.error("duplicate field `data`".to_owned()));
        }
        has_data = true;
        articles(&mut json, visit)?;
    }
    if !has_data {
        return Err(json.error("missing field `data`".to_owned()));
    }
    Ok(json.end()?)
}

fn articles(json: &mut JsonText<'_, impl BufRead>, visit: Visit<'_>) -> Result<()> {
    json.sign(b'[', "an object")?;
    let mut is_first = true;
    while json.has_item(b']', is_first)? {
        is_first = false;
        visit(json.value::<Article>("one article")?)?;
    }
    Ok(())
}
