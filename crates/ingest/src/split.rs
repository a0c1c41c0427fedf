//! The splits: where each comes from, which of its questions are kept, and where they are written.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use artifact::{SplitCounts, SplitName};
use question_files::{Article, QuestionFile, Understood};
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

/// A split, with its own settings.
#[derive(Debug)]
pub struct Split<'a> {
    pub name: SplitName,
    setting: &'static str,
    source: &'a Source,
    max_examples: usize,
    /// The setting and its list of ids.
    ids: Option<(&'static str, &'a PathBuf)>,
    /// The part of the training data, if it is one.
    part: Option<(&'a Share, Part)>,
}

impl<'a> Split<'a> {
    /// Draws the contexts that are set aside for validation, if the settings say so.
    pub fn share(settings: &Ingest, stop: &AtomicBool, job: &mut Job) -> Result<Option<Share>> {
        let Source::Share(percent) = settings.validation else { return Ok(None) };
        let train = Split::train(settings, None);
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

    /// The splits that the settings describe; `share` is the part that is set aside, if validation is a share of
    /// training.
    #[must_use]
    pub fn all(settings: &'a Ingest, share: Option<&'a Share>) -> Vec<Self> {
        let validation = Self {
            name: SplitName::Validation,
            setting: "ingest.validation",
            source: if share.is_some() { &settings.train } else { &settings.validation },
            max_examples: settings.max_validation_examples,
            ids: settings.validation_ids.as_ref().map(|path| ("ingest.validation_ids", path)),
            part: share.map(|share| (share, Part::Validation)),
        };
        let test = settings.test.as_ref().map(|source| Self {
            name: SplitName::Test,
            setting: "ingest.test",
            source,
            max_examples: 0,
            ids: None,
            part: None,
        });
        [Self::train(settings, share), validation].into_iter().chain(test).collect()
    }

    fn train(settings: &'a Ingest, share: Option<&'a Share>) -> Self {
        Self {
            name: SplitName::Train,
            setting: "ingest.train",
            source: &settings.train,
            max_examples: settings.max_train_examples,
            ids: settings.train_ids.as_ref().map(|path| ("ingest.train_ids", path)),
            part: share.map(|share| (share, Part::Train)),
        }
    }

    /// Passes all of its questions to the audit, and writes the valid questions that the settings choose to its tables.
    /// There must be at least one. Returns the metrics for the manifest.
    ///
    /// It reads the data once, or twice if the choice needs the number of questions. Only hashes and the id of each
    /// question stay in memory. `stop` ends it as a signal would.
    pub fn ingest(
        &self,
        settings: &Ingest,
        audit: &mut Audit,
        stop: &AtomicBool,
        job: &mut Job,
    ) -> Result<SplitCounts> {
        let origin = self.origin();
        let data = self.open(settings.seed, &mut job.fetcher)?;
        let job = &*job;
        let is_stopped = || job.interrupted() || stop.load(Ordering::Relaxed);
        let understood = RefCell::default();
        let source = Articles { data, is_stopped: &is_stopped, part: self.part, understood };
        let selection = self.selection(settings)?;
        let mut audit = audit.split(self.name.as_str());
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
            tracing::info!(split = self.name.as_str(), %file, "understood");
        }
        if let Some(audit) = audit {
            audit.finish();
        }
        tracing::info!(
            split = self.name.as_str(),
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
                split = self.name.as_str(),
                "no question has an answer, so there is nothing to learn or to score"
            );
        }
        let count = |count: usize| count as u64;
        Ok(SplitCounts {
            articles: count(counts.articles),
            contexts: count(counts.contexts),
            questions: count(counts.questions),
            available_questions: count(tally.questions()),
            answerable: count(counts.questions - counts.unanswerable),
            unanswerable: count(counts.unanswerable),
            several_answers: count(counts.several_answers),
            empty_answers: count(tally.empty_answers),
            edge_spaces: count(tally.edge_spaces),
            realigned: count(tally.realigned),
            skipped: tally.skipped.into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect(),
        })
    }

    /// Warns about data that is usable but may surprise the user.
    fn warn(&self, tally: &Tally, counts: &Counts) {
        let split = self.name.as_str();
        if tally.empty_answers > 0 {
            tracing::info!(
                split,
                questions = tally.empty_answers,
                "empty answer texts are read as no answer"
            );
        }
        if tally.edge_spaces > 0 {
            tracing::warn!(
                split,
                questions = tally.edge_spaces,
                "white space at the edge of an answer shifts its label by a word; `--set ingest.on_invalid=realign` trims it"
            );
        }
        if self.name == SplitName::Train && counts.several_answers > 0 {
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
        let (contexts, examples) =
            (job.output().join(self.name.contexts()), job.output().join(self.name.examples()));
        let mut tables = Tables::create(&contexts, &examples, job.fingerprint())?;
        source.each(&mut |article| {
            checker.article(article, audit.as_deref_mut(), &mut |question| {
                if choice.keeps(&question.qa.id) { tables.push(question) } else { Ok(()) }
            })
        })?;
        let tally = checker.tally;
        tally.accept(settings.on_invalid, &origin)?;
        choice.finish(&origin, self.name.as_str())?;
        let counts = tables.finish()?;
        if counts.questions == 0 {
            let (split, questions) = (self.name.as_str(), tally.questions());
            return Err(match questions {
                0 => Error::NoQuestions { origin, split },
                questions => Error::NoneLeft { origin, split, questions },
            });
        }
        Ok((tally, counts))
    }

    /// Where its questions are read from, downloaded if necessary; `seed` is that of the generated corpus.
    fn open(&self, seed: u64, fetcher: &mut Fetcher) -> Result<Data> {
        // A share of the training data is read from the training files.
        let data_of = if self.part.is_some() { SplitName::Train } else { self.name };
        let Source::At(locations) = self.source else {
            let sample = sample::generate(seed);
            let dataset = if data_of == SplitName::Train { sample.train } else { sample.validation };
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

    /// A list of ids takes precedence over a number of questions.
    fn selection(&self, settings: &Ingest) -> Result<Selection> {
        if let Some((setting, path)) = self.ids {
            return Ok(Selection::Ids { path: path.clone(), ids: question_files::read_ids(path, setting)? });
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

/// The articles of a split; they can be read more than once.
struct Articles<'a> {
    data: Data,
    is_stopped: &'a dyn Fn() -> bool,
    part: Option<(&'a Share, Part)>,
    /// The detected format of each file, once the files are read.
    understood: RefCell<Vec<Understood>>,
}

impl Articles<'_> {
    /// Passes every article to `visit`, until the stage should stop.
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
