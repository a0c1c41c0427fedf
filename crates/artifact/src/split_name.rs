//! The splits of the data, and the names of their files.

/// One of the splits. A test split is optional: it is scored once, at the end, and chooses nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SplitName {
    /// The data to train on.
    Train,
    /// The data that chooses weights, threshold and temperature.
    Validation,
    /// The data that chooses nothing.
    Test,
}

impl SplitName {
    /// In the order in which they are made.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The name in settings, file names and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// ingest: its paragraphs.
    #[must_use]
    pub const fn contexts(self) -> &'static str {
        match self {
            Self::Train => "contexts-train.arrow",
            Self::Validation => "contexts-validation.arrow",
            Self::Test => "contexts-test.arrow",
        }
    }

    /// ingest: its questions.
    #[must_use]
    pub const fn examples(self) -> &'static str {
        match self {
            Self::Train => "examples-train.arrow",
            Self::Validation => "examples-validation.arrow",
            Self::Test => "examples-test.arrow",
        }
    }

    /// tokenize-features: its windows.
    #[must_use]
    pub const fn features(self) -> &'static str {
        match self {
            Self::Train => "features-train.arrow",
            Self::Validation => "features-validation.arrow",
            Self::Test => "features-test.arrow",
        }
    }

    /// evaluate: the fine-tuned model's answers, one row per question.
    #[must_use]
    pub const fn predictions(self) -> &'static str {
        match self {
            Self::Train => "predictions-train.arrow",
            Self::Validation => "predictions-validation.arrow",
            Self::Test => "predictions-test.arrow",
        }
    }

    /// evaluate: the same of the model before fine-tuning.
    #[must_use]
    pub const fn base_predictions(self) -> &'static str {
        match self {
            Self::Train => "predictions-base-train.arrow",
            Self::Validation => "predictions-base-validation.arrow",
            Self::Test => "predictions-base-test.arrow",
        }
    }
}

impl std::fmt::Display for SplitName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}
