//! Converts the tensors of a model to those of a `DistilBertForQuestionAnswering` in f32.
//!
//! Every tensor of the file must be known: either it has a place in the model, or it belongs to a head that
//! question answering does not use. Everything else (missing, surplus, of another shape) is listed, not guessed.

use crate::config::{DistilBertConfig, Family};
use crate::error::{Error, Result};
use crate::weight_files::{Tensor, WeightFiles};
use std::collections::BTreeMap;

/// Position embeddings, into which BERT's first token type is added.
const POSITIONS: &str = "distilbert.embeddings.position_embeddings.weight";

/// Weight files whose tensors fit the configuration.
#[derive(Debug)]
pub struct Weights {
    /// The files with the values.
    pub weight_files: WeightFiles,
    /// The model's own name and the file's, in the model's order.
    tensors: Vec<(String, String)>,
    /// BERT's token type embeddings, by their name in the file.
    token_types: Option<String>,
    /// Whether the model already has `qa_outputs`.
    pub has_qa_head: bool,
    /// Tensors of the file that the model does not use.
    pub dropped: Vec<String>,
}

/// A tensor of the weight files.
type Named<'a> = (&'a str, &'a Tensor);

/// Tensors of a layer: eight modules, each with weight and bias.
const TENSORS_OF_A_LAYER: usize = 16;

impl Weights {
    /// Finds each tensor of the model that `config` describes in the weight files.
    pub fn open(weight_files: WeightFiles, family: Family, config: &DistilBertConfig) -> Result<Self> {
        let prefix = common_prefix(&weight_files, family);
        if !prefix.is_empty() {
            tracing::info!(prefix, "every tensor's name begins with this: left off");
        }
        let count = weight_files.tensors().count();
        // If the file cannot hold all layers, the missing tensors are not listed one by one.
        if config.n_layers > count {
            let needed = TENSORS_OF_A_LAYER.saturating_mul(config.n_layers);
            let problem = format!(
                "missing: config.json says {} layers, which have {needed} tensors; the file has {count}",
                config.n_layers
            );
            return Err(Error::tensors(&weight_files.path, family.model_type(), vec![problem]));
        }
        let mut problems = Vec::new();
        let mut found: BTreeMap<String, Named<'_>> = BTreeMap::new();
        let mut token_types = None;
        let mut dropped = Vec::new();
        for (name, tensor) in weight_files.tensors() {
            match place(family, name.strip_prefix(&prefix).unwrap_or(name)) {
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
                    tensors.push((name, named.0.to_owned()));
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
                        tensors.push((name.to_owned(), named.0.to_owned()));
                    }
                }
            }
        }
        // A layer past n_layers has a known name but no place.
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
        if !problems.is_empty() {
            return Err(Error::tensors(&weight_files.path, family.model_type(), problems));
        }
        let token_types = token_types.map(|(name, _)| name.to_owned());
        Ok(Self { weight_files, tensors, token_types, has_qa_head, dropped })
    }

    /// Whether a question-answering head was trained with another token type for the context than for the question. The
    /// converted model has no token types.
    pub fn head_needs_token_types(&self) -> Result<bool> {
        let Some(token_types) = self.token_types.as_ref().filter(|_| self.has_qa_head) else {
            return Ok(false);
        };
        let dim = self.weight_files.shape(token_types)[1];
        let rows = self.weight_files.read_f32(token_types)?;
        Ok(rows.chunks(dim).nth(1).is_some_and(|second| second != &rows[..dim]))
    }

    /// Name, shape and values of every tensor, one at a time, in the model's order.
    pub fn iter(&self) -> impl Iterator<Item = Result<(&str, &[usize], Vec<f32>)>> {
        self.tensors.iter().map(|(name, in_file)| {
            let mut values = self.weight_files.read_f32(in_file)?;
            if let (POSITIONS, Some(token_types)) = (name.as_str(), &self.token_types) {
                let dim = self.weight_files.shape(token_types)[1];
                let first = &self.weight_files.read_f32(token_types)?[..dim];
                for position in values.chunks_exact_mut(dim) {
                    for (value, token_type) in position.iter_mut().zip(first) {
                        *value += token_type;
                    }
                }
            }
            Ok((name.as_str(), self.weight_files.shape(in_file), values))
        })
    }
}

/// The prefix of all names that a training wrapper added (`module.`, `_orig_mod.`, `model.`). The family's own prefix
/// stays.
fn common_prefix(weight_files: &WeightFiles, family: Family) -> String {
    let mut prefix = String::new();
    loop {
        let mut parts = weight_files.tensors().map(|(name, _)| name[prefix.len()..].split_once('.'));
        match parts.next() {
            Some(Some((part, _)))
                if part != family.model_type()
                    && parts.all(|other| other.is_some_and(|(other, _)| other == part)) =>
            {
                prefix = format!("{prefix}{part}.");
            }
            _ => return prefix,
        }
    }
}

/// Where a tensor of a file goes.
enum Place {
    /// Into the model, under this name.
    Model(String),
    /// BERT's token type embeddings, whose first row goes into the positions.
    TokenTypes,
    /// Dropped: part of another head, or a constant.
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
    // Weights that came from TensorFlow say gamma and beta.
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
mod tests;
