//! A model for tests, of this crate and of answerer: the names that it uses are those of the module it stands in.

use squad::SplitMix64;

use super::{Config, DistilBertForQuestionAnswering, Error, Runtime, Weights};

/// A model of two layers on the CPU, of 32 tokens and 16 positions.
pub(crate) fn tiny_model() -> DistilBertForQuestionAnswering {
    model_of(16, 24)
}

/// The same with so many columns.
pub(crate) fn model_of(dim: usize, hidden_dim: usize) -> DistilBertForQuestionAnswering {
    let config = format!(
        r#"{{"vocab_size": 32, "max_position_embeddings": 16, "n_layers": 2, "n_heads": 2, "dim": {dim},
            "hidden_dim": {hidden_dim}}}"#,
    );
    let config = Config::from_json(config.as_bytes()).unwrap();
    let runtime = Runtime::cpu_fp32(0).unwrap();
    DistilBertForQuestionAnswering::new(&config, &Drawn(&config), runtime.device()).unwrap()
}

/// Weights in [-0.5, 0.5), drawn from their own names.
struct Drawn<'a>(&'a Config);

impl Weights for Drawn<'_> {
    fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), Error> {
        let Self(config) = self;
        let (layer, kind) = name.rsplit_once('.').unwrap();
        let [out, dim_in] = match layer.rsplit('.').next().unwrap() {
            "word_embeddings" => [config.vocab_size, config.dim],
            "position_embeddings" => [config.max_position_embeddings, config.dim],
            "lin1" => [config.hidden_dim, config.dim],
            "lin2" => [config.dim, config.hidden_dim],
            "qa_outputs" => [2, config.dim],
            _ => [config.dim, config.dim],
        };
        let vector = kind == "bias" || layer.to_lowercase().ends_with("norm");
        let shape = if vector { vec![out] } else { vec![out, dim_in] };
        let words: Vec<u64> = name.bytes().map(u64::from).collect();
        let mut random = SplitMix64::keyed(&words);
        let values = (0..shape.iter().product()).map(|_| random.below(1 << 16) as f32 / 65_536.0 - 0.5);
        Ok((shape, values.collect()))
    }
}
