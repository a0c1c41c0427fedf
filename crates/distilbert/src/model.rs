//! DistilBERT with a question answering head (Sanh et al. 2019), on packed batches.
//!
//! Shapes: tokens = all tokens of the batch, dim = `n_heads` × `d_head`. Fields carry the checkpoint's names,
//! so a parameter's path in the module is its name in the weight files.

#![allow(
    non_snake_case,
    clippy::struct_field_names,
    reason = "fields are the weight files' own names; the derived code uses them too"
)]

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use squad::SplitMix64;
use torch_kernels::{AttentionOptions, Dropout};

use crate::Error;
use crate::autocast::Autocast;
use crate::batch::{PackedBatch, Uploaded};
use crate::config::Config;
use crate::copies::{LayerCopies, ModelCopies, Purpose, copies_of};
use crate::head::{QA_HEAD_BIAS, QA_HEAD_WEIGHT};
use crate::layers::{LayerNorm, Linear};
use crate::loss::QaTargets;
use crate::parameters::{Weights, load};

/// Whether dropout applies, and what its masks are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No dropout.
    Inference,
    /// Dropout with the configuration's probabilities.
    Training(DropoutSeed),
}

/// What a dropout mask is a function of, besides its site in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropoutSeed {
    /// `run.seed`.
    pub seed: u64,
    /// The step, counted over the whole training.
    pub global_step: u64,
    /// The batch within the step's accumulation.
    pub micro_step: u64,
}

/// `DistilBertForQuestionAnswering` of transformers.
#[derive(Module, Debug)]
pub struct DistilBertForQuestionAnswering {
    distilbert: DistilBert,
    qa_outputs: Linear,
    #[module(skip)]
    config: Config,
}

#[derive(Module, Debug)]
struct DistilBert {
    embeddings: Embeddings,
    transformer: Transformer,
}

/// Word and position embeddings.
#[derive(Module, Debug)]
struct Embeddings {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    LayerNorm: LayerNorm,
}

#[derive(Module, Debug)]
struct Transformer {
    layer: Vec<TransformerBlock>,
}

#[derive(Module, Debug)]
struct TransformerBlock {
    attention: MultiHeadSelfAttention,
    sa_layer_norm: LayerNorm,
    ffn: FeedForward,
    output_layer_norm: LayerNorm,
}

#[derive(Module, Debug)]
struct MultiHeadSelfAttention {
    q_lin: Linear,
    k_lin: Linear,
    v_lin: Linear,
    out_lin: Linear,
}

#[derive(Module, Debug)]
struct FeedForward {
    lin1: Linear,
    lin2: Linear,
}

#[derive(Module, Debug)]
struct Embedding {
    weight: Param<Tensor<2>>,
}

impl DistilBertForQuestionAnswering {
    /// Builds the model on `device` with `weights`; gradients are tracked where the device has autodiff.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] and [`Error::Shape`] name the tensor.
    pub fn new(config: &Config, weights: &dyn Weights, device: &Device) -> Result<Self, Error> {
        let loader = Loader { weights, device };
        let embeddings = Embeddings {
            word_embeddings: loader
                .embedding("distilbert.embeddings.word_embeddings", [config.vocab_size, config.dim])?,
            position_embeddings: loader.embedding(
                "distilbert.embeddings.position_embeddings",
                [config.max_position_embeddings, config.dim],
            )?,
            LayerNorm: loader.layer_norm("distilbert.embeddings.LayerNorm", config.dim)?,
        };
        let layer =
            (0..config.n_layers).map(|index| loader.block(config, index)).collect::<Result<_, _>>()?;
        let qa_outputs = Linear {
            weight: load(weights, QA_HEAD_WEIGHT, [2, config.dim], device)?,
            bias: load(weights, QA_HEAD_BIAS, [2], device)?,
        };
        let distilbert = DistilBert { embeddings, transformer: Transformer { layer } };
        Ok(Self { distilbert, qa_outputs, config: config.clone() })
    }

    /// The configuration it was built with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Start logits in column 0, end logits in column 1, in f32.
    ///
    /// `batch` → (tokens, 2)
    #[must_use]
    pub fn forward(&self, batch: &PackedBatch, autocast: Autocast, mode: Mode) -> Tensor<2> {
        self.forward_with(batch, autocast, None, mode)
    }

    /// [`Self::forward`] with copies of the parameters, where there are any.
    pub(crate) fn forward_with(
        &self,
        batch: &PackedBatch,
        autocast: Autocast,
        copies: Option<&ModelCopies>,
        mode: Mode,
    ) -> Tensor<2> {
        self.logits(&Pass { batch, uploaded: self.upload(batch, None), autocast, copies, mode })
    }

