//! What all texts say to one question, best first, and how it is shown.

use std::fmt::Write as _;

use serde_json::{Value, json};
use squad::{SpanCandidate, SpanPrediction};

use super::texts::{Place, Text};

/// The answer first, then its rivals. What the model calls "no answer" is one of them where there is one text; each of
/// several has its own, so there it is listed only where no text has an answer.
pub(crate) struct Found<'a> {
    texts: Vec<&'a Text>,
    ranked: Vec<Ranked>,
}

/// A candidate, and the number of the text that it is from.
struct Ranked {
    text: usize,
    candidate: SpanCandidate,
    null_score: Option<f64>,
}

impl Ranked {
    fn is_answer(&self) -> bool {
        self.candidate.start_char >= 0
    }

    /// By how much it is better than no answer, where the model knows that; else its score. This can be compared between
    /// texts.
    fn margin(&self) -> f64 {
        self.candidate.score - self.null_score.unwrap_or(0.0)
    }
}

impl<'a> Found<'a> {
    /// From what each of `texts` says, in their order.
    pub(crate) fn new(texts: Vec<&'a Text>, predictions: Vec<SpanPrediction>) -> Self {
        let is_one = texts.len() == 1;
        let (mut first, mut ranked, mut nothing) = (Vec::new(), Vec::new(), Vec::new());
        let mut is_answered = false;
        for (text, prediction) in predictions.into_iter().enumerate() {
            let SpanPrediction { start_char, end_char, null_score, n_best, .. } = prediction;
            is_answered |= start_char >= 0;
            for mut candidate in n_best {
                let is_chosen = candidate.start_char == start_char && candidate.end_char == end_char;
                if candidate.start_char < 0 {
                    // "empty" stands for no answer in run_qa.
                    candidate.text.clear();
                }
                let is_nothing = candidate.start_char < 0;
                let candidate = Ranked { text, candidate, null_score };
                match (is_one, is_nothing) {
                    // With a threshold the answer may not be the best candidate: it goes first in any case.
                    (true, _) if is_chosen => first.push(candidate),
                    (true, _) | (false, false) => ranked.push(candidate),
                    (false, true) => nothing.push(candidate),
                }
            }
        }
        if !is_one {
            ranked.sort_by(|a, b| b.margin().total_cmp(&a.margin()));
            if !is_answered {
                // That of the text which comes closest to an answer.
                let closest = ranked.first().map(|closest| closest.text);
                first = nothing;
                first.retain(|nothing| closest.is_none_or(|closest| closest == nothing.text));
                first.truncate(1);
            }
        }
        first.append(&mut ranked);
        Self { texts, ranked: first }
    }

    /// Whether all scores are numbers; if not, the model is damaged.
    pub(crate) fn is_finite(&self) -> bool {
        self.ranked.iter().all(|ranked| ranked.candidate.score.is_finite())
    }

    /// The answer alone, on one line.
    pub(crate) fn bare(&self) -> String {
        let answer = self.ranked.first().map_or("", |first| first.candidate.text.as_str());
        format!("{}\n", said(answer))
    }

    /// The best `top`, with their probabilities and places.
    pub(crate) fn lines(&self, top: usize) -> String {
        let mut lines = String::new();
        for ranked in self.ranked.iter().take(top) {
            let SpanCandidate { text, probability, .. } = &ranked.candidate;
            let _ = writeln!(lines, "{:>5.1} %  {}", 100.0 * probability, said(text));
            let Some(place) = self.place(ranked) else { continue };
            let file = self.texts[ranked.text].file.as_ref();
            let file = file.map_or_else(String::new, |file| {
                format!("{}:{}  ", stage::one_line(&file.display().to_string()), place.line)
            });
            let _ = writeln!(lines, "         {file}{}", place.sentence);
        }
        lines
    }

    /// One object.
    pub(crate) fn json(&self, question: &str, top: usize) -> String {
        let n_best: Vec<Value> = self.ranked.iter().take(top).map(|ranked| self.candidate(ranked)).collect();
        let mut object = json!({ "question": question });
        if let Some(first) = self.ranked.first() {
            let mut answer = self.candidate(first);
            object["answer"] = answer["text"].take();
            for key in ["start_char", "end_char", "score", "probability", "file", "line", "sentence"] {
                object[key] = answer[key].take();
            }
            object["null_score"] = first.null_score.into();
        }
        object["n_best"] = n_best.into();
        format!("{object}\n")
    }

