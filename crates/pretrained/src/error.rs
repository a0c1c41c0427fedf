//! What can be wrong with the folder of a model, each with a remedy.

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

    /// A JSON file is malformed, or has another structure.
    #[error("{}, line {line}, column {column}: {message}", path.display())]
    #[diagnostic(help("expected {expected}"))]
    Json {
        path: PathBuf,
        /// Counted from 1; of the decompressed text.
        line: usize,
        /// Counted from 1.
        column: usize,
        message: String,
        /// What the file should hold.
        expected: &'static str,
    },

    /// The base model's folder is not there.
    #[error("{} is not a folder", path.display())]
    #[diagnostic(help(
        "name the folder of a model: config.json, tokenizer.json or vocab.txt, and model.safetensors or \
         pytorch_model.bin; `scripts/setup` fetches the default base model"
    ))]
    NoModel {
        /// What was named.
        path: PathBuf,
    },

    /// The base model's folder lacks a file.
    #[error("{} holds no {name}", folder.display())]
    #[diagnostic(help(
        "a model is a folder with config.json, tokenizer.json or vocab.txt, and model.safetensors or \
         pytorch_model.bin, whole or in shards with their index"
    ))]
    NoModelFile {
        folder: PathBuf,
        /// The file that is missing.
        name: &'static str,
    },

    /// The base model's folder has no vocabulary.
    #[error("{} holds neither tokenizer.json nor vocab.txt", folder.display())]
    #[diagnostic(help("copy one of them from the source of config.json and model.safetensors"))]
    NoTokenizer { folder: PathBuf },

    /// The configuration does not name its model type.
    #[error("{} has no model_type, expected \"distilbert\" or \"bert\"", path.display())]
    #[diagnostic(help(
        "for a {} model, add the line \"model_type\": \"{likely}\",",
        if *likely == "bert" { "BERT or MiniLM" } else { "DistilBERT" }
    ))]
    NoModelType {
        /// The configuration.
        path: PathBuf,
        /// The family that its keys belong to.
        likely: &'static str,
    },

    /// The model belongs to a family that cannot be converted to DistilBERT.
    #[error("{}: model_type is {found:?}, expected \"distilbert\" or \"bert\"", path.display())]
    #[diagnostic(help("choose a DistilBERT, BERT or MiniLM model"))]
    ModelType {
        /// Its configuration.
        path: PathBuf,
        /// Its `model_type`.
        found: String,
    },

    /// The base model computes something that DistilBERT does not.
    #[error("{}: {what} is {found}, expected {expected}", path.display())]
    #[diagnostic(help("DistilBERT does not support this: choose another model"))]
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

    /// The file is not a safetensors file.
    #[error("{} is not a valid safetensors file", path.display())]
    #[diagnostic(help("it is damaged or incomplete: fetch it again"))]
    Safetensors { path: PathBuf, source: Box<safetensors::SafeTensorError> },

    /// A `pytorch_model.bin` is refused.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pytorch(#[from] pytorch_file::Error),

    /// The shards of a model do not match its index.
    #[error("{}: {count} of its entries do not match the files beside it\n{listing}", path.display())]
    #[diagnostic(help("the index and the shards must come from the same model: fetch all of them again"))]
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
    #[diagnostic(help("the weights are damaged: fetch or train the model again, or choose another one"))]
    NotFinite {
        path: PathBuf,
        /// The tensor.
        name: String,
        not_finite: usize,
        values: usize,
    },

    /// The tensors do not match the configuration.
    #[error("{}: {count} tensors do not match the {model_type} model of its config.json\n{listing}", path.display())]
    #[diagnostic(help("config.json and the weights must come from the same model: fetch both again"))]
    Tensors {
        /// The file with the weights.
        path: PathBuf,
        /// Its family.
        model_type: &'static str,
        /// How many are missing, surplus, mis-shaped or of another type.
        count: usize,
        /// The first of them, one per line.
        listing: String,
    },

    /// The tokenizer has more tokens than the model has embeddings.
    #[error("{}: the tokenizer has {tokenizer} tokens, config.json says vocab_size {model}", folder.display())]
    #[diagnostic(help(
        "the tokenizer and the weights must come from the same model: fetch all files of the folder again"
    ))]
    VocabularySize {
        /// The base model's folder.
        folder: PathBuf,
        /// Tokens of the tokenizer, added ones included.
        tokenizer: u64,
        /// Rows of the word embeddings.
        model: usize,
    },

    /// Two tokens have one id, or one has none.
    #[error("{}: token {token:?} has the id {id}; each token needs an id of its own", path.display())]
    #[diagnostic(help("the file was altered: fetch the model again"))]
    VocabularyIds {
        /// The tokenizer.
        path: PathBuf,
        /// The second token with this id.
        token: String,
        /// Its id, or that it has none.
        id: String,
    },

    /// A token that takes more than one line of `vocab.txt`.
    #[error("{}: token {token:?} holds a line break", path.display())]
    #[diagnostic(help(
        "vocab.txt has one token per line, so every later id would shift: choose another model"
    ))]
    LineBreak {
        /// The tokenizer.
        path: PathBuf,
        token: String,
    },

    /// The tokenizer's class is not BERT's WordPiece.
    #[error("{}: {key} is {found:?}, expected {expected}", path.display())]
    #[diagnostic(help(
        "distilburn supports only BERT's WordPiece tokenizer: choose another model. If its tokenizer.json is WordPiece, \
         write \"PreTrainedTokenizerFast\" there"
    ))]
    OtherTokenizer {
        /// The file that says so.
        path: PathBuf,
        key: &'static str,
        /// What it says.
        found: String,
        /// What is possible.
        expected: &'static str,
    },

    /// The vocabulary is one of `SentencePiece` or of byte-level BPE.
    #[error(
        "{}: {count} of {tokens} tokens begin with {:?}, as in {example:?}: this is not a WordPiece vocabulary",
        path.display(), example.chars().next().unwrap_or_default()
    )]
    #[diagnostic(help("distilburn supports only BERT's WordPiece tokenizer: choose another model"))]
    OtherPieces {
        /// The vocabulary.
        path: PathBuf,
        /// How many have the mark.
        count: usize,
        tokens: usize,
        /// The first of them.
        example: String,
    },

    /// A git-lfs pointer in the place of the file.
    #[error("{} is a git-lfs pointer, not the file itself", path.display())]
    #[diagnostic(help(
        "the model was cloned without git-lfs: install it and run `git lfs pull` in that folder, or name the model by its \
         Hub id"
    ))]
    LfsPointer { path: PathBuf },

    /// A pipe, a device or a folder in the place of a file.
    #[error("{} is not a regular file", path.display())]
    #[diagnostic(help("replace it with the model's own file"))]
    NotAFile { path: PathBuf },

    /// A file of a model that is larger than it can be.
    #[error("{} has {bytes} bytes, expected at most {limit}", path.display())]
    #[diagnostic(help("replace it with the model's own file"))]
    TooLarge {
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The most bytes that are read.
        limit: u64,
    },

    /// A file of an exported model was changed after it was written.
    #[error("{} has the BLAKE3 hash {found}, training_config.json says {expected}", path.display())]
    #[diagnostic(help(
        "the file is damaged or was changed: export or copy the model again; if you changed it on purpose, remove its line \
         from \"files\" in training_config.json, and the line \"checksum\""
    ))]
    Changed {
        path: PathBuf,
        found: String,
        /// The hash of the written file.
        expected: String,
    },

    /// Weights were made with another tokenizer, or are of another shape.
    #[error("{what}: {key} is {found}, the base model's is {expected}")]
    #[diagnostic(help(
        "weights only fit the tokenizer and shape that they were trained with: set `ingest.base_model` to the model that \
         they came from"
    ))]
    OtherModel {
        /// The source of the weights.
        what: String,
        /// What differs.
        key: String,
        found: String,
        /// The value of the base model.
        expected: String,
    },

    /// `vocab.txt` and `tokenizer.json` hold different tokens.
    #[error("{}, line {line}: {found:?}, where tokenizer.json has {expected:?}", path.display())]
    #[diagnostic(help("both must come from the same model: fetch the model again, or delete vocab.txt"))]
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
    #[diagnostic(help("DistilBERT needs a BERT tokenizer: choose another model"))]
    TokenizerKind {
        /// The tokenizer.
        path: PathBuf,
        part: &'static str,
        /// Its type.
        found: String,
        /// The type that is possible.
        expected: &'static str,
    },

    /// The tokenizer cannot be loaded.
    #[error("{} cannot be used", path.display())]
    #[diagnostic(help("fetch the model again"))]
    Tokenizer {
        /// The tokenizer.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<squad::Error>,
    },

    /// The tokenizer puts other tokens around a pair than it should.
    #[error("{}: the tokenizer puts the ids {found:?} around a pair of texts, expected {expected:?} ([CLS] and [SEP])", path.display())]
    #[diagnostic(help("its post_processor was altered: fetch the model again"))]
    AroundPair {
        /// The tokenizer.
        path: PathBuf,
        /// The ids.
        found: [i32; 2],
        /// The ids of the two tokens.
        expected: [u32; 2],
    },

    /// A special token is not in the vocabulary.
    #[error("{} has no token {token}", path.display())]
    #[diagnostic(help(
        "question answering needs [CLS], [SEP], [PAD], [UNK] and [MASK]: choose another model"
    ))]
    SpecialToken {
        /// The tokenizer or vocabulary.
        path: PathBuf,
        token: &'static str,
    },

    /// A text file is not UTF-8.
    #[error("{} is not UTF-8", path.display())]
    #[diagnostic(help("the file is damaged: fetch the model again"))]
    Utf8 { path: PathBuf, source: std::str::Utf8Error },
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
