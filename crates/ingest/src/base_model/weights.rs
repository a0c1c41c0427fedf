//! The tensors of a checkpoint, as those of a `DistilBertForQuestionAnswering` in f32.
//!
//! Every tensor of the file must be known: either it has a place in the model, or it belongs to a head that
//! question answering does not use. Everything else (missing, surplus, of another shape) is listed, not guessed.

use super::checkpoint::{Checkpoint, Tensor};
use super::config::{DistilBertConfig, Family};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// Position embeddings, into which BERT's first token type is added.
const POSITIONS: &str = "distilbert.embeddings.position_embeddings.weight";

/// A checkpoint whose tensors are known to fit its configuration.
#[derive(Debug)]
pub struct Weights<'a> {
    checkpoint: &'a Checkpoint,
    /// By the model's own name, in the model's order.
    tensors: Vec<(String, Named<'a>)>,
    /// BERT's.
    token_types: Option<Named<'a>>,
    /// Whether the checkpoint already has `qa_outputs`.
    pub has_qa_head: bool,
    /// Tensors of the file that the model has no use for.
    pub dropped: Vec<String>,
}

/// A tensor of the checkpoint.
type Named<'a> = (&'a str, &'a Tensor);

impl<'a> Weights<'a> {
    /// Finds each tensor of the model that `config` describes in the checkpoint.
    pub fn open(checkpoint: &'a Checkpoint, family: Family, config: &DistilBertConfig) -> Result<Self> {
        let mut problems = Vec::new();
        let mut found: BTreeMap<String, Named<'a>> = BTreeMap::new();
        let mut token_types = None;
        let mut dropped = Vec::new();
        for (name, tensor) in checkpoint.tensors() {
            match place(family, name) {
                Place::Model(target) => {
                    if found.insert(target.clone(), (name, tensor)).is_some() {
                        problems.push(format!("surplus: {name} (a second {target})"));
                    }
                }
                Place::TokenTypes => token_types = Some((name, tensor)),
                Place::Unused => dropped.push(name.to_owned()),
                Place::Unknown => problems.push(format!("surplus: {name} {:?}", tensor.shape)),
            }
        }

        let mut tensors = Vec::new();
        for (name, shape) in encoder_shapes(config) {
            match found.remove(&name) {
                None => problems.push(format!("missing: {name} {shape:?}")),
                Some(named) => {
                    check(&name, named.1, &shape, &mut problems);
                    tensors.push((name, named));
                }
            }
        }
        let has_qa_head = found.contains_key("qa_outputs.weight") || found.contains_key("qa_outputs.bias");
        if has_qa_head {
            for (name, shape) in [("qa_outputs.weight", vec![2, config.dim]), ("qa_outputs.bias", vec![2])] {
                match found.remove(name) {
                    None => problems.push(format!("missing: {name} {shape:?}")),
                    Some(named) => {
                        check(name, named.1, &shape, &mut problems);
                        tensors.push((name.to_owned(), named));
                    }
                }
            }
        }
        // A layer past n_layers has a known name and no place.
        problems
            .extend(found.iter().map(|(name, (_, tensor))| format!("surplus: {name} {:?}", tensor.shape)));
        match &token_types {
            None if family == Family::Bert => {
                problems.push("missing: embeddings.token_type_embeddings.weight".to_owned());
            }
            Some((name, tensor)) => {
                let types = tensor.shape.first().copied().unwrap_or(0).max(1);
                check(name, tensor, &[types, config.dim], &mut problems);
            }
            None => {}
        }
        if problems.is_empty() {
            Ok(Self { checkpoint, tensors, token_types, has_qa_head, dropped })
        } else {
            Err(Error::tensors(&checkpoint.path, family.model_type(), problems))
        }
    }