    fn candidate(&self, ranked: &Ranked) -> Value {
        let SpanCandidate { text, start_char, end_char, score, probability } = &ranked.candidate;
        let place = self.place(ranked);
        let file = self.texts[ranked.text].file.as_ref().filter(|_| ranked.is_answer());
        json!({
            "text": text, "start_char": start_char, "end_char": end_char, "score": score, "probability": probability,
            "file": file.map(|file| file.display().to_string()), "line": place.as_ref().map(|place| place.line),
            "sentence": place.map(|place| place.sentence),
        })
    }

    fn place(&self, ranked: &Ranked) -> Option<Place> {
        let start = usize::try_from(ranked.candidate.start_char).ok()?;
        let end = usize::try_from(ranked.candidate.end_char).ok()?;
        Some(self.texts[ranked.text].place(start..end))
    }
}

/// An answer for people, on one line.
fn said(text: &str) -> String {
    if text.is_empty() {
        "(no answer)".to_owned()
    } else {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(text: &str, start_char: i32, score: f64) -> SpanCandidate {
        let end_char = if start_char < 0 { -1 } else { start_char + text.chars().count() as i32 };
        SpanCandidate { text: text.to_owned(), start_char, end_char, score, probability: 0.5 }
    }

    fn prediction(
        chosen: &SpanCandidate,
        null_score: Option<f64>,
        n_best: Vec<SpanCandidate>,
    ) -> SpanPrediction {
        let SpanCandidate { text, start_char, end_char, score, .. } = chosen.clone();
        SpanPrediction { text, start_char, end_char, score, null_score, n_best }
    }

    #[test]
    fn no_answer_is_said_in_words_and_is_empty_in_json_with_its_score() {
        let text = Text::typed("the cat sat");
        let (cat, none) = (candidate("cat", 4, 3.5), candidate("", -1, 3.0));
        let found = Found::new(vec![&text], vec![prediction(&none, Some(3.0), vec![cat, none.clone()])]);
        assert_eq!(found.bare(), "(no answer)\n");
        assert_eq!(found.lines(2), " 50.0 %  (no answer)\n 50.0 %  cat\n         the cat sat\n");
        let json: Value = serde_json::from_str(&found.json("who?", 1)).unwrap();
        let expected = json!({
            "question": "who?", "answer": "", "start_char": -1, "end_char": -1, "score": 3.0, "probability": 0.5,
            "file": null, "line": null, "sentence": null, "null_score": 3.0,
            "n_best": [{
                "text": "", "start_char": -1, "end_char": -1, "score": 3.0, "probability": 0.5, "file": null,
                "line": null, "sentence": null,
            }],
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn the_stand_in_of_a_model_that_always_answers_is_no_answer() {
        let text = Text::typed(" ");
        let empty = candidate("empty", -1, 0.0);
        let found = Found::new(vec![&text], vec![prediction(&empty, None, vec![empty.clone()])]);
        assert_eq!(found.bare(), "(no answer)\n");
    }

    #[test]
    fn of_several_texts_the_one_that_is_furthest_from_no_answer_goes_first() {
        let texts = [Text::typed("a cat"), Text::typed("a dog"), Text::typed("a cow")];
        let texts: Vec<&Text> = texts.iter().collect();
        let (cat, dog, cow) = (candidate("cat", 2, 9.0), candidate("dog", 2, 5.0), candidate("cow", 2, 8.0));
        let none = |score| candidate("", -1, score);
        let says = |chosen: &SpanCandidate, other: &SpanCandidate, null: f64| {
            prediction(chosen, Some(null), vec![chosen.clone(), other.clone()])
        };
        let found = Found::new(
            texts.clone(),
            vec![says(&none(9.5), &cat, 9.5), says(&dog, &none(1.0), 1.0), says(&cow, &none(7.0), 7.0)],
        );
        assert!(found.ranked.iter().map(|ranked| ranked.candidate.text.as_str()).eq(["dog", "cow", "cat"]));

        let nowhere =
            vec![says(&none(12.0), &cat, 12.0), says(&none(5.5), &dog, 5.5), says(&none(9.0), &cow, 9.0)];
        let found = Found::new(texts, nowhere);
        assert_eq!(found.bare(), "(no answer)\n");
        assert_eq!((found.ranked[0].candidate.score, found.ranked.len()), (5.5, 4));
    }
}
