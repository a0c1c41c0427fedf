//! A model so small that starting a training takes longer than a step of it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;
use squad::SplitMix64;

use crate::bench::Bench;

/// The settings that name the model and what it learns from.
pub const DATA: &str = "--set ingest.base_model=tiny --set ingest.max_train_examples=40 \
                        --set ingest.max_validation_examples=6 --set tokenize-features.max_length=64 \
                        --set tokenize-features.doc_stride=16 --set run.threads=1 \
                        --set evaluate.profile_seconds=0.1";

/// A bench with features of the tiny model.
pub fn bench() -> Bench {
    with_scaled("", 1.0)
}

/// The same, for a model whose parameters with `part` in their names are `scale` times as large.
pub fn with_scaled(part: &str, scale: f32) -> Bench {
    let bench = Bench::with_real_stages();
    write_model(&bench.path("tiny"), &bench.path(".cache/models/all-MiniLM-L6-v2"), 64, (part, scale));
    let said = bench.run(&format!("distilburn run --quiet --to tokenize-features {DATA}"));
    assert_eq!(said.code, Some(0), "{said:?}");
    bench
}

/// A model that answers questions, at random, and says that it may have no answer.
pub fn write_qa_model(bench: &Bench, name: &str) {
    let like = bench.path(".cache/models/all-MiniLM-L6-v2");
    write(&bench.path(name), &like, 64, ("", 1.0), &[("qa_outputs", 2)]);
    let config = json!({
        "windows": { "max_length": 64, "doc_stride": 16 },
        "spans": { "n_best": 20, "max_answer_length": 8, "null_threshold": 0.0 },
        "no_answer": true,
    });
    fs::write(bench.path(name).join("training_config.json"), config.to_string()).unwrap();
}

/// A DistilBERT of two layers × 16 for windows of `positions` tokens, with the vocabulary of the default base model;
/// parameters with `part` in their names are `times` what the others are.
pub fn write_model(folder: &Path, like: &Path, positions: usize, scaled: (&str, f32)) {
    write(folder, like, positions, scaled, &[]);
}

fn write(folder: &Path, like: &Path, positions: usize, (part, times): (&str, f32), heads: &[(&str, usize)]) {
    fs::create_dir(folder).unwrap();
    fs::copy(like.join("tokenizer.json"), folder.join("tokenizer.json")).unwrap();
    let (vocab, dim, hidden_dim) = (30_522, 16, 32);
    let config = json!({
        "model_type": "distilbert", "vocab_size": vocab, "max_position_embeddings": positions, "n_layers": 2, "n_heads": 2,
        "dim": dim, "hidden_dim": hidden_dim, "activation": "gelu",
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let mut shapes = vec![
        ("distilbert.embeddings.word_embeddings.weight".to_owned(), vec![vocab, dim]),
        ("distilbert.embeddings.position_embeddings.weight".to_owned(), vec![positions, dim]),
    ];
    let mut pair = |name: String, rows: usize, columns: Option<usize>| {
        shapes.push((format!("{name}.weight"), std::iter::once(rows).chain(columns).collect()));
        shapes.push((format!("{name}.bias"), vec![rows]));
    };
    pair("distilbert.embeddings.LayerNorm".to_owned(), dim, None);
    for layer in 0..2 {
        let name = |part: &str| format!("distilbert.transformer.layer.{layer}.{part}");
        for part in ["q_lin", "k_lin", "v_lin", "out_lin"] {
            pair(name(&format!("attention.{part}")), dim, Some(dim));
        }
        pair(name("sa_layer_norm"), dim, None);
        pair(name("ffn.lin1"), hidden_dim, Some(dim));
        pair(name("ffn.lin2"), dim, Some(hidden_dim));
        pair(name("output_layer_norm"), dim, None);
    }
    for (name, rows) in heads {
        pair((*name).to_owned(), *rows, Some(dim));
    }
    let mut random = SplitMix64::new(1);
    let bytes: Vec<Vec<u8>> = shapes
        .iter()
        .map(|(name, shape)| {
            let scale = if name.contains(part) { times } else { 1.0 };
            let draw = |_| (scale * (random.below(2001) as f32 - 1000.0) / 8000.0).to_le_bytes();
            (0..shape.iter().product::<usize>()).flat_map(draw).collect()
        })
        .collect();
    let views: HashMap<&str, TensorView<'_>> = shapes
        .iter()
        .zip(&bytes)
        .map(|((name, shape), bytes)| {
            (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
        })
        .collect();
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
}
