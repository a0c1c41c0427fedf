//! Training and validation: where each comes from, which of its questions are kept, where they go.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use artifact::file_name;
use question_files::{Article, QuestionFile, Understood};
use serde_json::{Value, json};
use stage::settings::{Ingest, Source, Subset};
use stage::{Fetcher, Job};

use crate::audit::{Audit, SplitAudit};
use crate::check::{Checker, Rules};
use crate::error::{Error, Result};
use crate::selection::{Choice, Selection};
use crate::share::{Contexts, Part, Share};
use crate::tables::{Counts, Tables};
use crate::tally::Tally;
use crate::{local, sample};

/// One of the two splits, with the settings that are its own.
#[derive(Debug)]
pub struct Split<'a> {
    /// `train` or `validation`.
    pub name: &'static str,
    setting: &'static str,
    source: &'a Source,
    max_examples: usize,
    ids: Option<&'a PathBuf>,
    ids_setting: &'static str,
    /// Name of its table of contexts.
    contexts: &'static str,
    /// Name of its table of examples.
    examples: &'static str,
    /// Where it is a part of the training data.
    part: Option<(&'a Share, Part)>,
}

impl<'a> Split<'a> {
    /// Draws the contexts that are set aside for validation, where the settings say so.
    pub fn share(settings: &Ingest, stop: &AtomicBool, job: &mut Job) -> Result<Option<Share>> {
        let Source::Share(percent) = settings.validation else { return Ok(None) };
        let [train, _] = Split::both(settings, None);
        let data = train.open(settings.seed, &mut job.fetcher)?;
        let job = &*job;
        let is_stopped = || job.interrupted() || stop.load(Ordering::Relaxed);
        let mut contexts = Contexts::default();
        let understood = RefCell::default();
        Articles { data, is_stopped: &is_stopped, part: None, understood }.each(&mut |article| {
            contexts.push(article);
            Ok(())
        })?;
        contexts.draw(percent, settings.seed, &train.origin()).map(Some)
    }

    /// Both splits that the settings describe; `share` is what is set aside, where validation is a share of training.
    #[must_use]
    pub fn both(settings: &'a Ingest, share: Option<&'a Share>) -> [Self; 2] {
        let train = Self {
            name: "train",
            setting: "ingest.train",
            source: &settings.train,
            max_examples: settings.max_train_examples,
            ids: settings.train_ids.as_ref(),
            ids_setting: "ingest.train_ids",
            contexts: file_name::CONTEXTS_TRAIN,
            examples: file_name::EXAMPLES_TRAIN,
            part: share.map(|share| (share, Part::Train)),
        };
        let validation = Self {
            name: "validation",
            setting: "ingest.validation",
            source: if share.is_some() { &settings.train } else { &settings.validation },
            max_examples: settings.max_validation_examples,
            ids: settings.validation_ids.as_ref(),
            ids_setting: "ingest.validation_ids",
            contexts: file_name::CONTEXTS_VALIDATION,
            examples: file_name::EXAMPLES_VALIDATION,
            part: share.map(|share| (share, Part::Validation)),
        };
        [train, validation]
    }

    /// Shows all of its questions to the audit, and writes those that keep the rules and that the settings choose,
    /// at least one, to its tables; returns what the manifest says of it.
    ///
    /// The data is gone through once, and twice where the choice needs to know how many questions there are. What
    /// stays in memory of a question are hashes and its id. `stop` ends it as a signal would.
    pub fn ingest(
        &self,
        settings: &Ingest,
        audit: &mut Audit,
        stop: &AtomicBool,
        job: &mut Job,
    ) -> Result<Value> {
        let origin = self.origin();
        let data = self.open(settings.seed, &mut job.fetcher)?;
        let job = &*job;
        let is_stopped = || job.interrupted() || stop.load(Ordering::Relaxed);
        let understood = RefCell::default();
        let source = Articles { data, is_stopped: &is_stopped, part: self.part, understood };
        let selection = self.selection(settings)?;
        let mut audit = audit.split(self.name);
        let (choice, mut audit) = if let Some(choice) = selection.begin(None) {
            (choice, Some(audit))
        } else {
            let mut checker = Checker::new(Rules::from(settings));
            source.each(&mut |article| checker.article(article, Some(&mut audit), &mut |_| Ok(())))?;
            audit.finish();
            checker.tally.accept(settings.on_invalid, &origin)?;
            (selection.begin(Some(checker.tally.usable)).expect("how many there are is known"), None)
        };
        let (tally, counts) = self.write(&source, settings, choice, audit.as_mut(), job)?;
        for file in source.understood.take() {
            tracing::info!(split = self.name, %file, "understood");
        }
        if let Some(audit) = audit {
            audit.finish();
        }
        tracing::info!(
            split = self.name,
            source = origin,
            questions = tally.questions(),
            kept = counts.questions,
            realigned = tally.realigned,
            skipped = tally.skipped_count(),
            answerable = counts.questions - counts.unanswerable,
            unanswerable = counts.unanswerable,
            "read the questions"
        );
        self.warn(&tally, &counts);
        if counts.unanswerable == counts.questions {
            tracing::warn!(
                split = self.name,
                "no question has an answer: there is nothing to learn or to score"
            );
        }
        Ok(json!({
            "articles": counts.articles,
            "contexts": counts.contexts,
            "questions": counts.questions,
            "available_questions": tally.questions(),
            "answerable": counts.questions - counts.unanswerable,
            "unanswerable": counts.unanswerable,
            "several_answers": counts.several_answers,
            "empty_answers": tally.empty_answers,
            "edge_spaces": tally.edge_spaces,
            "realigned": tally.realigned,
            "skipped": tally.skipped,
        }))
    }

