//! The fixtures of `scripts/reference/model.py`, and the weights that they do not store.

use std::path::{Path, PathBuf};

use distilbert::{Config, Error, Weights};
use distilburn_train::{OptimizerSettings, TrainFeature};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use squad::SplitMix64;

/// One `model-*.safetensors`.
pub struct Reference {
    bytes: Vec<u8>,
}

/// One batch of the fixture: features back to back.
pub struct Batch {
    pub input_ids: Vec<i32>,
    pub lengths: Vec<i32>,
    pub start_positions: Vec<i32>,
    pub end_positions: Vec<i32>,
}

impl Batch {
    pub fn features(&self) -> Vec<TrainFeature<'_>> {
        let mut rest = self.input_ids.as_slice();
        let positions = self.start_positions.iter().zip(&self.end_positions);
        self.lengths
            .iter()
            .zip(positions)
            .map(|(&length, (&start_position, &end_position))| {
                let (input_ids, after) = rest.split_at(length as usize);
                rest = after;
                TrainFeature { input_ids, start_position, end_position }
            })
            .collect()
    }
}

impl Reference {
    pub fn open(name: &str) -> Self {
        let path = root().join(format!("tests/fixtures/reference/model-{name}.safetensors"));
        Self { bytes: std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())) }
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap()
    }

    fn metadata(&self, key: &str) -> Value {
        let (_, metadata) = SafeTensors::read_metadata(&self.bytes).unwrap();
        serde_json::from_str(&metadata.metadata().as_ref().unwrap()[key]).unwrap()
    }

    pub fn config(&self) -> Config {
        Config::from_json(self.metadata("config").to_string().as_bytes()).unwrap()
    }

    pub fn recipe(&self, key: &str) -> f64 {
        self.metadata("recipe")[key].as_f64().unwrap()
    }

    pub fn optimizer(&self) -> OptimizerSettings {
        OptimizerSettings {
            betas: [0.9, 0.999],
            epsilon: self.recipe("epsilon"),
            weight_decay: self.recipe("weight_decay"),
            max_grad_norm: self.recipe("max_grad_norm"),
            layerwise_lr_decay: 1.0,
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.file().names().contains(&name)
    }

    pub fn f64s(&self, name: &str) -> Vec<f64> {
        let view = self.file().tensor(name).unwrap_or_else(|error| panic!("{name}: {error}")).data().to_vec();
        match self.file().tensor(name).unwrap().dtype() {
            Dtype::F64 => view.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
            Dtype::F32 => {
                view.as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect()
            }
            Dtype::I64 => view.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes) as f64).collect(),
            dtype => panic!("{name} is {dtype:?}"),
        }
    }

    pub fn batches(&self) -> Vec<Batch> {
        let i32s = |name: &str| -> Vec<i32> {
            let data = self.file().tensor(name).unwrap().data().to_vec();
            data.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect()
        };
        (0..10)
            .take_while(|index| self.has(&format!("batch.{index}.lengths")))
            .map(|index| Batch {
                input_ids: i32s(&format!("batch.{index}.input_ids")),
                lengths: i32s(&format!("batch.{index}.lengths")),
                start_positions: i32s(&format!("batch.{index}.start_positions")),
                end_positions: i32s(&format!("batch.{index}.end_positions")),
            })
            .collect()
    }

    /// Whole gradients, or samples of large ones: (flat index, value).
    pub fn gradient(&self, name: &str) -> Vec<(usize, f64)> {
        let whole = format!("gradient.{name}");
        if self.has(&whole) {
            return self.f64s(&whole).into_iter().enumerate().collect();
        }
        let index = self.f64s(&format!("{whole}.index")).into_iter().map(|index| index as usize);
        index.zip(self.f64s(&format!("{whole}.value"))).collect()
    }
}

/// `reference_tensor` of `scripts/reference/weights.py`: weights made from a tensor's name.
pub struct Generated {
    pub config: Config,
    pub scale: f64,
}

impl Weights for Generated {
    fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), Error> {
        let shape = shape_of(name, &self.config);
        let count: usize = shape.iter().product();
        if name == "qa_outputs.bias" {
            return Ok((shape, vec![0.0; count]));
        }
        let mut random = SplitMix64::new(fnv1a64(name));
        let unit = (self.scale / f64::from(1 << 23)) as f32;
        let offset =
            if name.ends_with("LayerNorm.weight") || name.ends_with("layer_norm.weight") { 1.0 } else { 0.0 };
        let values =
            (0..count).map(|_| ((random.next_u64() >> 40) as i64 - (1 << 23)) as f32 * unit + offset);
        Ok((shape, values.collect()))
    }
}

fn fnv1a64(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn shape_of(name: &str, config: &Config) -> Vec<usize> {
    let Config { dim, hidden_dim, .. } = *config;
    let is_bias = name.rsplit('.').next() == Some("bias");
    if name.contains("LayerNorm") || name.contains("layer_norm") {
        return vec![dim];
    }
    let (rows, columns) = match name {
        _ if name.contains("word_embeddings") => (config.vocab_size, dim),
        _ if name.contains("position_embeddings") => (config.max_position_embeddings, dim),
        _ if name.contains("ffn.lin1") => (hidden_dim, dim),
        _ if name.contains("ffn.lin2") => (dim, hidden_dim),
        _ if name.starts_with("qa_outputs") => (2, dim),
        _ => (dim, dim),
    };
    if is_bias { vec![rows] } else { vec![rows, columns] }
}

/// all-MiniLM-L6-v2 as DistilBERT, with a generated head.
pub struct MiniLm {
    bytes: Vec<u8>,
    head: Generated,
}

impl MiniLm {
    pub fn open(head: Generated) -> Self {
        let path = root().join(".cache/models/all-MiniLM-L6-v2/model.safetensors");
        let bytes = std::fs::read(&path).expect("the base model is there once scripts/setup has run");
        Self { bytes, head }
    }

    fn bert(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = file.tensor(name).unwrap();
        let values = view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        (view.shape().to_vec(), values)
    }
}

impl Weights for MiniLm {
    fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), Error> {
        let Some(name) = name.strip_prefix("distilbert.") else { return self.head.get(name) };
        let mut name = name.replace("transformer.layer", "encoder.layer");
        for (ours, theirs) in [
            ("attention.q_lin", "attention.self.query"),
            ("attention.k_lin", "attention.self.key"),
            ("attention.v_lin", "attention.self.value"),
            ("attention.out_lin", "attention.output.dense"),
            ("sa_layer_norm", "attention.output.LayerNorm"),
            ("ffn.lin1", "intermediate.dense"),
            ("ffn.lin2", "output.dense"),
            ("output_layer_norm", "output.LayerNorm"),
        ] {
            name = name.replace(ours, theirs);
        }
        let (shape, mut values) = self.bert(&name);
        if name == "embeddings.position_embeddings.weight" {
            let (_, types) = self.bert("embeddings.token_type_embeddings.weight");
            for row in values.chunks_mut(shape[1]) {
                row.iter_mut().zip(&types).for_each(|(value, of_type)| *value += of_type);
            }
        }
        Ok((shape, values))
    }
}

pub fn root() -> PathBuf {
    // Where the tests run on another machine than they were built on, the one of then.
    let crate_dir =
        std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    Path::new(&crate_dir).join("../..")
}
