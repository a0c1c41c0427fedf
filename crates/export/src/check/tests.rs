use artifact::TensorsWriter;
use serde_json::json;

use super::*;

fn config(n_heads: usize) -> Config {
    let json = json!({
        "vocab_size": 12, "max_position_embeddings": 16, "n_layers": 1, "n_heads": n_heads, "dim": 8, "hidden_dim": 16,
    });
    Config::from_json(json.to_string().as_bytes()).unwrap()
}

/// Weights of [`config`] with arbitrary weights.
fn trained(folder: &Path) -> Tensors {
    let path = folder.join(file_name::WEIGHTS);
    let mut writer = TensorsWriter::create(&path, "t").unwrap();
    let mut push = |name: &str, shape: &[i64]| {
        let value = |i: i64| ((i + 31 * name.len() as i64) as f32 * 0.7).sin();
        let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
        writer.push_f32(name, shape, &values).unwrap();
    };
    push("distilbert.embeddings.word_embeddings.weight", &[12, 8]);
    push("distilbert.embeddings.position_embeddings.weight", &[16, 8]);
    for (name, shape) in [
        ("distilbert.embeddings.LayerNorm", &[8][..]),
        ("distilbert.transformer.layer.0.attention.q_lin", &[8, 8]),
        ("distilbert.transformer.layer.0.attention.k_lin", &[8, 8]),
        ("distilbert.transformer.layer.0.attention.v_lin", &[8, 8]),
        ("distilbert.transformer.layer.0.attention.out_lin", &[8, 8]),
        ("distilbert.transformer.layer.0.sa_layer_norm", &[8]),
        ("distilbert.transformer.layer.0.ffn.lin1", &[16, 8]),
        ("distilbert.transformer.layer.0.ffn.lin2", &[8, 16]),
        ("distilbert.transformer.layer.0.output_layer_norm", &[8]),
        ("qa_outputs", &[2, 8]),
    ] {
        push(&format!("{name}.weight"), shape);
        push(&format!("{name}.bias"), &shape[..1]);
    }
    writer.finish().unwrap();
    Tensors::open(&path, &artifact::TENSORS).unwrap()
}

fn check(trained: &Tensors) -> Check<'_> {
    let runtime = Runtime::cpu_fp32(1).unwrap();
    let input_ids = vec![vec![2, 5, 6, 3, 7, 8, 3], vec![2, 11, 3, 9, 3]];
    let expected = logits(&config(2), trained, &input_ids, &runtime).unwrap();
    Check { runtime, trained, config: config(2), input_ids, expected }
}

/// The weights with the last bit of one number flipped.
struct Altered<'a>(&'a Tensors, &'static str);

impl Weights for Altered<'_> {
    fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), distilbert::Error> {
        let (shape, mut values) = Weights::get(self.0, name)?;
        if name == self.1 {
            values[5] = f32::from_bits(values[5].to_bits() ^ 1);
        }
        Ok((shape, values))
    }
}

#[test]
fn equal_weights_pass() {
    let folder = tempfile::tempdir().unwrap();
    let trained = trained(folder.path());
    check(&trained).weights(Path::new("model.safetensors"), &trained).unwrap();
}

#[test]
fn one_bit_of_one_weight_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let trained = trained(folder.path());
    let altered = Altered(&trained, "distilbert.transformer.layer.0.ffn.lin1.weight");
    let error = check(&trained).weights(Path::new("model.safetensors"), &altered).unwrap_err();
    insta::assert_snapshot!(error, @"model.safetensors: distilbert.transformer.layer.0.ffn.lin1.weight differs from the trained weights at element 5");
}

#[test]
fn equal_weights_under_another_configuration_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let trained = trained(folder.path());
    let mut check = check(&trained);
    check.config = config(4);
    let error = check.weights(Path::new("model.safetensors"), &trained).unwrap_err().to_string();
    assert!(error.starts_with("model.safetensors: start logit 0 of feature 0 is "), "{error}");
}

#[test]
fn numbers_are_compared_by_their_bits() {
    assert_eq!(first_difference(&[1.0, f32::NAN], &[1.0, f32::NAN]), None);
    assert_eq!(first_difference(&[1.0, 0.0], &[1.0, -0.0]), Some(1));
    assert_eq!(first_difference(&[1.0], &[1.0, 2.0]), Some(1));
}
