//! Checks ranges and rules between settings, which types cannot express.

use toml::Value;

use super::layers::Values;
use super::{BaseModel, Location, NullThreshold, Settings, SettingsError, Source};

/// The rules that hold between the values of `settings`.
pub(super) fn check(settings: &Settings, values: &Values) -> Result<(), SettingsError> {
    let check = Check { values };
    check.run(settings)?;
    check.sources(settings)?;
    check.windows(settings)?;
    check.train(settings)?;
    check.trackers(settings)?;
    check.answers(settings)?;
    check.slices(settings)
}

struct Check<'a> {
    values: &'a Values,
}

impl Check<'_> {
    fn run(&self, settings: &Settings) -> Result<(), SettingsError> {
        self.at_most("run.threads", settings.run.threads as u64, 1024)?;
        let device = settings.run.device.as_str();
        let is_cuda = device.strip_prefix("cuda:").is_some_and(|index| index.parse::<u16>().is_ok());
        if !is_cuda && !["auto", "cpu", "mps"].contains(&device) {
            return Err(self.error(
                "run.device",
                "is not a device",
                "use \"auto\", \"cpu\", \"cuda:0\" or \"mps\"",
            ));
        }
        Ok(())
    }

    fn sources(&self, settings: &Settings) -> Result<(), SettingsError> {
        let ingest = &settings.ingest;
        let sources = [
            ("ingest.train", Some(&ingest.train)),
            ("ingest.validation", Some(&ingest.validation)),
            ("ingest.test", ingest.test.as_ref()),
        ];
        for (key, source) in sources {
            let Some(source) = source else { continue };
            let locations = match source {
                Source::Sample if key == "ingest.test" => {
                    let remedy = "name test questions of your own, or leave it empty";
                    return Err(self.error(key, "cannot be generated", remedy));
                }
                Source::Sample => continue,
                Source::Share(_) if key != "ingest.validation" => {
                    let remedy = "name a source of questions; only ingest.validation can be a share of the training data";
                    return Err(self.error(key, "cannot be a share of the training data", remedy));
                }
                Source::Share(percent) if *percent > 0.0 && *percent < 100.0 => continue,
                Source::Share(_) => {
                    return Err(self.error(key, "must be above 0% and below 100%", "\"10%\" is usual"));
                }
                Source::At(locations) => locations,
            };
            for location in locations {
                match location {
                    Location::File(path) if path.as_os_str().is_empty() => {
                        let remedy =
                            "use \"sample\", a path, a URL or a dataset on the Hub: \"rajpurkar/squad\"";
                        return Err(self.error(key, "is empty", remedy));
                    }
                    Location::Url(url) if !fetch::is_allowed(url) => {
                        let remedy = "use an https:// URL, or download the file and write its path";
                        return Err(self.error(key, "is not a supported URL", remedy));
                    }
                    Location::Glob(pattern) => {
                        if let Err(error) = glob::Pattern::new(pattern) {
                            let rule = format!("is not a valid pattern: {}", error.msg);
                            return Err(self.error(key, &rule, "for example \"data/train-*.parquet\""));
                        }
                    }
                    _ => {}
                }
            }
        }
        match (&ingest.train, &ingest.validation) {
            (Source::At(_), Source::Sample) => {
                let remedy = "name validation data, or set a share of the training data aside: \
                              ingest.validation = \"10%\"";
                return Err(self.error("ingest.validation", &self.generated("ingest.train"), remedy));
            }
            (Source::Sample, Source::At(_)) => {
                let remedy = "name training data too: ingest.train = \"FILE\"";
                return Err(self.error("ingest.train", &self.generated("ingest.validation"), remedy));
            }
            _ => {}
        }
        match &ingest.base_model {
            BaseModel::Folder(path) if path.as_os_str().is_empty() => {
                let remedy = "name a folder, or a model on the Hub: \"distilbert-base-uncased\"";
                return Err(self.error("ingest.base_model", "is empty", remedy));
            }
            BaseModel::Folder(path) if path.to_string_lossy().contains("://") => {
                let remedy = "name a folder, or the model's id on the Hub: \"distilbert-base-uncased\"";
                return Err(self.error("ingest.base_model", "is an address", remedy));
            }
            _ => {}
        }
        self.at_least_one("ingest.download_timeout_s", ingest.download_timeout_s)?;
        self.at_most("ingest.download_timeout_s", ingest.download_timeout_s, 3600)
    }

    /// The generated corpus together with the user's own data.
    fn generated(&self, other: &str) -> String {
        let (value, origin) = &self.values[other];
        format!("is the generated corpus, which cannot be combined with {other} = {value} ({origin})")
    }

    fn windows(&self, settings: &Settings) -> Result<(), SettingsError> {
        /// `[CLS]`, two `[SEP]` and a question of at least one token.
        const NOT_CONTEXT: usize = 4;
        let (max_length, doc_stride) =
            (settings.tokenize_features.max_length, settings.tokenize_features.doc_stride);
        if max_length <= NOT_CONTEXT {
            let rule = "leaves no room for [CLS], a question, two [SEP] and a context";
            return Err(self.error("tokenize-features.max_length", rule, "128 to 512 is usual"));
        }
        let room = max_length - NOT_CONTEXT;
        if doc_stride >= room {
            let (length, origin) = &self.values["tokenize-features.max_length"];
            let rule =
                format!("leaves no room for new tokens in windows of max_length = {length} ({origin})");
            let remedy = format!(
                "set doc_stride below {room}, which is max_length less [CLS], two [SEP] and the question"
            );
            return Err(self.error("tokenize-features.doc_stride", &rule, &remedy));
        }
        Ok(())
    }

    fn train(&self, settings: &Settings) -> Result<(), SettingsError> {
        let train = &settings.train;
        self.at_least_one("train.epochs", u64::from(train.epochs))?;
        self.at_least_one("train.batch_size", train.batch_size as u64)?;
        self.at_least_one("train.eval_batch_size", train.eval_batch_size as u64)?;
        self.at_least_one("train.gradient_accumulation_steps", train.gradient_accumulation_steps as u64)?;
        for (key, value) in [
            ("train.batch_size", train.batch_size),
            ("train.eval_batch_size", train.eval_batch_size),
            ("train.gradient_accumulation_steps", train.gradient_accumulation_steps),
        ] {
            self.at_most(key, value as u64, 65_536)?;
        }
        self.at_least_one("train.log_every_steps", train.log_every_steps)?;
        self.at_least_one("train.keep_checkpoints", train.keep_checkpoints as u64)?;
        if !(0.0..1.0).contains(&train.warmup_ratio) {
            return Err(self.error(
                "train.warmup_ratio",
                "must be in 0 ≤ ratio < 1",
                "0.1 is usual; with 0, warmup_steps applies",
            ));
        }
        if !(train.layerwise_lr_decay > 0.0 && train.layerwise_lr_decay <= 1.0) {
            return Err(self.error(
                "train.layerwise_lr_decay",
                "must be in 0 < decay ≤ 1",
                "0.9 is usual; 1 switches it off",
            ));
        }
        if !(train.max_minutes.is_finite() && train.max_minutes >= 0.0) {
            return Err(self.error("train.max_minutes", "must be 0 or above", "0 switches it off"));
        }
        for (key, value) in [("train.learning_rate", train.learning_rate), ("train.epsilon", train.epsilon)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(self.error(
                    key,
                    "must be above 0",
                    "3e-5 is a usual learning_rate, 1e-8 the usual epsilon",
                ));
            }
        }
        for (key, value) in
            [("train.weight_decay", train.weight_decay), ("train.max_grad_norm", train.max_grad_norm)]
        {
            if !(value.is_finite() && value >= 0.0) {
                return Err(self.error(key, "must be 0 or above", "0 switches it off"));
            }
        }
        if !train.betas.iter().all(|beta| (0.0..1.0).contains(beta)) {
            return Err(self.error("train.betas", "must both be in 0 ≤ beta < 1", "[0.9, 0.999] is usual"));
        }
        Ok(())
    }

    fn trackers(&self, settings: &Settings) -> Result<(), SettingsError> {
        let train = &settings.train;
        let uri = train.mlflow_uri.as_str();
        if !(uri.is_empty() || ["http://", "https://"].iter().any(|scheme| uri.starts_with(scheme))) {
            let remedy = "write it as \"http://localhost:5000\"; \"\" switches it off";
            return Err(self.error("train.mlflow_uri", "is not the address of a server", remedy));
        }
        if train.mlflow_experiment.trim().is_empty() {
            let remedy = "\"distilburn\" is the built-in one";
            return Err(self.error("train.mlflow_experiment", "is empty", remedy));
        }
        Ok(())
    }

    fn answers(&self, settings: &Settings) -> Result<(), SettingsError> {
        self.at_least_one("evaluate.n_best", settings.evaluate.n_best as u64)?;
        self.at_least_one("evaluate.max_answer_length", settings.evaluate.max_answer_length as u64)?;
        if matches!(settings.evaluate.null_threshold, NullThreshold::At(at) if !at.is_finite()) {
            return Err(self.error("evaluate.null_threshold", "must be finite", "write 0.0, or \"auto\""));
        }
        let seconds = settings.evaluate.profile_seconds;
        if !(0.0..=3600.0).contains(&seconds) {
            let remedy = "2 is usual; 0 switches it off";
            return Err(self.error("evaluate.profile_seconds", "must be between 0 and 3600", remedy));
        }
        let formats = &settings.export.formats;
        let repeated = formats.iter().enumerate().any(|(index, format)| formats[..index].contains(format));
        if formats.is_empty() || repeated {
            let remedy = "name one or both of \"safetensors\" and \"pytorch\"";
            return Err(self.error("export.formats", "must name each format once, and at least one", remedy));
        }
        Ok(())
    }

    fn slices(&self, settings: &Settings) -> Result<(), SettingsError> {
        const KEY: &str = "report.slices";
        let remedy = "name each slice and its file: slices = { hard = \"hard.txt\" }";
        for (name, path) in &settings.report.slices {
            if name.trim().is_empty() {
                return Err(self.error(KEY, "has a slice without a name", remedy));
            }
            if path.as_os_str().is_empty() {
                return Err(self.error(KEY, &format!("names no file for the slice {name:?}"), remedy));
            }
        }
        Ok(())
    }

    fn at_least_one(&self, key: &str, value: u64) -> Result<(), SettingsError> {
        if value == 0 {
            Err(self.error(key, "must be 1 or above", "write a whole number from 1 up"))
        } else {
            self.at_most(key, value, u64::from(u32::MAX))
        }
    }

    /// Numbers that are too large for any machine would cause a panic later.
    fn at_most(&self, key: &str, value: u64, limit: u64) -> Result<(), SettingsError> {
        if value > limit {
            Err(self.error(key, &format!("is more than {limit}"), "write a number that suits this machine"))
        } else {
            Ok(())
        }
    }

    fn error(&self, key: &str, rule: &str, remedy: &str) -> SettingsError {
        let (value, origin) = &self.values[key];
        SettingsError::Value {
            origin: origin.clone(),
            message: format!("{key} = {} {rule}", redacted(value)),
            remedy: remedy.to_owned(),
        }
    }
}

/// A value for messages: a URL without credentials.
fn redacted(value: &Value) -> Value {
    match value {
        Value::String(text) if text.contains("://") => Value::String(fetch::redacted(text)),
        Value::Array(items) => Value::Array(items.iter().map(redacted).collect()),
        other => other.clone(),
    }
}
