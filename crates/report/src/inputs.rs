//! What the report is made of: the questions with their answers, the training's history, and the manifests.

use std::collections::BTreeMap;

use analysis::{EvaluatedQuestion, OwnSlices};
use artifact::{
    Artifact, Calibration, Contexts, EvaluateMetrics, Features, HistoryRow, Manifest, ProfileRow, SplitName,
    TimingRow, TrainMetrics, file_name, read_history, read_profile, read_timing,
};
use stage::Job;

use crate::Error;

/// Everything that is shown, as it was read.
pub(crate) struct Inputs {
    pub questions: Vec<EvaluatedQuestion>,
    pub contexts: Contexts,
    /// What was scored last: the test split, where there is one.
    pub split: SplitName,
    /// Whether contexts, questions and answers may be shown.
    pub texts: bool,
    /// Names of slices of one's own, those without questions too.
    pub own_slices: Vec<String>,
    pub evaluation: EvaluateMetrics,
    pub training: TrainMetrics,
    pub history: Vec<HistoryRow>,
    pub timing: Vec<TimingRow>,
    /// How fast the model answers; empty where that was not measured.
    pub profile: Vec<ProfileRow>,
    /// Tokens in the windows of each split: how many windows have how many.
    pub window_lengths: Vec<(SplitName, BTreeMap<usize, u64>)>,
    /// In the order in which the stages run.
    pub manifests: [Manifest; 4],
    /// Whether the model was trained on the data that it is evaluated on the other splits of.
    pub is_own_data: bool,
}

impl Inputs {
    pub fn read(job: &Job) -> Result<Self, Error> {
        let [ingest, features, train, evaluate] =
            [stage::INGEST.name, stage::TOKENIZE_FEATURES.name, stage::TRAIN.name, stage::EVALUATE.name]
                .map(|stage| job.input(stage));
        let evaluation =
            EvaluateMetrics::of(&evaluate.manifest).map_err(|error| other_version(evaluate, &error))?;
        let training = TrainMetrics::of(&train.manifest).map_err(|error| other_version(train, &error))?;
        let split = if evaluation.test.is_some() { SplitName::Test } else { SplitName::Validation };
        let texts = job.settings.report.texts;
        let own = OwnSlices::read(&job.settings.report.slices)?;
        let (mut questions, contexts) =
            analysis::evaluated(analysis::Inputs { evaluate, ingest, features }, split, &own)?;
        if !texts {
            number_articles(&mut questions);
        }
        let mut window_lengths = Vec::new();
        for split in SplitName::ALL.into_iter().filter(|split| features.lists(split.features())) {
            let mut lengths = BTreeMap::new();
            for feature in Features::open(&features.file(split.features())?)?.iter() {
                *lengths.entry(feature.input_ids.len()).or_default() += 1;
            }
            window_lengths.push((split, lengths));
        }
        let is_profiled = evaluate.lists(file_name::PROFILE);
        let profile =
            if is_profiled { read_profile(&evaluate.file(file_name::PROFILE)?)? } else { Vec::new() };
        let trained_from = train.manifest.inputs.iter().find(|input| input.stage == ingest.manifest.stage);
        Ok(Self {
            is_own_data: trained_from.is_none_or(|input| input.fingerprint == ingest.manifest.fingerprint),
            own_slices: own.names().map(str::to_owned).collect(),
            history: read_history(&train.file(file_name::HISTORY)?)?,
            timing: read_timing(&train.file(file_name::TIMING)?)?,
            profile,
            manifests: [ingest, features, train, evaluate].map(|artifact| artifact.manifest.clone()),
            questions,
            contexts,
            split,
            texts,
            evaluation,
            training,
            window_lengths,
        })
    }
}

impl Inputs {
    /// What evaluate found about the confidences of these questions; none if it fitted no temperature.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.evaluation.test.as_ref().unwrap_or(&self.evaluation.validation).calibration.as_ref()
    }
}

/// Titles are texts, too.
fn number_articles(questions: &mut [EvaluatedQuestion]) {
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for question in questions {
        let next = numbers.len() + 1;
        let number = *numbers.entry(std::mem::take(&mut question.article)).or_insert(next);
        for slice in question.slices.iter_mut().filter(|slice| slice.slicing == "article") {
            slice.value = format!("article {number}");
        }
    }
}

fn other_version(artifact: &Artifact, reason: &impl ToString) -> Error {
    let Manifest { stage, fingerprint, .. } = &artifact.manifest;
    Error::OtherVersion { stage: stage.clone(), fingerprint: fingerprint.clone(), reason: reason.to_string() }
}
