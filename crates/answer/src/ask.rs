//! `ask`: questions about texts, and the best answers.

mod found;
mod texts;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use answerer::{Answerer, Question};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use stage::{CommonOptions, ModelOptions, Progress, ProgressMode};

use self::found::Found;
use self::texts::{Text, TokenizedText};
use crate::Error;

/// So many windows take long enough for progress.
const SHOW_PROGRESS_OF: usize = 64;

/// Answer questions about a text, or about all texts in a folder
///
/// The answer goes to stdout: a piece of the text, or "(no answer)" from a model that was trained on questions without one.
/// On a terminal, ask also prints its probability among the candidates, its line and its sentence.
///
/// Texts come from files, the .txt and .md files of folders, stdin (- or a pipe), or --context. With several texts, the best
/// answer is shown; a percentage compares the candidates within one text. Without a question, each line of stdin is a question
/// until Ctrl-D, and the model stays loaded.
///
/// Without --model, the newest export of `distilburn run` with the same options answers. Windows and the choice of answers
/// are the model's own, as its `training_config.json` says; `--set` overrides them: `tokenize-features.max_length` and
/// `doc_stride`, `evaluate.n_best`, `max_answer_length` and `null_threshold`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  distilburn ask \"Who rebuilt the dome?\" halden.txt
  distilburn ask \"Who rebuilt the dome?\" notes/ --top 3
  distilburn ask notes/                                  asks for questions
  curl -s https://example.org/a.txt | distilburn ask --model owner/name \"Who …?\"
  distilburn ask --questions questions.txt halden.txt --json")]
pub struct AskOptions {
    /// The question, unless --question or --questions gives it, and the files or folders to find the answer in
    ///
    /// If the first word is an existing file or folder, questions are read from stdin.
    #[arg(value_name = "QUESTION|FILE")]
    words: Vec<String>,

    /// The question
    #[arg(long, short = 'Q', value_name = "TEXT", conflicts_with = "questions")]
    question: Option<String>,

    /// Read questions from FILE, one per line
    #[arg(long, value_name = "FILE")]
    questions: Option<PathBuf>,

    /// The text to find the answer in
    #[arg(long, short = 'C', value_name = "TEXT", conflicts_with = "context_file")]
    context: Option<String>,

    /// Read that text from FILE; - is stdin
    #[arg(long, value_name = "FILE")]
    context_file: Option<PathBuf>,

    #[command(flatten)]
    model: ModelOptions,

    /// How many answers to show
    #[arg(
        long,
        default_value_t = 1,
        value_name = "N",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..)
    )]
    top: usize,

    /// Print one JSON object per question
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

/// Where questions come from.
enum Questions {
    /// The command line or a file.
    Given(Vec<String>),
    /// Stdin, line by line.
    Prompt,
}

pub(crate) fn run(options: &AskOptions) -> Result<(), Error> {
    let (questions, paths) = questions(options)?;
    let texts = read_texts(options, &questions, &paths)?;
    let answerer = answerer::open_model(options.model.model.as_deref(), &options.common, "ask")?;
    let texts: Vec<TokenizedText> =
        texts.into_iter().map(|text| text.tokenize(&answerer)).collect::<Result<_, _>>()?;
    let asking = Asking { options, answerer, texts };
    match questions {
        Questions::Given(questions) => questions.iter().try_for_each(|question| asking.ask(question)),
        Questions::Prompt => asking.prompt(),
    }
}

/// The questions, and what is left of the words: the paths of the texts.
fn questions(options: &AskOptions) -> Result<(Questions, Vec<PathBuf>), Error> {
    let mut words = options.words.as_slice();
    let questions = if let Some(question) = &options.question {
        vec![question.clone()]
    } else if let Some(file) = &options.questions {
        let bytes = fs_err::read(file)?;
        let text = String::from_utf8(bytes).map_err(|_| Error::NotText { path: file.clone() })?;
        let lines: Vec<String> =
            text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
        if lines.is_empty() {
            return Err(Error::Empty { what: "list of questions" });
        }
        lines
    } else if let Some((first, rest)) = words.split_first()
        && first != "-"
        && !Path::new(first).exists()
    {
        words = rest;
        vec![first.clone()]
    } else {
        return Ok((Questions::Prompt, words.iter().map(PathBuf::from).collect()));
    };
    if questions.iter().any(|question| question.trim().is_empty()) {
        return Err(Error::Empty { what: "question" });
    }
    Ok((Questions::Given(questions), words.iter().map(PathBuf::from).collect()))
}