    /// Copies of the linear layers' parameters in `autocast`'s type, where the device multiplies with such.
    #[must_use]
    pub fn copies(&self, autocast: Autocast) -> Option<ModelCopies> {
        self.copies_for(autocast, Purpose::Train)
    }

    pub(crate) fn copies_for(&self, autocast: Autocast, purpose: Purpose) -> Option<ModelCopies> {
        let of = |layers: &[&Linear]| copies_of(layers, autocast.dtype(), purpose);
        let layers =
            self.distilbert.transformer.layer.iter().map(|TransformerBlock { attention, ffn, .. }| {
                Some(LayerCopies {
                    qkv: of(&[&attention.q_lin, &attention.k_lin, &attention.v_lin])?,
                    out_lin: of(&[&attention.out_lin])?,
                    lin1: of(&[&ffn.lin1])?,
                    lin2: of(&[&ffn.lin2])?,
                })
            });
        Some(ModelCopies { layers: layers.collect::<Option<_>>()?, qa_outputs: of(&[&self.qa_outputs]) })
    }

    pub(crate) fn upload(&self, batch: &PackedBatch, targets: Option<&QaTargets>) -> Uploaded {
        batch.upload(&self.distilbert.embeddings.word_embeddings.weight.val(), targets)
    }

    /// → (tokens, 2), in f32
    pub(crate) fn logits(&self, pass: &Pass<'_>) -> Tensor<2> {
        let hidden = (0..self.config.n_layers)
            .fold(self.embed(pass), |hidden, layer| self.encode_layer(pass, layer, hidden));
        self.score(pass, hidden)
    }

    /// → (tokens, dim), the first layer's input
    pub(crate) fn embed(&self, pass: &Pass<'_>) -> Tensor<2> {
        self.distilbert.embeddings.forward(pass, &self.config)
    }

    /// (tokens, dim) → (tokens, dim), one encoder layer
    pub(crate) fn encode_layer(&self, pass: &Pass<'_>, layer: usize, hidden: Tensor<2>) -> Tensor<2> {
        self.distilbert.transformer.layer[layer].forward(pass, &self.config, layer as u64, hidden)
    }

    /// (tokens, dim) → (tokens, 2), in f32
    pub(crate) fn score(&self, pass: &Pass<'_>, hidden: Tensor<2>) -> Tensor<2> {
        let hidden = pass.dropout(hidden, self.config.qa_dropout, Site::QuestionAnswering);
        let copies = pass.copies.and_then(|copies| copies.qa_outputs.as_ref());
        pass.autocast.to_f32(pass.autocast.linear(&self.qa_outputs, copies, hidden))
    }
}

impl Embeddings {
    /// → (tokens, dim)
    fn forward(&self, pass: &Pass<'_>, config: &Config) -> Tensor<2> {
        let (words, positions) = (self.word_embeddings.weight.val(), self.position_embeddings.weight.val());
        let words = torch_kernels::embedding(words, pass.uploaded.input_ids.clone());
        let positions = torch_kernels::embedding(positions, pass.uploaded.positions.clone());
        let hidden = Autocast::layer_norm(&self.LayerNorm, words + positions);
        pass.dropout(hidden, config.dropout, Site::Embeddings)
    }
}

impl TransformerBlock {
    /// (tokens, dim) → (tokens, dim), both f32; normalisation follows each residual sum.
    fn forward(&self, pass: &Pass<'_>, config: &Config, layer: u64, hidden: Tensor<2>) -> Tensor<2> {
        let autocast = pass.autocast;
        let attended = self.attention.forward(pass, config, layer, hidden.clone());
        let hidden = Autocast::layer_norm(&self.sa_layer_norm, autocast.to_f32(attended) + hidden);
        let transformed = self.ffn.forward(pass, config, layer, hidden.clone());
        Autocast::layer_norm(&self.output_layer_norm, autocast.to_f32(transformed) + hidden)
    }
}

impl MultiHeadSelfAttention {
    /// (tokens, dim) → (tokens, dim) in the compute type
    fn forward(&self, pass: &Pass<'_>, config: &Config, layer: u64, hidden: Tensor<2>) -> Tensor<2> {
        let options = AttentionOptions {
            on_device: Some(pass.uploaded.cu_seqlens.clone()),
            dropout: pass.dropout_at(config.attention_dropout, Site::Attention(layer)),
            ..AttentionOptions::new(pass.batch.cu_seqlens().clone(), config.n_heads)
        };
        let qkv = [&self.q_lin, &self.k_lin, &self.v_lin];
        let copies = pass.copies_of(layer);
        let attended = pass.autocast.self_attention(qkv, copies.map(|copies| &copies.qkv), hidden, options);
        pass.autocast.linear(&self.out_lin, copies.map(|copies| &copies.out_lin), attended)
    }
}

