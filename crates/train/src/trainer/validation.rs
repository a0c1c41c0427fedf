//! What happens after an epoch, or where `train.eval_every_steps` says so: scoring, and keeping the best model.

use std::time::Instant;

use answerer::{AnswerSettings, SplitOutcome, SplitScore, answer_split};
use artifact::{HistoryKind, HistoryRow};
use distilbert::Predictor;
use squad::SpanSettings;
use stage::Job;

use super::{Subject, Trainer};
use crate::Error;
use crate::checkpoint::Best;
use crate::records::write_weights;
use crate::stop::Reason;

/// How validation selects spans: `run_qa`'s defaults, so that no span setting of evaluate trains again.
const VALIDATION_SPANS: SpanSettings =
    SpanSettings { n_best: 20, max_answer_length: 30, null_threshold: 0.0 };

/// Questions named in an error.
const IDS_NAMED: usize = 8;

impl Trainer<'_> {
    /// Scores the model on the validation split and keeps it if it is the best so far. Returns why it was asked to
    /// stop before the end, if it was.
    pub(super) fn validate(&mut self, job: &Job) -> Result<Option<Reason>, Error> {
        self.read_losses()?;
        let started = Instant::now();
        let Subject { model, runtime, validation, .. } = self.subject;
        let progress = job.progress("validation", validation.examples.len() as u64);
        let (mut not_finite, mut answered_before) = (Vec::new(), started);
        let outcome = answer_split(
            &Predictor::new(model, runtime),
            validation,
            self.recipe.eval_batch_size,
            &AnswerSettings { spans: VALIDATION_SPANS, f1_units: job.settings.evaluate.f1_units },
            |answered| {
                progress.inc(1);
                self.stop.learn(answered_before.elapsed());
                answered_before = Instant::now();
                if !answered.loss.is_finite() && not_finite.len() < IDS_NAMED {
                    not_finite.push(validation.examples.get(answered.example_index).id);
                }
                self.stop.asked().map_or(Ok(()), Err)
            },
        );
        self.records.leave_out(started);
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(reason) => return Ok(Some(reason)),
        };
        progress.finish();
        if !not_finite.is_empty() {
            return Err(Error::ValidationNotFinite {
                loss: outcome.score.loss,
                global_step: self.counters.global_step,
                examples: not_finite.join(", "),
                good: self.newest_state(),
            });
        }
        let answered = Instant::now();
        self.judge(&outcome, job)?;
        self.records.leave_out(answered);
        self.records.log(self.optimizer.optimizer_step())?;
        Ok(None)
    }

    fn judge(&mut self, outcome: &SplitOutcome, job: &Job) -> Result<(), Error> {
        let global_step = self.counters.global_step;
        let epoch = self.recipe.epoch_after(global_step);
        let SplitOutcome { score, parts, .. } = *outcome;
        let SplitScore { loss, exact_match, f1 } = score;
        tracing::info!(
            epoch,
            global_step,
            loss,
            exact_match,
            f1,
            has_answer_exact_match = parts.map(|parts| parts.has_answer.exact_match),
            has_answer_f1 = parts.map(|parts| parts.has_answer.f1),
            no_answer_exact_match = parts.map(|parts| parts.no_answer.exact_match),
            no_answer_f1 = parts.map(|parts| parts.no_answer.f1),
            "validated"
        );
        outcome.warn_about_sameness("validation");
        self.records.push(HistoryRow {
            global_step,
            epoch,
            kind: HistoryKind::Validation,
            loss,
            learning_rate: None,
            grad_norm: None,
            loss_scale: None,
            skipped: None,
            exact_match: Some(exact_match),
            f1: Some(f1),
        });
        self.counters.validated_step = global_step;
        if self.counters.best.is_none_or(|best| self.recipe.is_better(&score, &best.score())) {
            let path = self.checkpoints.best_path(global_step);
            write_weights(&path, job.fingerprint(), self.subject.model, (global_step, score))?;
            let before = self.counters.best.replace(Best { global_step, loss, exact_match, f1 });
            if let Some(before) = before.filter(|before| before.global_step < global_step) {
                self.checkpoints.discard_best(before.global_step);
            }
            self.counters.validations_since_best = 0;
        } else {
            self.counters.validations_since_best += 1;
        }
        Ok(())
    }
}
