//! What can be wrong with the folder of a model, each with what to do about it.

use std::path::{Path, PathBuf};

use artifact::Listing;

/// Shorthand of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong, where, and what to type next.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused; the message names the file.
    #[error(transparent)]
    #[diagnostic(help("check that the path is right and that you may read it"))]
    Io(#[from] std::io::Error),

    /// A table could not be written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] artifact::Error),

    /// A JSON file is malformed, or of another form.
    #[error("{}, line {line}, column {column}: {message}", path.display())]
    #[diagnostic(help("expected {expected}"))]
    Json {
        /// The file.
        path: PathBuf,
        /// Counted from 1; of the decompressed text.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What was found there.
        message: String,
        /// What the file should hold.
        expected: &'static str,
    },

    /// The base model's folder is not there.
    #[error("{} (ingest.base_model) is no folder", path.display())]
    #[diagnostic(help("run `scripts/setup` for the default one, or give `--set ingest.base_model=FOLDER`"))]
    NoModel {
        /// The setting.
        path: PathBuf,
    },

    /// The base model's folder lacks a file.
    #[error("{} holds no {name}", folder.display())]
    #[diagnostic(help(
        "a base model is a folder with config.json, tokenizer.json or vocab.txt, and model.safetensors or \
         pytorch_model.bin, whole or in shards with their index"
    ))]
    NoModelFile {
        /// The folder.
        folder: PathBuf,
        /// The file that is missing.
        name: &'static str,
    },

    /// The base model's folder has no vocabulary.
    #[error("{} holds neither tokenizer.json nor vocab.txt", folder.display())]
    #[diagnostic(help("copy them from where config.json and model.safetensors are from"))]
    NoTokenizer {
        /// The folder.
        folder: PathBuf,
    },

    /// The base model is of a family that cannot become a DistilBERT.
    #[error("{}: model_type is {found}, expected \"distilbert\" or \"bert\"", path.display())]
    #[diagnostic(help("choose a DistilBERT, BERT or MiniLM checkpoint for ingest.base_model"))]
    ModelType {
        /// Its configuration.
        path: PathBuf,
        /// Its `model_type`.
        found: String,
    },

    /// The base model computes something that DistilBERT does not.
    #[error("{}: {what} is {found}, expected {expected}", path.display())]
    #[diagnostic(help("DistilBERT cannot compute this model: choose another one for ingest.base_model"))]
    ModelConfig {
        /// Its configuration.
        path: PathBuf,
        /// Key, or what several keys say.
        what: &'static str,
        /// Its value.
        found: String,
        /// The value that is possible.
        expected: String,
    },

    /// The checkpoint is no safetensors file.
    #[error("{} is no sound safetensors file", path.display())]
    #[diagnostic(help("it is damaged or was not copied whole: fetch it again"))]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: Box<safetensors::SafeTensorError>,
    },

    /// A `pytorch_model.bin` is refused.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pytorch(#[from] pytorch_file::Error),

    /// The shards of a checkpoint are not those of its index.
    #[error("{}: {count} of its entries do not fit the files beside it\n{listing}", path.display())]
    #[diagnostic(help("index and shards must be of the same model: fetch all of them again"))]
    Index {
        /// The index.
        path: PathBuf,
        /// How many are missing or surplus.
        count: usize,
        /// The first of them, one per line.
        listing: String,
    },

    /// A tensor holds an infinity or NaN.
    #[error("{}: {not_finite} of the {values} values of {name} are infinite or NaN", path.display())]
    #[diagnostic(help("nothing can be learned from there: choose another base model, or fetch it again"))]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// How many.
        not_finite: usize,
        /// Of how many.
        values: usize,
    },

    /// The checkpoint's tensors are not those of its configuration.
    #[error("{}: {count} tensors do not fit a {model_type} model of its config.json\n{listing}", path.display())]
    #[diagnostic(help("config.json and the weights must be of the same model: fetch both again"))]
    Tensors {
        /// The checkpoint.
        path: PathBuf,
        /// Its family.
        model_type: &'static str,
        /// How many are missing, surplus, mis-shaped or of another type.
        count: usize,
        /// The first of them, one per line.
        listing: String,
    },

    /// The tokenizer and the model count different vocabularies.
    #[error("{}: the tokenizer has {tokenizer} tokens, config.json says vocab_size {model}", folder.display())]
    #[diagnostic(help(
        "tokenizer and weights must be of the same model: fetch all files of the folder again"
    ))]
    VocabularySize {
        /// The base model's folder.
        folder: PathBuf,
        /// Tokens of the tokenizer, added ones included.
        tokenizer: usize,
        /// Rows of the word embeddings.
        model: usize,
    },

    /// The tokenizer's ids are not 0, 1, 2, ….
    #[error("{}: token {token:?} has the id {id}; ids must run from 0 without gap, one token each", path.display())]
    #[diagnostic(help("the file was altered: fetch the base model again"))]
    VocabularyIds {
        /// The tokenizer.
        path: PathBuf,
        /// The token; empty where the id has none.
        token: String,
        /// Its id, or that it has none.
        id: String,
    },

    /// `vocab.txt` and `tokenizer.json` hold different tokens.
    #[error("{}, line {line}: {found:?}, where tokenizer.json has {expected:?}", path.display())]
    #[diagnostic(help("both must be of the same model: fetch the base model again, or delete vocab.txt"))]
    VocabularyDiffers {
        /// The vocabulary.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The token there.
        found: String,
        /// The token of that id in `tokenizer.json`.
        expected: String,
    },

    /// The tokenizer is of another kind than DistilBERT's.
    #[error("{}: {part} is {found}, expected {expected}", path.display())]
    #[diagnostic(help("DistilBERT needs a BERT tokenizer: choose another base model"))]
    TokenizerKind {
        /// The tokenizer.
        path: PathBuf,
        /// Which part of it.
        part: &'static str,
        /// Its type.
        found: String,
        /// The type that is possible.
        expected: &'static str,
    },

    /// The tokenizer cannot be loaded.
    #[error("{} cannot be used", path.display())]
    #[diagnostic(help("fetch the base model again"))]
    Tokenizer {
        /// The tokenizer.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<squad::Error>,
    },

    /// A special token is not in the vocabulary.
    #[error("{} has no token {token}", path.display())]
    #[diagnostic(help(
        "question answering needs [CLS], [SEP], [PAD], [UNK] and [MASK]: choose another base model"
    ))]
    SpecialToken {
        /// The tokenizer or vocabulary.
        path: PathBuf,
        /// The token.
        token: &'static str,
    },

    /// A text file is not UTF-8.
    #[error("{} is not UTF-8", path.display())]
    #[diagnostic(help("the file is damaged: fetch the base model again"))]
    Utf8 {
        /// The file.
        path: PathBuf,
        /// Where.
        source: std::str::Utf8Error,
    },
}

impl Error {
    pub(crate) fn json(path: &Path, expected: &'static str, source: &serde_json::Error) -> Self {
        let text = source.to_string();
        let message = text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]).to_owned();
        Self::Json { path: path.to_owned(), line: source.line(), column: source.column(), message, expected }
    }

    pub(crate) fn index(path: &Path, problems: Vec<String>) -> Self {
        let count = problems.len();
        Self::Index {
            path: path.to_owned(),
            count,
            listing: problems.into_iter().collect::<Listing>().to_string(),
        }
    }

    pub(crate) fn tensors(path: &Path, model_type: &'static str, problems: Vec<String>) -> Self {
        let count = problems.len();
        Self::Tensors {
            path: path.to_owned(),
            model_type,
            count,
            listing: problems.into_iter().collect::<Listing>().to_string(),
        }
    }
}
