//! Turns the objects of a file into articles. Neighbouring rows about the same context become one paragraph, questions
//! without an id get one, and everything is counted for the log.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fmt::Write as _;

use crate::Visit;
use crate::error::Result;
use crate::field::Field;
use crate::item::{ANY, Asked, Item, QUESTION};
use crate::question::{Article, Paragraph, Qa};

/// After this many questions, a context is passed on even if more may follow.
const MAX_QUESTIONS: usize = 4096;

/// The same for the bytes of its questions.
const MAX_QUESTION_BYTES: usize = 1 << 20;

/// The most names that the log lists: a line of a file can have a million spellings of `id`.
const MAX_NAMES: usize = 100;

/// The detected format of a file: a line for the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Understood {
    /// What the user calls the file.
    pub name: String,
    /// Its container and what it holds.
    pub form: String,
    pub questions: u64,
    /// Field ← its name in the file, if that differs.
    pub renamed: Vec<String>,
    /// Names that were ignored, because the field also has its usual name.
    pub ignored: Vec<String>,
    /// Questions whose id was made from context and question.
    pub made_ids: u64,
    /// Rows without an id that repeat an earlier context and question.
    pub repeats: u64,
    /// Questions without answers that do not say that there is none.
    pub unlabelled: u64,
    /// Answers without a place in the context.
    pub without_start: u64,
}

impl Understood {
    /// Whether all fields had their usual names.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        // Without a generated id, there is no repeat either.
        let counts = self.made_ids + self.unlabelled + self.without_start;
        self.renamed.is_empty() && self.ignored.is_empty() && counts == 0
    }
}

impl fmt::Display for Understood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        write!(f, "{}: {}, {} question{}", self.name, self.form, self.questions, plural(self.questions))?;
        if !self.renamed.is_empty() {
            write!(f, "; {}", self.renamed.join(", "))?;
        }
        if !self.ignored.is_empty() {
            write!(f, "; ignored {}", self.ignored.join(", "))?;
        }
        if self.made_ids > 0 {
            write!(f, "; made {} id{} from context and question", self.made_ids, plural(self.made_ids))?;
        }
        if self.repeats > 0 {
            let rows = if self.repeats == 1 { "row repeats" } else { "rows repeat" };
            let advice = "give all answers of a question in one row";
            write!(f, "; {} {rows} an earlier question ({advice})", self.repeats)?;
        }
        if self.without_start > 0 {
            write!(f, "; {} answer{} without answer_start", self.without_start, plural(self.without_start))?;
        }
        if self.unlabelled > 0 {
            write!(f, "; {} question{} without answers", self.unlabelled, plural(self.unlabelled))?;
        }
        Ok(())
    }
}

/// How often each pair of context and question without an id occurred, over all files.
pub(crate) type Seen = HashMap<[u8; 12], u64>;

/// Takes the objects of a file.
pub(crate) struct Gather<'a, 'b> {
    visit: Visit<'b>,
    seen: &'a mut Seen,
    pending: Option<(String, Paragraph)>,
    pending_bytes: usize,
    container: &'static str,
    kinds: BTreeSet<&'static str>,
    renamed: BTreeSet<(Field, String)>,
    ignored: BTreeSet<(Field, String)>,
    counts: Understood,
}

impl<'a, 'b> Gather<'a, 'b> {
    /// `container` is the file's format, such as `CSV`.
    pub(crate) fn new(container: &'static str, seen: &'a mut Seen, visit: Visit<'b>) -> Self {
        Self {
            visit,
            seen,
            pending: None,
            pending_bytes: 0,
            container,
            kinds: BTreeSet::new(),
            renamed: BTreeSet::new(),
            ignored: BTreeSet::new(),
            counts: Understood::default(),
        }
    }

