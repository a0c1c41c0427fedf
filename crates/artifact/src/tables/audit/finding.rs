//! What an audit can find, and how much it matters.

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The question cannot be used as it is.
    Error,
    /// The question can be used, but it makes training or scores worse.
    Warning,
    /// Worth a look.
    Notice,
}

impl Severity {
    /// The word in the column.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// What happened to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It is used unchanged.
    Kept,
    /// It is used, with its answer moved.
    Realigned,
    /// It is left out.
    Skipped,
}

impl Outcome {
    /// The word in the column.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Realigned => "realigned",
            Self::Skipped => "skipped",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        [Self::Kept, Self::Realigned, Self::Skipped].into_iter().find(|outcome| outcome.name() == name)
    }
}

macro_rules! findings {
    ($($(#[doc = $doc:literal])+ $finding:ident: $name:literal, $severity:ident, $about:literal;)+) => {
        /// What an audit can find, the most severe first.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Finding {
            $($(#[doc = $doc])+ $finding,)+
        }

        impl Finding {
            /// All of them, the most severe first.
            pub const ALL: &'static [Self] = &[$(Self::$finding),+];

            /// The word in the column.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$finding => $name),+ }
            }

            /// How much it matters.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$finding => Severity::$severity),+ }
            }

            /// What it is and what it causes, for people.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self { $(Self::$finding => $about),+ }
            }
        }
    };
}

findings! {
    /// The context has another text at the answer's offset.
    AnswerNotAtOffset: "answer_not_at_offset", Error, "the context has another text at answer_start";
    /// An offset before the start or past the end of the context.
    OffsetOutsideContext: "offset_outside_context", Error, "answer_start is before the context or past its end";
    /// An earlier question of the split has the id.
    DuplicateId: "duplicate_id", Error, "an earlier question has the same id";
    /// The id is the empty string.
    EmptyId: "empty_id", Error, "the id is empty";
    /// The context is only white space.
    EmptyContext: "empty_context", Error, "the context is empty";
    /// The question is only white space.
    EmptyQuestion: "empty_question", Error, "the question is empty";
    /// No answers, and no statement that there are none.
    Unlabelled: "unlabelled", Error, "the question has no `answers`";
    /// An answer without `answer_start`.
    NoOffset: "no_offset", Error, "an answer has no answer_start";
    /// `is_impossible` is true, but there are answers.
    ImpossibleWithAnswers: "impossible_with_answers", Error, "is_impossible is true, but there are answers";
    /// A validation paragraph that is also in the training data.
    ContextInTrain: "context_in_train", Warning, "a context of validation or test that is also in training";
    /// A validation question that is also in the training data, with its paragraph.
    QuestionInTrain: "question_in_train", Warning, "a question of validation or test that training asks about the same \
                      context";
    /// A validation question that is also in the training data, with another paragraph.
    QuestionTextInTrain: "question_text_in_train", Notice, "a question of validation or test that training asks about \
                          another context";
    /// A test paragraph that is also in the validation data.
    ContextInValidation: "context_in_validation", Warning, "a context of test that is also in validation, which chooses the \
                          weights";
    /// The same question about the same paragraph, earlier in the split.
    DuplicateQuestion: "duplicate_question", Warning, "an earlier question asks the same about the same context";
    /// White space at an edge of an answer.
    AnswerHasEdgeSpace: "answer_has_edge_space", Warning, "white space at an edge of the answer moves its label by a word";
    /// The answer begins in the middle of a token.
    AnswerStartsInsideToken: "answer_starts_inside_token", Warning, "no token starts where the answer starts, so its label \
                              is longer";
    /// The answer ends in the middle of a token.
    AnswerEndsInsideToken: "answer_ends_inside_token", Warning, "no token ends where the answer ends, so its label is \
                            longer";
    /// The answer begins in the middle of a word.
    AnswerStartsInsideWord: "answer_starts_inside_word", Notice, "the answer starts in the middle of a word";
    /// The answer ends in the middle of a word.
    AnswerEndsInsideWord: "answer_ends_inside_word", Notice, "the answer ends in the middle of a word";
    /// A paragraph that needs many windows.
    OversizedContext: "oversized_context", Notice, "a context of more than 10,000 characters needs many windows";
    /// A question that leaves little room for its context.
    OversizedQuestion: "oversized_question", Notice, "a question of more than 300 characters leaves little room for its \
                        context";
    /// An answer longer than evaluate considers.
    OversizedAnswer: "oversized_answer", Notice, "an answer of more than 200 characters is longer than evaluate considers";
}

impl Finding {
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|finding| finding.name() == name)
    }
}
