//! Parsers of the options' values.

use analysis::categories::Category;
use artifact::SplitName;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use squad::F1Units;
use stage::STAGES;

pub(super) fn f1_units() -> impl TypedValueParser<Value = F1Units> {
    PossibleValuesParser::new(["words", "characters"])
        .map(|units| if units == "words" { F1Units::Words } else { F1Units::Characters })
}

pub(super) fn category() -> impl TypedValueParser<Value = Category> {
    let of = |name: String| Category::ALL.into_iter().find(|category| category.name() == name);
    PossibleValuesParser::new(Category::ALL.map(Category::name))
        .map(move |name| of(name).expect("the parser knows no other names"))
}

pub(super) fn split() -> impl TypedValueParser<Value = SplitName> {
    let splits = [SplitName::Validation, SplitName::Test];
    PossibleValuesParser::new(splits.map(SplitName::as_str))
        .map(|name| if name == "test" { SplitName::Test } else { SplitName::Validation })
}

pub(super) fn side(text: &str) -> Result<String, String> {
    if text.split(',').any(str::is_empty) {
        return Err("expected a model, or several separated by commas".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn margin(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(margin) if (0.0..=100.0).contains(&margin) => Ok(margin),
        _ => Err("expected points of F1 from 0 to 100".to_owned()),
    }
}

pub(super) fn stage_or_fingerprint(text: &str) -> Result<String, String> {
    if stage::Declaration::of(text).is_some() || crate::prefix::is_prefix(text) {
        return Ok(text.to_owned());
    }
    let stages = STAGES.map(|declaration| declaration.name).join(", ");
    Err(format!("expected a stage ({stages}) or the first digits of a fingerprint, at least 4"))
}

pub(super) fn stage_names() -> PossibleValuesParser {
    PossibleValuesParser::new(STAGES.map(|declaration| declaration.name))
}