    /// Name, shape and values of every tensor, one at a time, in the model's order.
    pub fn iter(&self) -> impl Iterator<Item = Result<(&str, &[usize], Vec<f32>)>> {
        self.tensors.iter().map(|(name, (in_file, tensor))| {
            let mut values = self.checkpoint.read_f32(in_file)?;
            if let (POSITIONS, Some((in_file, token_types))) = (name.as_str(), self.token_types) {
                let dim = token_types.shape[1];
                let first = &self.checkpoint.read_f32(in_file)?[..dim];
                for position in values.chunks_exact_mut(dim) {
                    for (value, token_type) in position.iter_mut().zip(first) {
                        *value += token_type;
                    }
                }
            }
            Ok((name.as_str(), tensor.shape.as_slice(), values))
        })
    }
}

/// Where a tensor of a file goes.
enum Place {
    /// Into the model, under this name.
    Model(String),
    /// BERT's token type embeddings, whose first row goes into the positions.
    TokenTypes,
    /// Of a head, or a constant.
    Unused,
    Unknown,
}

/// Heads of other tasks, by the first parts of their tensors' names.
const OTHER_HEADS: [&str; 9] = [
    "vocab_transform.",
    "vocab_layer_norm.",
    "vocab_projector.",
    "pre_classifier.",
    "classifier.",
    "cls.",
    "pooler.",
    // TinyBERT, from its distillation.
    "fit_dense.",
    "fit_denses.",
];

/// BERT's modules within a layer, and DistilBERT's for the same.
const LAYER_MODULES: [(&str, &str); 8] = [
    ("attention.self.query", "attention.q_lin"),
    ("attention.self.key", "attention.k_lin"),
    ("attention.self.value", "attention.v_lin"),
    ("attention.output.dense", "attention.out_lin"),
    ("attention.output.LayerNorm", "sa_layer_norm"),
    ("intermediate.dense", "ffn.lin1"),
    ("output.dense", "ffn.lin2"),
    ("output.LayerNorm", "output_layer_norm"),
];

fn place(family: Family, name: &str) -> Place {
    let (inner, prefixed) =
        match name.strip_prefix(family.model_type()).and_then(|rest| rest.strip_prefix('.')) {
            Some(inner) => (inner, true),
            None => (name, false),
        };
    if inner.starts_with("qa_outputs.") && !prefixed {
        return Place::Model(name.to_owned());
    }
    if inner.ends_with("position_ids") || OTHER_HEADS.iter().any(|head| inner.starts_with(head)) {
        return Place::Unused;
    }
    if inner == "embeddings.token_type_embeddings.weight" && family == Family::Bert {
        return Place::TokenTypes;
    }
    // Checkpoints that came from TensorFlow say gamma and beta.
    let inner = match inner.rsplit_once('.') {
        Some((module, "gamma")) => format!("{module}.weight"),
        Some((module, "beta")) => format!("{module}.bias"),
        _ => inner.to_owned(),
    };
    if inner.starts_with("embeddings.") {
        return Place::Model(format!("distilbert.{inner}"));
    }
    match family {
        Family::DistilBert if inner.starts_with("transformer.layer.") => {
            Place::Model(format!("distilbert.{inner}"))
        }
        Family::Bert => bert_layer(&inner).map_or(Place::Unknown, Place::Model),
        Family::DistilBert => Place::Unknown,
    }
}

/// `encoder.layer.3.output.dense.bias` → `distilbert.transformer.layer.3.ffn.lin2.bias`.
fn bert_layer(inner: &str) -> Option<String> {
    let (layer, rest) = inner.strip_prefix("encoder.layer.")?.split_once('.')?;
    let (module, parameter) = rest.rsplit_once('.')?;
    let (_, module) = LAYER_MODULES.iter().find(|(bert, _)| *bert == module)?;
    Some(format!("distilbert.transformer.layer.{layer}.{module}.{parameter}"))
}