impl FeedForward {
    /// (tokens, dim) → (tokens, dim) in the compute type
    fn forward(&self, pass: &Pass<'_>, config: &Config, layer: u64, hidden: Tensor<2>) -> Tensor<2> {
        let copies = pass.copies_of(layer);
        let wide = pass.autocast.linear_gelu(&self.lin1, copies.map(|copies| &copies.lin1), hidden);
        let narrow = pass.autocast.linear(&self.lin2, copies.map(|copies| &copies.lin2), wide);
        pass.dropout(narrow, config.dropout, Site::FeedForward(layer))
    }
}

/// What every layer of one forward pass shares.
pub(crate) struct Pass<'a> {
    pub(crate) batch: &'a PackedBatch,
    pub(crate) uploaded: Uploaded,
    pub(crate) autocast: Autocast,
    pub(crate) copies: Option<&'a ModelCopies>,
    pub(crate) mode: Mode,
}

/// Where in the model a dropout mask applies.
#[derive(Clone, Copy)]
enum Site {
    Embeddings,
    QuestionAnswering,
    Attention(u64),
    FeedForward(u64),
}

impl Pass<'_> {
    fn copies_of(&self, layer: u64) -> Option<&LayerCopies> {
        self.copies.map(|copies| &copies.layers[layer as usize])
    }

    fn dropout(&self, input: Tensor<2>, p: f64, site: Site) -> Tensor<2> {
        match self.dropout_at(p, site) {
            Some(dropout) => torch_kernels::dropout(input, dropout),
            None => input,
        }
    }

    fn dropout_at(&self, p: f64, site: Site) -> Option<Dropout> {
        match self.mode {
            Mode::Training(seed) if p > 0.0 => Some(Dropout { p, seed: seed.at(site) }),
            _ => None,
        }
    }
}

impl DropoutSeed {
    fn at(self, site: Site) -> u64 {
        let site = match site {
            Site::Embeddings => 0,
            Site::QuestionAnswering => 1,
            Site::Attention(layer) => 2 + 2 * layer,
            Site::FeedForward(layer) => 3 + 2 * layer,
        };
        SplitMix64::keyed(&[self.seed, self.global_step, self.micro_step, site]).next_u64()
    }
}

/// Reads modules by their names in weight files.
struct Loader<'a> {
    weights: &'a dyn Weights,
    device: &'a Device,
}

impl Loader<'_> {
    fn embedding(&self, name: &str, shape: [usize; 2]) -> Result<Embedding, Error> {
        Ok(Embedding { weight: load(self.weights, &format!("{name}.weight"), shape, self.device)? })
    }

    fn linear(&self, name: &str, [dim_out, dim_in]: [usize; 2]) -> Result<Linear, Error> {
        Ok(Linear {
            weight: load(self.weights, &format!("{name}.weight"), [dim_out, dim_in], self.device)?,
            bias: load(self.weights, &format!("{name}.bias"), [dim_out], self.device)?,
        })
    }

    fn layer_norm(&self, name: &str, dim: usize) -> Result<LayerNorm, Error> {
        Ok(LayerNorm {
            weight: load(self.weights, &format!("{name}.weight"), [dim], self.device)?,
            bias: load(self.weights, &format!("{name}.bias"), [dim], self.device)?,
        })
    }

    fn block(&self, config: &Config, index: usize) -> Result<TransformerBlock, Error> {
        let name = |part: &str| format!("distilbert.transformer.layer.{index}.{part}");
        let (dim, hidden_dim) = (config.dim, config.hidden_dim);
        let projection = |part: &str| self.linear(&name(&format!("attention.{part}")), [dim, dim]);
        Ok(TransformerBlock {
            attention: MultiHeadSelfAttention {
                q_lin: projection("q_lin")?,
                k_lin: projection("k_lin")?,
                v_lin: projection("v_lin")?,
                out_lin: projection("out_lin")?,
            },
            sa_layer_norm: self.layer_norm(&name("sa_layer_norm"), dim)?,
            ffn: FeedForward {
                lin1: self.linear(&name("ffn.lin1"), [hidden_dim, dim])?,
                lin2: self.linear(&name("ffn.lin2"), [dim, hidden_dim])?,
            },
            output_layer_norm: self.layer_norm(&name("output_layer_norm"), dim)?,
        })
    }
}
