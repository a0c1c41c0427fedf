//! What a folder of parts is about: the same questions, model and settings, or its parts do not belong together.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use answerer::{Answerer, Usage};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use squad::{SpanSettings, WindowSettings};

use super::part::{PART_QUESTIONS, Part};
use super::questions::Census;
use crate::Error;

/// In the folder of parts: the [`Job`].
const JOB: &str = "job.json";

/// What is predicted, and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Settings, inputs and code, as in the fingerprint of a stage. Files count by their contents and their order, not by
    /// their names: an array job may see them in other places.
    parts: Value,
    pub(crate) census: Census,
}

impl Job {
    pub(crate) fn new(files: &[String], census: Census, answerer: &Answerer) -> Result<Self, Error> {
        let Usage { windows, spans, no_answer, temperature } = *answerer.usage();
        let WindowSettings { max_length, doc_stride } = windows;
        let SpanSettings { n_best, max_answer_length, null_threshold } = spans;
        let mut inputs = serde_json::Map::new();
        for (number, hash) in files.iter().enumerate() {
            inputs.insert(format!("file {}", number + 1), hash.as_str().into());
        }
        let model = pretrained::hash_files(answerer.folder(), &[]).map_err(answerer::Error::from)?;
        inputs.insert("model".to_owned(), artifact::fingerprint(&json!(model)).into());
        let settings = json!({
            "max_length": max_length, "doc_stride": doc_stride, "n_best": n_best,
            "max_answer_length": max_answer_length, "null_threshold": null_threshold, "no_answer": no_answer,
            "temperature": temperature,
            "precision": answerer.precision(), "questions of a part": PART_QUESTIONS,
        });
        let parts = json!({ "settings": settings, "inputs": inputs, "code": stage::EVALUATE.code() });
        Ok(Self { parts, census })
    }

    /// Whether it is about these files.
    fn is_about(&self, files: &[String]) -> bool {
        let inputs = self.parts["inputs"].as_object().map_or(0, serde_json::Map::len);
        let hash = |number: usize| self.parts["inputs"][format!("file {number}")].as_str();
        inputs == files.len() + 1 && (1..).zip(files).all(|(number, file)| hash(number) == Some(file))
    }
}

/// A folder of parts.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    /// The one beside an output.
    pub(crate) fn beside(output: &Path) -> Self {
        Self { path: output.with_added_extension("parts") }
    }

    /// What it is about; `None` where it does not exist yet.
    pub(crate) fn job(&self) -> Result<Option<Job>, Error> {
        let path = self.path.join(JOB);
        match fs_err::read(&path) {
            Ok(json) => match serde_json::from_slice(&json) {
                Ok(job) => Ok(Some(job)),
                Err(_) => Err(Error::DamagedJob { path }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The census of these files where it was taken before.
    pub(crate) fn census(&self, files: &[String]) -> Option<Census> {
        self.job().ok().flatten().filter(|job| job.is_about(files)).map(|job| job.census)
    }

    /// Begins it, or goes on with it.
    ///
    /// # Errors
    /// [`Error::OtherJob`] where its parts are about something else.
    pub(crate) fn begin(&self, job: &Job) -> Result<(), Error> {
        if let Some(earlier) = self.job()? {
            return self.check(&earlier, job);
        }
        fs_err::create_dir_all(&self.path)?;
        // Shards begin at the same time, and in containers with the same process id.
        let mut file = super::output::temporary(&self.path)?;
        serde_json::to_writer_pretty(&mut file, job).map_err(io::Error::from)?;
        file.as_file().sync_all()?;
        file.persist(self.path.join(JOB)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Keeps others from the same work: from that of a shard, (index, count), or from all of it. The lock goes with its file.
    ///
    /// # Errors
    /// [`Error::Busy`] while another process has it.
    pub(crate) fn lock(&self, shard: Option<(u64, u64)>) -> Result<File, Error> {
        let name = shard.map_or_else(
            || "all.lock".to_owned(),
            |(index, count)| format!("shard-{}-of-{count}.lock", index + 1),
        );
        let file = File::create(self.path.join(name))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Error::Busy { folder: self.path.clone() }),
            // A file system without locks.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
        }
    }

    /// Refuses another job than `expected`.
    pub(crate) fn check(&self, found: &Job, expected: &Job) -> Result<(), Error> {
        if found == expected {
            return Ok(());
        }
        let mut differences = stage::differences(&found.parts, &expected.parts);
        if differences.is_empty() {
            differences.push("the counts of the questions".to_owned());
        }
        Err(Error::OtherJob { folder: self.path.clone(), differences: differences.into_iter().collect() })
    }

    /// A part of it, if it is there and whole.
    pub(crate) fn part(&self, part: u64, census: &Census) -> Result<Option<Part>, Error> {
        Part::find(&self.path, part, census)
    }

    pub(crate) fn remove(&self) -> Result<(), Error> {
        match fs_err::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}