/// Names and shapes of the encoder's tensors, in the order of transformers' `state_dict`.
fn encoder_shapes(config: &DistilBertConfig) -> Vec<(String, Vec<usize>)> {
    let DistilBertConfig { dim, hidden_dim, n_layers, max_position_embeddings, vocab_size, .. } = *config;
    let mut shapes = vec![
        ("distilbert.embeddings.word_embeddings.weight".to_owned(), vec![vocab_size, dim]),
        (POSITIONS.to_owned(), vec![max_position_embeddings, dim]),
        ("distilbert.embeddings.LayerNorm.weight".to_owned(), vec![dim]),
        ("distilbert.embeddings.LayerNorm.bias".to_owned(), vec![dim]),
    ];
    for layer in 0..n_layers {
        let modules = [
            ("attention.q_lin", vec![dim, dim]),
            ("attention.k_lin", vec![dim, dim]),
            ("attention.v_lin", vec![dim, dim]),
            ("attention.out_lin", vec![dim, dim]),
            ("sa_layer_norm", vec![dim]),
            ("ffn.lin1", vec![hidden_dim, dim]),
            ("ffn.lin2", vec![dim, hidden_dim]),
            ("output_layer_norm", vec![dim]),
        ];
        for (module, weight) in modules {
            let module = format!("distilbert.transformer.layer.{layer}.{module}");
            let bias = vec![weight[0]];
            shapes.push((format!("{module}.weight"), weight));
            shapes.push((format!("{module}.bias"), bias));
        }
    }
    shapes
}

fn check(name: &str, tensor: &Tensor, expected: &[usize], problems: &mut Vec<String>) {
    if tensor.shape != expected {
        problems.push(format!("mis-shaped: {name} {:?}, expected {expected:?}", tensor.shape));
    } else if tensor.dtype.is_none() {
        problems.push(format!("wrong type: {name} is {}, expected F32, F16, BF16 or F64", tensor.dtype_name));
    }
}

#[cfg(test)]
mod tests {
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;
    use std::path::Path;

    use super::*;
    use crate::error::tests::message;