    /// Says what is usable and yet not as one may think.
    fn warn(&self, tally: &Tally, counts: &Counts) {
        let split = self.name;
        if tally.empty_answers > 0 {
            tracing::info!(split, questions = tally.empty_answers, "answers without text count as no answer");
        }
        if tally.edge_spaces > 0 {
            tracing::warn!(
                split,
                questions = tally.edge_spaces,
                "white space at the edge of an answer shifts its label by a word; `--set ingest.on_invalid=realign` trims it"
            );
        }
        if split == "train" && counts.several_answers > 0 {
            tracing::info!(
                questions = counts.several_answers,
                "have several answers: the first is trained on"
            );
        }
    }

    /// Writes the questions of the choice.
    fn write(
        &self,
        source: &Articles<'_>,
        settings: &Ingest,
        mut choice: Choice,
        mut audit: Option<&mut SplitAudit<'_>>,
        job: &Job,
    ) -> Result<(Tally, Counts)> {
        let origin = self.origin();
        let mut checker = Checker::new(Rules::from(settings));
        let (contexts, examples) = (job.output().join(self.contexts), job.output().join(self.examples));
        let mut tables = Tables::create(&contexts, &examples, job.fingerprint())?;
        source.each(&mut |article| {
            checker.article(article, audit.as_deref_mut(), &mut |question| {
                if choice.keeps(&question.qa.id) { tables.push(question) } else { Ok(()) }
            })
        })?;
        let tally = checker.tally;
        tally.accept(settings.on_invalid, &origin)?;
        choice.finish(&origin, self.name)?;
        let counts = tables.finish()?;
        if counts.questions == 0 {
            let (split, questions) = (self.name, tally.questions());
            return Err(match questions {
                0 => Error::NoQuestions { origin, split },
                questions => Error::NoneLeft { origin, split, questions },
            });
        }
        Ok((tally, counts))
    }

    /// Where its questions are read from, fetched where they are not here; `seed` is the generated corpus's.
    fn open(&self, seed: u64, fetcher: &mut Fetcher) -> Result<Data> {
        // A share of the training data is read from where that is.
        let data_of = if self.part.is_some() { "train" } else { self.name };
        let Source::At(locations) = self.source else {
            let sample = sample::generate(seed);
            let dataset = if data_of == "train" { sample.train } else { sample.validation };
            return Ok(Data::Sample(dataset.data.into_iter().map(Article::from).collect()));
        };
        Ok(Data::Files(local::files(locations, data_of, self.setting, fetcher)?))
    }

    fn origin(&self) -> String {
        let whole = match self.source {
            Source::Sample => "the generated corpus".to_owned(),
            Source::At(_) | Source::Share(_) => self.source.to_string(),
        };
        match self.part {
            Some((_, Part::Validation)) => format!("a share of {whole}"),
            _ => whole,
        }
    }

    /// A list of ids goes before a number of questions.
    fn selection(&self, settings: &Ingest) -> Result<Selection> {
        if let Some(path) = self.ids {
            return Ok(Selection::Ids {
                path: path.clone(),
                ids: question_files::read_ids(path, self.ids_setting)?,
            });
        }
        Ok(match (self.max_examples, settings.subset) {
            (0, _) => Selection::All,
            (count, Subset::First) => Selection::First(count),
            (count, Subset::Random) => Selection::Random { count, seed: settings.seed },
        })
    }
}

/// What a split is read from.
enum Data {
    Sample(Vec<Article>),
    Files(Vec<QuestionFile>),
}

/// The articles of a split, as often as they are wanted.
struct Articles<'a> {
    data: Data,
    is_stopped: &'a dyn Fn() -> bool,
    part: Option<(&'a Share, Part)>,
    /// What each file was taken for, once they are read.
    understood: RefCell<Vec<Understood>>,
}

impl Articles<'_> {
    /// Shows every article to `visit`, until the stage is to stop.
    fn each(&self, visit: &mut dyn FnMut(&Article) -> Result<()>) -> Result<()> {
        let mut visit = |article: &Article| {
            if (self.is_stopped)() {
                return Err(Error::Interrupted);
            }
            match self.part {
                Some((share, part)) => visit(&share.of(article, part)),
                None => visit(article),
            }
        };
        match &self.data {
            Data::Sample(articles) => articles.iter().try_for_each(visit),
            Data::Files(files) => {
                let mut articles = question_files::articles(files.clone());
                while articles.wait(self.is_stopped)
                    && let Some(article) = articles.next()
                {
                    visit(&article?)?;
                }
                if (self.is_stopped)() {
                    return Err(Error::Interrupted);
                }
                *self.understood.borrow_mut() = articles.understood();
                Ok(())
            }
        }
    }
}
