//! Parts: the answers to so many questions in a file of JSON Lines, sealed by a last line with its hash. A part is there
//! as a whole or not at all.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use squad::{Means, QuestionScore};

use super::questions::Census;
use crate::Error;

/// Questions of a part. Batches end with a part, so that its answers do not depend on what was answered before it.
pub(crate) const PART_QUESTIONS: u64 = 512;

/// The answer to a question, as all forms of output have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    /// Empty for no answer.
    pub(crate) prediction_text: String,
    /// In characters of the context; -1 for no answer.
    pub(crate) start_char: i32,
    pub(crate) end_char: i32,
    /// Start logit + end logit; none for a question that cannot be asked.
    pub(crate) score: Option<f64>,
    /// Among the candidates.
    pub(crate) probability: Option<f64>,
    /// The score of no answer, where the model knows that.
    pub(crate) null_score: Option<f64>,
    /// Why the question cannot be asked.
    pub(crate) error: Option<String>,
    /// Of a labelled question, 0 or 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exact_match: Option<f64>,
    /// Of a labelled question, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) f1: Option<f64>,
}

impl Row {
    /// One line.
    pub(crate) fn to_line(&self) -> String {
        let row = serde_json::to_string(self).expect("a row has string keys and finite numbers");
        row + "\n"
    }
}

/// What the answers of a part, or of all, add up to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) questions: u64,
    /// Questions that the model says have no answer.
    pub(crate) no_answer: u64,
    /// Questions that cannot be asked.
    pub(crate) refused: u64,
    has_answer: Sums,
    has_none: Sums,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    questions: u64,
    exact_match: f64,
    f1: f64,
}

impl Sums {
    fn means(&self) -> Means {
        let questions = self.questions.max(1) as f64;
        Means {
            questions: self.questions as usize,
            exact_match: 100.0 * self.exact_match / questions,
            f1: 100.0 * self.f1 / questions,
        }
    }

    fn add(&mut self, other: &Self) {
        self.questions += other.questions;
        self.exact_match += other.exact_match;
        self.f1 += other.f1;
    }
}

impl Totals {
    pub(crate) fn count(&mut self, row: &Row, score: Option<QuestionScore>) {
        self.questions += 1;
        self.refused += u64::from(row.error.is_some());
        self.no_answer += u64::from(row.error.is_none() && row.start_char < 0);
        if let Some(QuestionScore { has_answer, exact_match, f1 }) = score {
            let sums = if has_answer { &mut self.has_answer } else { &mut self.has_none };
            sums.add(&Sums { questions: 1, exact_match, f1 });
        }
    }

    pub(crate) fn add(&mut self, part: &Self) {
        self.questions += part.questions;
        self.no_answer += part.no_answer;
        self.refused += part.refused;
        self.has_answer.add(&part.has_answer);
        self.has_none.add(&part.has_none);
    }

    /// Of all labelled questions, and of those with and without an answer where there are both.
    pub(crate) fn means(&self) -> BTreeMap<&'static str, Means> {
        let mut all = self.has_answer.clone();
        all.add(&self.has_none);
        let mut means = BTreeMap::new();
        if all.questions > 0 {
            means.insert("", all.means());
        }
        if self.has_none.questions > 0 {
            means.insert("has_answer", self.has_answer.means());
            means.insert("no_answer", self.has_none.means());
        }
        means
    }
}

/// The last line of a part.
#[derive(Debug, Serialize, Deserialize)]
struct Seal {
    part: u64,
    totals: Totals,
    /// Of the lines before it.
    blake3: String,
}

/// A part that is there, and whole.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) path: PathBuf,
    pub(crate) totals: Totals,
}

/// A part in the making.
pub(crate) struct PartWriter {
    lines: String,
    totals: Totals,
}

impl PartWriter {
    pub(crate) fn new() -> Self {
        Self { lines: String::new(), totals: Totals::default() }
    }

    pub(crate) fn push(&mut self, row: &Row, score: Option<QuestionScore>) {
        self.lines += &row.to_line();
        self.totals.count(row, score);
    }

    pub(crate) fn questions(&self) -> u64 {
        self.totals.questions
    }

    /// Writes the file, at once.
    pub(crate) fn finish(self, folder: &Path, part: u64) -> Result<(), Error> {
        let Self { mut lines, totals } = self;
        let seal = Seal { part, totals, blake3: blake3::hash(lines.as_bytes()).to_hex().to_string() };
        lines += &serde_json::to_string(&seal).expect("a seal has string keys and finite numbers");
        lines.push('\n');
        Ok(artifact::replace_file(&path_of(folder, part), lines.as_bytes())?)
    }
}

fn path_of(folder: &Path, part: u64) -> PathBuf {
    folder.join(format!("part-{part:08}.jsonl"))
}

/// How many questions a part has.
pub(crate) fn questions_of(part: u64, census: &Census) -> u64 {
    (census.questions - part * PART_QUESTIONS).min(PART_QUESTIONS)
}

impl Part {
    /// The part in the folder, if it is there.
    ///
    /// # Errors
    /// [`Error::DamagedPart`] for one whose bytes are not those that were written.
    pub(crate) fn find(folder: &Path, part: u64, census: &Census) -> Result<Option<Self>, Error> {
        let path = path_of(folder, part);
        let text = match fs_err::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(Error::DamagedPart { path });
            }
            Err(error) => return Err(error.into()),
        };
        let (rows, seal) = lines_and_seal(&text);
        match serde_json::from_str::<Seal>(seal) {
            Ok(seal)
                if seal.part == part
                    && seal.totals.questions == questions_of(part, census)
                    && seal.blake3 == blake3::hash(rows.as_bytes()).to_hex().as_str() =>
            {
                Ok(Some(Self { path, totals: seal.totals }))
            }
            _ => Err(Error::DamagedPart { path }),
        }
    }

    /// The lines of its rows.
    pub(crate) fn lines(&self) -> Result<String, Error> {
        let mut text = fs_err::read_to_string(&self.path)?;
        text.truncate(lines_and_seal(&text).0.len());
        Ok(text)
    }

    /// Its rows.
    pub(crate) fn rows(&self) -> Result<Vec<Row>, Error> {
        let damaged = |_| Error::DamagedPart { path: self.path.clone() };
        self.lines()?.lines().map(|line| serde_json::from_str(line).map_err(damaged)).collect()
    }
}

/// The rows' lines, and the last line.
fn lines_and_seal(text: &str) -> (&str, &str) {
    let end = text.trim_end_matches('\n').rfind('\n').map_or(0, |end| end + 1);
    text.split_at(end)
}