    /// A two-layer model whose every size is another.
    const CONFIG: &str = r#"{"model_type": "bert", "hidden_size": 4, "intermediate_size": 6, "num_attention_heads": 2,
        "num_hidden_layers": 2, "max_position_embeddings": 3, "vocab_size": 5}"#;

    type Values = (String, Vec<usize>, Vec<f32>);

    fn config() -> DistilBertConfig {
        DistilBertConfig::from_json(CONFIG.as_bytes(), Path::new("config.json")).unwrap().1
    }

    /// BERT's tensors for [`config`], each with values of its own.
    fn bert() -> Vec<Values> {
        let mut shapes = vec![
            ("embeddings.word_embeddings.weight".to_owned(), vec![5, 4]),
            ("embeddings.position_embeddings.weight".to_owned(), vec![3, 4]),
            ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, 4]),
            ("embeddings.LayerNorm.gamma".to_owned(), vec![4]),
            ("embeddings.LayerNorm.beta".to_owned(), vec![4]),
            ("pooler.dense.weight".to_owned(), vec![4, 4]),
        ];
        for layer in 0..2 {
            for (module, shape) in [
                ("attention.self.query", vec![4, 4]),
                ("attention.self.key", vec![4, 4]),
                ("attention.self.value", vec![4, 4]),
                ("attention.output.dense", vec![4, 4]),
                ("attention.output.LayerNorm", vec![4]),
                ("intermediate.dense", vec![6, 4]),
                ("output.dense", vec![4, 6]),
                ("output.LayerNorm", vec![4]),
            ] {
                shapes.push((format!("encoder.layer.{layer}.{module}.bias"), vec![shape[0]]));
                shapes.push((format!("encoder.layer.{layer}.{module}.weight"), shape));
            }
        }
        let values = |tensor: usize, len: usize| (0..len).map(|i| tensor as f32 + i as f32 / 16.0).collect();
        let named = shapes.into_iter().enumerate().map(|(tensor, (name, shape))| {
            let len = shape.iter().product();
            (name, shape, values(tensor, len))
        });
        named.collect()
    }

    fn file(tensors: &[Values], dtype: Dtype) -> Vec<u8> {
        let encode = |value: &f32| match dtype {
            Dtype::F16 => half::f16::from_f32(*value).to_le_bytes().to_vec(),
            Dtype::BF16 => half::bf16::from_f32(*value).to_le_bytes().to_vec(),
            _ => value.to_le_bytes().to_vec(),
        };
        let data: Vec<Vec<u8>> =
            tensors.iter().map(|(_, _, values)| values.iter().flat_map(encode).collect()).collect();
        let views = tensors.iter().zip(&data).map(|((name, shape, _), data)| {
            (name.as_str(), TensorView::new(dtype, shape.clone(), data).unwrap())
        });
        safetensors::serialize(views, None).unwrap()
    }

    /// The values of the model that a file of these bytes becomes, or what is wrong with it.
    fn read(data: &[u8], family: Family) -> std::result::Result<BTreeMap<String, Vec<f32>>, String> {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("model.safetensors"), data).unwrap();
        let read = || -> Result<_> {
            let checkpoint = Checkpoint::open(folder.path())?;
            let weights = Weights::open(&checkpoint, family, &config())?;
            weights.iter().map(|named| named.map(|(name, _, values)| (name.to_owned(), values))).collect()
        };
        read().map_err(|error| message(&error, folder.path()))
    }

    fn open(tensors: &[Values], family: Family) -> std::result::Result<BTreeMap<String, Vec<f32>>, String> {
        read(&file(tensors, Dtype::F32), family)
    }

    fn values<'a>(tensors: &'a [Values], name: &str) -> &'a [f32] {
        &tensors.iter().find(|(known, _, _)| known == name).unwrap().2
    }

    #[test]
    fn bert_tensors_get_their_places() {
        let bert = bert();
        let converted = open(&bert, Family::Bert).unwrap();
        assert_eq!(converted.len(), 4 + 2 * 16);
        for (from, to) in [
            ("embeddings.word_embeddings.weight", "distilbert.embeddings.word_embeddings.weight"),
            ("embeddings.LayerNorm.gamma", "distilbert.embeddings.LayerNorm.weight"),
            ("embeddings.LayerNorm.beta", "distilbert.embeddings.LayerNorm.bias"),
            (
                "encoder.layer.0.attention.self.query.weight",
                "distilbert.transformer.layer.0.attention.q_lin.weight",
            ),
            (
                "encoder.layer.1.attention.self.key.bias",
                "distilbert.transformer.layer.1.attention.k_lin.bias",
            ),
            (
                "encoder.layer.1.attention.self.value.weight",
                "distilbert.transformer.layer.1.attention.v_lin.weight",
            ),
            (
                "encoder.layer.0.attention.output.dense.bias",
                "distilbert.transformer.layer.0.attention.out_lin.bias",
            ),
            (
                "encoder.layer.0.attention.output.LayerNorm.bias",
                "distilbert.transformer.layer.0.sa_layer_norm.bias",
            ),
            ("encoder.layer.1.intermediate.dense.weight", "distilbert.transformer.layer.1.ffn.lin1.weight"),
            ("encoder.layer.1.output.dense.weight", "distilbert.transformer.layer.1.ffn.lin2.weight"),
            (
                "encoder.layer.1.output.LayerNorm.weight",
                "distilbert.transformer.layer.1.output_layer_norm.weight",
            ),
        ] {
            assert_eq!(converted[to], values(&bert, from), "{from}");
        }
    }

    #[test]
    fn the_first_token_type_is_added_to_every_position() {
        let bert = bert();
        let positions = values(&bert, "embeddings.position_embeddings.weight");
        let token_type = &values(&bert, "embeddings.token_type_embeddings.weight")[..4];
        let expected: Vec<f32> =
            positions.iter().enumerate().map(|(i, value)| value + token_type[i % 4]).collect();
        assert_eq!(open(&bert, Family::Bert).unwrap()[POSITIONS], expected);
    }

    #[test]
    fn prefixes_and_families_make_no_difference() {
        let bert = bert();
        let converted = open(&bert, Family::Bert).unwrap();
        let prefixed: Vec<Values> =
            bert.into_iter().map(|(name, shape, data)| (format!("bert.{name}"), shape, data)).collect();
        assert_eq!(open(&prefixed, Family::Bert).unwrap(), converted);

        let shapes: BTreeMap<String, Vec<usize>> = encoder_shapes(&config()).into_iter().collect();
        let named = |name: &str| (name.to_owned(), shapes[name].clone(), converted[name].clone());
        let mut distilbert: Vec<Values> = converted.keys().map(|name| named(name)).collect();
        assert_eq!(open(&distilbert, Family::DistilBert).unwrap(), converted);
        for (name, _, _) in &mut distilbert {
            *name = name.strip_prefix("distilbert.").unwrap().to_owned();
        }
        assert_eq!(open(&distilbert, Family::DistilBert).unwrap(), converted);
    }

    #[test]
    fn a_question_answering_head_is_kept() {
        let mut tensors = bert();
        assert!(!open(&tensors, Family::Bert).unwrap().contains_key("qa_outputs.weight"));
        tensors.push(("qa_outputs.weight".to_owned(), vec![2, 4], vec![0.5; 8]));
        tensors.push(("qa_outputs.bias".to_owned(), vec![2], vec![0.25; 2]));
        assert_eq!(open(&tensors, Family::Bert).unwrap()["qa_outputs.bias"], [0.25, 0.25]);
    }

    #[test]
    fn half_precision_becomes_f32() {
        let tensors = bert();
        let exact = open(&tensors, Family::Bert).unwrap();
        // The values have at most 6 + 4 significant bits: F16 holds 11 of them, BF16 holds 8.
        for (dtype, tolerance) in [(Dtype::F16, 0.0), (Dtype::BF16, 1.0 / 256.0)] {
            for (name, values) in read(&file(&tensors, dtype), Family::Bert).unwrap() {
                for (value, expected) in values.iter().zip(&exact[&name]) {
                    assert!(
                        (value - expected).abs() <= tolerance * expected.abs(),
                        "{name}: {value}, {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn tensors_that_do_not_fit_are_listed() {
        let mut tensors = bert();
        tensors.retain(|(name, _, _)| !name.starts_with("encoder.layer.1.output.LayerNorm"));
        tensors.push(("encoder.layer.2.output.dense.bias".to_owned(), vec![4], vec![0.0; 4]));
        tensors.push(("adapter.weight".to_owned(), vec![1], vec![0.0]));
        tensors.push(("qa_outputs.weight".to_owned(), vec![3, 4], vec![0.0; 12]));
        tensors[0].1 = vec![4, 5];
        insta::assert_snapshot!(open(&tensors, Family::Bert).unwrap_err(), @r"
          model.safetensors: 7 tensors do not fit a bert model of its config.json
            surplus: adapter.weight [1]
            mis-shaped: distilbert.embeddings.word_embeddings.weight [4, 5], expected [5, 4]
            missing: distilbert.transformer.layer.1.output_layer_norm.weight [4]
            missing: distilbert.transformer.layer.1.output_layer_norm.bias [4]
            mis-shaped: qa_outputs.weight [3, 4], expected [2, 4]
            missing: qa_outputs.bias [2]
            surplus: distilbert.transformer.layer.2.ffn.lin2.bias [4]
          help: config.json and the weights must be of the same model: fetch both again
        ");
    }

    #[test]
    fn a_damaged_file_is_named() {
        let data = file(&bert(), Dtype::F32);
        insta::assert_snapshot!(read(&data[..data.len() - 4], Family::Bert).unwrap_err(), @r"
          model.safetensors is no sound safetensors file
          cause: incomplete metadata, file not fully covered
          help: it is damaged or was not copied whole: fetch it again
        ");
    }

    #[test]
    fn what_is_not_finite_is_named() {
        let mut tensors = bert();
        tensors[0].2[3] = f32::NAN;
        insta::assert_snapshot!(open(&tensors, Family::Bert).unwrap_err(), @r"
          model.safetensors: 1 of the 20 values of embeddings.word_embeddings.weight are infinite or NaN
          help: nothing can be learned from there: choose another base model, or fetch it again
        ");
    }
}