    /// Takes the next object.
    pub(crate) fn push(&mut self, mut item: Item<ANY>) -> Result<()> {
        self.note(&mut item.renamed, &mut item.ignored);
        if let Some(paragraphs) = item.paragraphs {
            self.kinds.insert("SQuAD");
            self.flush()?;
            let paragraphs = paragraphs.into_iter().map(|mut paragraph| {
                self.note(&mut paragraph.renamed, &mut paragraph.ignored);
                paragraph.paragraph(|context, item| self.question(context, item))
            });
            let paragraphs = paragraphs.collect();
            (self.visit)(Article { title: item.title.unwrap_or_default(), paragraphs })
        } else if item.qas.is_some() {
            self.kinds.insert("paragraphs");
            self.flush()?;
            let title = item.title.take().unwrap_or_default();
            let paragraph = item.paragraph(|context, item| self.question(context, item));
            (self.visit)(Article { title, paragraphs: vec![paragraph] })
        } else if item.context.is_none() {
            debug_assert!(item.is_header);
            self.kinds.insert("MRQA");
            Ok(())
        } else {
            self.kinds.insert(if item.is_task { "Label Studio tasks" } else { "rows" });
            self.row(item)
        }
    }

    fn row(&mut self, mut item: Item<ANY>) -> Result<()> {
        let title = item.title.take().unwrap_or_default();
        let context = item.context.take().unwrap_or_default();
        let asked = item.asked();
        let qa = self.qa(&context, asked);
        let bytes = qa.text_bytes();
        self.pending_bytes += bytes;
        match &mut self.pending {
            Some((same_title, paragraph))
                if *same_title == title
                    && paragraph.context == context
                    && paragraph.qas.len() < MAX_QUESTIONS
                    && self.pending_bytes < MAX_QUESTION_BYTES =>
            {
                paragraph.qas.push(qa);
            }
            _ => {
                self.flush()?;
                self.pending_bytes = bytes;
                self.pending = Some((title, Paragraph { context, qas: vec![qa] }));
            }
        }
        Ok(())
    }

    fn question(&mut self, context: &str, mut item: Item<QUESTION>) -> Qa {
        self.note(&mut item.renamed, &mut item.ignored);
        let asked = item.asked();
        self.qa(context, asked)
    }

    fn qa(&mut self, context: &str, Asked { id, mut qa }: Asked) -> Qa {
        self.counts.questions += 1;
        match &qa.answers {
            None => self.counts.unlabelled += 1,
            Some(answers) => {
                let without = |answer: &&crate::Answer| answer.answer_start.is_none() && !answer.is_empty();
                self.counts.without_start += answers.iter().filter(without).count() as u64;
            }
        }
        qa.id = id.unwrap_or_else(|| {
            let (id, is_repeat) = made_id(context, &qa.question, self.seen);
            self.counts.made_ids += 1;
            self.counts.repeats += u64::from(is_repeat);
            id
        });
        qa
    }

    fn note(&mut self, renamed: &mut Vec<(Field, String)>, ignored: &mut Vec<(Field, String)>) {
        for (noted, names) in [(&mut self.renamed, renamed), (&mut self.ignored, ignored)] {
            noted.extend(names.drain(..).take(MAX_NAMES.saturating_sub(noted.len())));
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.pending_bytes = 0;
        match self.pending.take() {
            Some((title, paragraph)) => (self.visit)(Article { title, paragraphs: vec![paragraph] }),
            None => Ok(()),
        }
    }

    /// Passes the last ones on, and reports the format of the file `name`.
    pub(crate) fn finish(mut self, name: &str) -> Result<Understood> {
        self.flush()?;
        let kinds: Vec<_> = self.kinds.iter().copied().filter(|kind| *kind != self.container).collect();
        let form = match kinds.as_slice() {
            [] => self.container.to_owned(),
            kinds => format!("{} ({})", self.container, kinds.join(", ")),
        };
        let renamed = self.renamed.iter().map(|(field, name)| format!("{field} from `{name}`")).collect();
        let ignored = self.ignored.iter().map(|(field, name)| format!("`{name}` beside `{field}`")).collect();
        Ok(Understood { name: name.to_owned(), form, renamed, ignored, ..self.counts })
    }
}

/// An id that depends only on context, question, and how often both occurred before; and whether they did.
fn made_id(context: &str, question: &str, seen: &mut Seen) -> (String, bool) {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&(context.len() as u64).to_le_bytes())
        .update(context.as_bytes())
        .update(question.as_bytes());
    let first_bytes = |hasher: &blake3::Hasher| {
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..12]);
        bytes
    };
    let mut hash = first_bytes(&hasher);
    let before = seen.entry(hash).or_default();
    let is_repeat = *before > 0;
    if is_repeat {
        hasher.update(&before.to_le_bytes());
        hash = first_bytes(&hasher);
    }
    *before += 1;
    let id = hash.iter().fold(String::new(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    });
    (id, is_repeat)
}
