use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::path::Path;

use super::*;
use crate::message::message;

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
        let weights = Weights::open(WeightFiles::open(folder.path())?, family, &config())?;
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
        ("encoder.layer.1.attention.self.key.bias", "distilbert.transformer.layer.1.attention.k_lin.bias"),
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
fn a_prefix_of_all_names_is_left_off() {
    let mut tensors = bert();
    tensors.push(("qa_outputs.weight".to_owned(), vec![2, 4], vec![0.5; 8]));
    tensors.push(("qa_outputs.bias".to_owned(), vec![2], vec![0.25; 2]));
    let converted = open(&tensors, Family::Bert).unwrap();
    for prefix in ["module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.model."] {
        let prefixed: Vec<Values> = tensors
            .iter()
            .map(|(name, shape, data)| {
                let family = if name.starts_with("qa_outputs") { "" } else { "bert." };
                (format!("{prefix}{family}{name}"), shape.clone(), data.clone())
            })
            .collect();
        assert_eq!(open(&prefixed, Family::Bert).unwrap(), converted, "{prefix}");
    }
}

#[test]
fn more_layers_than_the_file_can_hold_are_refused_without_listing_them() {
    let mut config = config();
    config.n_layers = 2_000_000;
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("model.safetensors"), file(&bert(), Dtype::F32)).unwrap();
    let weight_files = WeightFiles::open(folder.path()).unwrap();
    let error = Weights::open(weight_files, Family::Bert, &config).unwrap_err();
    insta::assert_snapshot!(message(&error, folder.path()), @r"
      model.safetensors: 1 tensors do not match the bert model of its config.json
        missing: config.json says 2000000 layers, which have 32000000 tensors; the file has 38
      help: config.json and the weights must come from the same model: fetch both again
    ");
}

#[test]
fn a_head_that_was_trained_with_token_types_is_known() {
    let mut tensors = bert();
    let needs = |tensors: &[Values]| {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("model.safetensors"), file(tensors, Dtype::F32)).unwrap();
        let weight_files = WeightFiles::open(folder.path()).unwrap();
        Weights::open(weight_files, Family::Bert, &config()).unwrap().head_needs_token_types().unwrap()
    };
    assert!(!needs(&tensors), "there is no head");
    tensors.push(("qa_outputs.weight".to_owned(), vec![2, 4], vec![0.5; 8]));
    tensors.push(("qa_outputs.bias".to_owned(), vec![2], vec![0.25; 2]));
    assert!(needs(&tensors));
    let types = tensors.iter_mut().find(|(name, _, _)| name.contains("token_type")).unwrap();
    types.2 = [[0.5_f32; 4], [0.5; 4]].concat();
    assert!(!needs(&tensors), "both types are the same");
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
      model.safetensors: 7 tensors do not match the bert model of its config.json
        surplus: adapter.weight [1]
        mis-shaped: distilbert.embeddings.word_embeddings.weight [4, 5], expected [5, 4]
        missing: distilbert.transformer.layer.1.output_layer_norm.weight [4]
        missing: distilbert.transformer.layer.1.output_layer_norm.bias [4]
        mis-shaped: qa_outputs.weight [3, 4], expected [2, 4]
        missing: qa_outputs.bias [2]
        surplus: distilbert.transformer.layer.2.ffn.lin2.bias [4]
      help: config.json and the weights must come from the same model: fetch both again
    ");
}

#[test]
fn a_damaged_file_is_named() {
    let data = file(&bert(), Dtype::F32);
    insta::assert_snapshot!(read(&data[..data.len() - 4], Family::Bert).unwrap_err(), @r"
      model.safetensors is not a valid safetensors file
      cause: incomplete metadata, file not fully covered
      help: it is damaged or incomplete: fetch it again
    ");
}

#[test]
fn what_is_not_finite_is_named() {
    let mut tensors = bert();
    tensors[0].2[3] = f32::NAN;
    insta::assert_snapshot!(open(&tensors, Family::Bert).unwrap_err(), @r"
      model.safetensors: 1 of the 20 values of embeddings.word_embeddings.weight are infinite or NaN
      help: the weights are damaged: fetch or train the model again, or choose another one
    ");
}
