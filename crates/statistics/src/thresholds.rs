//! The no-answer thresholds of SQuAD v2.0: the probability of "no answer" above which a question is left unanswered.

/// One question as `evaluate-v2.0.py` sees it before any threshold. Every question must have a prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholded {
    /// How sure the system is that there is no answer; any monotonic score works, such as the null score minus the best
    /// span's.
    pub no_answer_probability: f64,
    /// Exact match or F1 of the prediction.
    pub score: f64,
    /// Whether the question has gold answers.
    pub has_answer: bool,
    /// Whether the prediction is not the empty text.
    pub gives_answer: bool,
}

/// The threshold with the highest mean score: questions with a greater probability are left unanswered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BestThreshold {
    /// Mean score over all questions, 0 to 1; 0 without questions.
    pub score: f64,
    /// The greatest probability that is still answered.
    pub threshold: f64,
}

impl Thresholded {
    /// The score once questions above the threshold are left unanswered: `apply_no_ans_threshold` of the script.
    #[must_use]
    pub fn score_at(&self, threshold: f64) -> f64 {
        if self.no_answer_probability > threshold {
            f64::from(u8::from(!self.has_answer))
        } else {
            self.score
        }
    }

    /// The change of the score if the question is answered, by the script's rule.
    fn gain(&self) -> f64 {
        match (self.has_answer, self.gives_answer) {
            (true, _) => self.score,
            (false, true) => -1.0,
            (false, false) => 0.0,
        }
    }
}

/// Equal to `find_best_thresh` of `evaluate-v2.0.py` (its score divided by 100): the threshold is 0 unless answering
/// beats leaving everything unanswered, and equal probabilities are taken one by one in the given order. So the score
/// may be unattainable: see [`attainable_best_threshold`].
#[must_use]
pub fn best_threshold(questions: &[Thresholded]) -> BestThreshold {
    best(questions, 0.0, |_, _| false)
}

/// The best score that a threshold can reach: questions of equal probability are answered together. If leaving
/// everything unanswered is best, the threshold is just below the least probability.
#[must_use]
pub fn attainable_best_threshold(questions: &[Thresholded]) -> BestThreshold {
    let least = questions.iter().map(|question| question.no_answer_probability).reduce(f64::min);
    best(questions, least.map_or(0.0, f64::next_down), |a, b| order(a, b).is_eq())
}

/// Answers groups of questions in ascending order and keeps the first threshold that no later one improves on.
fn best(questions: &[Thresholded], unanswered: f64, together: impl Fn(f64, f64) -> bool) -> BestThreshold {
    let probability = |question: &&Thresholded| question.no_answer_probability;
    let mut ascending: Vec<&Thresholded> = questions.iter().collect();
    ascending.sort_by(|a, b| order(probability(a), probability(b)));
    let mut score = questions.iter().filter(|question| !question.has_answer).count() as f64;
    let mut best = BestThreshold { score, threshold: unanswered };
    for group in ascending.chunk_by(|a, b| together(probability(a), probability(b))) {
        score += group.iter().map(|question| question.gain()).sum::<f64>();
        if score > best.score {
            best = BestThreshold { score, threshold: probability(&group[0]) };
        }
    }
    best.score /= questions.len().max(1) as f64;
    best
}

/// Python's order, in which -0.0 equals 0.0; adding 0.0 makes them the same.
fn order(a: f64, b: f64) -> std::cmp::Ordering {
    (a + 0.0).total_cmp(&(b + 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(no_answer_probability: f64, score: f64, has_answer: bool) -> Thresholded {
        Thresholded { no_answer_probability, score, has_answer, gives_answer: true }
    }

    #[test]
    fn ties_make_the_official_score_unattainable() {
        let tied = [question(0.5, 1.0, true), question(0.5, 0.0, false)];
        assert_eq!(best_threshold(&tied), BestThreshold { score: 1.0, threshold: 0.5 });
        let attainable = attainable_best_threshold(&tied);
        assert!((attainable.score - 0.5).abs() < f64::EPSILON);
        assert!(attainable.threshold < 0.5);
    }

    #[test]
    fn without_answerable_questions_everything_stays_unanswered() {
        let unanswerable = [question(0.0, 0.0, false), question(0.3, 0.0, false)];
        assert_eq!(best_threshold(&unanswerable), BestThreshold { score: 1.0, threshold: 0.0 });
        let attainable = attainable_best_threshold(&unanswerable);
        assert!((attainable.score - 1.0).abs() < f64::EPSILON);
        assert!(unanswerable.iter().all(|question| question.score_at(attainable.threshold) > 0.5));
    }

    #[test]
    fn no_questions_score_0_at_0() {
        let nothing = BestThreshold { score: 0.0, threshold: 0.0 };
        assert_eq!((best_threshold(&[]), attainable_best_threshold(&[])), (nothing, nothing));
    }

    /// The largest difference between two orders of summing 40 terms below 1.
    const SUM_TOLERANCE: f64 = 1e-14;

    #[test]
    fn the_attainable_score_is_that_of_its_threshold_and_no_threshold_beats_it() {
        for seed in 0..50_u32 {
            let questions: Vec<_> = (0..40_u32)
                .map(|index| {
                    let bits = (seed * 40 + index).wrapping_mul(2_654_435_761) >> 16;
                    let (has_answer, gives_answer) = (bits & 1 == 0, bits & 6 != 0);
                    let score = match (has_answer, gives_answer) {
                        (true, true) => f64::from(bits >> 3 & 3) / 3.0,
                        (true, false) => 0.0,
                        (false, _) => f64::from(u8::from(!gives_answer)),
                    };
                    Thresholded {
                        no_answer_probability: f64::from(bits >> 5 & 7) / 8.0,
                        score,
                        has_answer,
                        gives_answer,
                    }
                })
                .collect();
            let mean = |threshold: f64| {
                questions.iter().map(|question| question.score_at(threshold)).sum::<f64>()
                    / questions.len() as f64
            };
            let found = attainable_best_threshold(&questions);
            assert!((mean(found.threshold) - found.score).abs() < SUM_TOLERANCE);
            let all = (-1..8).map(|eighths| mean(f64::from(eighths) / 8.0)).fold(0.0, f64::max);
            assert!((all - found.score).abs() < SUM_TOLERANCE);
            assert!(best_threshold(&questions).score >= found.score - SUM_TOLERANCE);
        }
    }
}