fn read_texts(options: &AskOptions, questions: &Questions, paths: &[PathBuf]) -> Result<Vec<Text>, Error> {
    let mut texts: Vec<Text> = options.context.iter().map(|context| Text::typed(context)).collect();
    let stdin_is_free = matches!(questions, Questions::Given(_));
    for path in options.context_file.iter().chain(paths) {
        if path.as_os_str() == "-" && !stdin_is_free {
            return Err(Error::StdinTwice);
        }
        texts.extend(texts::read(path)?);
    }
    if texts.is_empty() && stdin_is_free && !io::stdin().is_terminal() {
        texts.push(texts::read_stdin()?);
    }
    match texts.iter().find(|text| text.is_empty()) {
        None if texts.is_empty() => Err(Error::NoText),
        None => Ok(texts),
        Some(_) => Err(Error::Empty { what: "text" }),
    }
}

/// A model with the texts that it is asked about.
struct Asking<'a> {
    options: &'a AskOptions,
    answerer: Answerer,
    texts: Vec<TokenizedText>,
}

impl Asking<'_> {
    /// Answers one question.
    fn ask(&self, question: &str) -> Result<(), Error> {
        let found = self.find(question)?;
        if !found.is_finite() {
            return Err(Error::NotFinite { path: self.answerer.folder().to_owned() });
        }
        let top = self.options.top;
        let is_one = top == 1 && self.texts.len() == 1;
        let text = if self.options.json {
            found.json(question, top)
        } else if is_one && !io::stdout().is_terminal() {
            found.bare()
        } else if self.options.questions.is_some() {
            format!("{question}\n{}", found.lines(top))
        } else {
            found.lines(top)
        };
        Ok(stage::print(&text)?)
    }

    /// Answers each line of stdin until there are no more.
    fn prompt(&self) -> Result<(), Error> {
        let prompt = || {
            if io::stdin().is_terminal() {
                // Where it cannot be written, the answers still can.
                let _ = write!(io::stderr(), "question> ").and_then(|()| io::stderr().flush());
            }
        };
        prompt();
        for question in io::stdin().lock().lines() {
            let question = question?;
            if !question.trim().is_empty() {
                match self.ask(&question) {
                    // The next may be shorter.
                    Err(Error::Answerer(error @ answerer::Error::LongQuestion { .. })) => {
                        tracing::error!("{error}");
                    }
                    outcome => outcome?,
                }
            }
            prompt();
        }
        if io::stdin().is_terminal() {
            let _ = writeln!(io::stderr());
        }
        Ok(())
    }

    fn find(&self, question: &str) -> Result<Found<'_>, Error> {
        // A question that is too long for one text is refused before any is searched.
        let prepared = self.texts.iter().map(|TokenizedText { text, tokens }| {
            self.answerer.prepare((), question, Arc::clone(&text.text), tokens)
        });
        let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
        let windows: usize = prepared.iter().map(Question::windows).sum();
        let mode = if windows < SHOW_PROGRESS_OF {
            ProgressMode::None
        } else {
            self.options.common.output.progress()
        };
        let progress = Progress::start(mode, "windows", windows as u64);
        let mut predictions = Vec::with_capacity(self.texts.len());
        self.answerer.answer_watched(
            prepared.into_iter(),
            || progress.inc(1),
            |(), prediction| {
                predictions.push(prediction);
                Ok::<(), Error>(())
            },
        )?;
        progress.finish();
        Ok(Found::new(self.texts.iter().map(|text| &text.text).collect(), predictions))
    }
}
