//! Every kernel against the same mathematics in plain Burn operations: values and gradients.

#![expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]

use std::sync::Arc;

use burn::tensor::activation::softmax;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use distilburn_torch_kernels as kernels;
use kernels::{AdamWOptions, AttentionOptions, Dropout, Handle, Slot};

/// f32 has 24 significant bits; sums of up to a few hundred terms lose about eight of them.
const TOLERANCE: f32 = 2e-5;
/// bf16 has 8 significant bits: one rounding moves a value by up to 2⁻⁹, and results pass through a few.
const BF16_TOLERANCE: f32 = 3e-2;

/// f16 has 11 significant bits: an eighth of bfloat16's error.
const F16_TOLERANCE: f32 = 4e-3;

fn device() -> Device {
    Device::libtorch().autodiff()
}

/// Values in (-1, 1) that follow no pattern.
fn values(count: usize, seed: u32) -> Vec<f32> {
    (0..count as u32)
        .map(|index| {
            let mut x = index.wrapping_mul(0x9e37_79b9) ^ seed.wrapping_mul(0x85eb_ca6b);
            x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
            x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
            ((x ^ (x >> 16)) >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

fn tensor<const D: usize>(shape: [usize; D], seed: u32) -> Tensor<D> {
    let data = TensorData::new(values(shape.iter().product(), seed), shape);
    Tensor::from_data(data, &device()).require_grad()
}

fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.without_autodiff().cast(DType::F32).into_data().try_to_vec().unwrap()
}

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1e-3_f32, |max, x| max.max(x.abs()));
    // Each on its own: the greatest of several passes over NaN, which no comparison holds for.
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let near = (found - expected).abs() <= tolerance * scale;
        assert!(near, "element {index} is {found}, expected {expected}; largest value {scale}");
    }
}

/// Output and gradients of the leaves, for a scalar made of every output with its own weight.
fn run<const D: usize>(out: Tensor<D>, leaves: &[&dyn Leaf]) -> Vec<Vec<f32>> {
    let weights = tensor(out.dims(), 99).without_autodiff().autodiff();
    let grads = (out.clone().cast(DType::F32) * weights).sum().backward();
    std::iter::once(read(out)).chain(leaves.iter().map(|leaf| leaf.grad(&grads))).collect()
}

trait Leaf {
    fn grad(&self, grads: &burn::tensor::Gradients) -> Vec<f32>;
}

impl<const D: usize> Leaf for Tensor<D> {
    fn grad(&self, grads: &burn::tensor::Gradients) -> Vec<f32> {
        read(Tensor::grad(self, grads).expect("the output depends on this leaf"))
    }
}

fn compare(found: Vec<Vec<f32>>, expected: Vec<Vec<f32>>, tolerance: f32) {
    for (found, expected) in found.iter().zip(&expected) {
        assert_close(found, expected, tolerance);
    }
}

#[test]
fn linear_is_a_product_plus_a_bias() {
    let types = [(DType::F32, TOLERANCE), (DType::BF16, BF16_TOLERANCE), (DType::F16, F16_TOLERANCE)];
    for (compute, tolerance) in types {
        let (x, w, b) = (tensor([37, 24], 1), tensor([16, 24], 2), tensor([16], 3));
        let found = run(kernels::linear(x.clone(), w.clone(), b.clone(), compute), &[&x, &w, &b]);
        let plain = x.clone().matmul(w.clone().transpose()) + b.clone().unsqueeze::<2>();
        compare(found, run(plain, &[&x, &w, &b]), tolerance);
    }
}

#[test]
fn layer_norm_is_its_formula() {
    let (x, w, b) = (tensor([19, 32], 1), tensor([32], 2), tensor([32], 3));
    let found = run(kernels::layer_norm(x.clone(), w.clone(), b.clone(), 1e-12), &[&x, &w, &b]);
    let centred = x.clone() - x.clone().mean_dim(1);
    let variance = centred.clone().powf_scalar(2.0).mean_dim(1);
    let plain = centred / (variance + 1e-12).sqrt() * w.clone().unsqueeze::<2>() + b.clone().unsqueeze::<2>();
    compare(found, run(plain, &[&x, &w, &b]), TOLERANCE);
}

#[test]
fn gelu_is_the_exact_one() {
    let x = tensor([13, 40], 1) * 4.0;
    let x = x.without_autodiff().autodiff().require_grad();
    let found = run(kernels::gelu(x.clone()), &[&x]);
    let plain = x.clone() * ((x.clone() / 2.0_f64.sqrt()).erf() + 1.0) / 2.0;
    compare(found, run(plain, &[&x]), TOLERANCE);
}

#[test]
fn embedding_sums_the_gradients_of_a_row_that_occurs_twice() {
    let weight = tensor([10, 6], 1);
    let ids = Tensor::<1, Int>::from_data([3_i64, 7, 3, 0], &device().without_autodiff());
    let found = run(kernels::embedding(weight.clone(), ids.clone()), &[&weight]);
    compare(found, run(weight.clone().select(0, ids), &[&weight]), TOLERANCE);
}

fn attention_inputs() -> [Tensor<2>; 3] {
    [tensor([17, 12], 1), tensor([17, 12], 2), tensor([17, 12], 3)]
}

fn options(dropout: Option<Dropout>) -> AttentionOptions {
    AttentionOptions { cu_seqlens: Arc::from([0, 5, 6, 17]), n_heads: 3, dropout }
}

/// Attention of each sequence on its own, with given masks of kept probabilities.
fn plain_attention([q, k, v]: &[Tensor<2>; 3], masks: Option<&[Tensor<3>]>) -> Tensor<2> {
    let sequences = [0..5, 5..6, 6..17].into_iter().enumerate().map(|(index, rows)| {
        let len = rows.len();
        let heads =
            |x: &Tensor<2>| x.clone().slice([rows.clone(), 0..12]).reshape([len, 3, 4]).swap_dims(0, 1);
        let scores = heads(q).matmul(heads(k).swap_dims(1, 2)) / 4.0_f64.sqrt();
        let probabilities = softmax(scores, 2);
        let probabilities = match masks {
            Some(masks) => probabilities * masks[index].clone(),
            None => probabilities,
        };
        probabilities.matmul(heads(v)).swap_dims(0, 1).reshape([len, 12])
    });
    Tensor::cat(sequences.collect(), 0)
}

#[test]
fn packed_attention_is_attention_of_each_sequence_alone() {
    let qkv = attention_inputs();
    let [q, k, v] = qkv.clone();
    let found = run(kernels::packed_attention(q.clone(), k.clone(), v.clone(), options(None)), &[&q, &k, &v]);
    compare(found, run(plain_attention(&qkv, None), &[&q, &k, &v]), TOLERANCE);
}

#[test]
fn inference_attends_as_training_without_dropout_does() {
    let [q, k, v] = attention_inputs();
    let trained = read(kernels::packed_attention(q.clone(), k.clone(), v.clone(), options(None)));
    let [q, k, v] = [q, k, v].map(Tensor::without_autodiff);
    assert_close(&read(kernels::packed_attention(q, k, v, options(None))), &trained, 1e-6);
}

#[test]
fn attention_dropout_masks_probabilities_alike_in_forward_and_backward() {
    let dropout = Dropout { p: 0.4, seed: 11 };
    // With one-hot values the output is the dropped probabilities themselves, which gives the masks away.
    let [q, k, _] = attention_inputs();
    let mut masks = Vec::new();
    let mut first = 0;
    for len in [5, 1, 11] {
        let cells = 3 * len * len;
        let seed = dropout.seed ^ (first as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let ones = Tensor::<2>::ones([1, cells], &device());
        masks.push(kernels::dropout(ones, Dropout { p: 0.4, seed }).reshape([3, len, len]));
        first += cells;
    }
    let v = tensor([17, 12], 3);
    let qkv = [q.clone(), k.clone(), v.clone()];
    let found = run(
        kernels::packed_attention(q.clone(), k.clone(), v.clone(), options(Some(dropout))),
        &[&q, &k, &v],
    );
    compare(found, run(plain_attention(&qkv, Some(&masks)), &[&q, &k, &v]), TOLERANCE);
}

/// Lengths on both sides of the multiples of 32 that attention on the host works in.
fn uneven_options(dropout: Option<Dropout>) -> AttentionOptions {
    AttentionOptions { cu_seqlens: Arc::from([0, 1, 32, 64, 97, 167]), n_heads: 3, dropout }
}

#[test]
fn attention_in_bf16_has_the_masks_of_f32_and_its_values() {
    // Values that bf16 holds exactly, so that the inputs are the same.
    let [q, k, v] = [1, 2, 3].map(|seed| {
        let rounded = (tensor([167, 48], seed) * 2.0).cast(DType::BF16).cast(DType::F32);
        rounded.without_autodiff().autodiff().require_grad()
    });
    for dropout in [None, Some(Dropout { p: 0.2, seed: 11 })] {
        let attend = |compute| {
            let [q, k, v] = [&q, &k, &v].map(|x| x.clone().cast(compute));
            kernels::packed_attention(q, k, v, uneven_options(dropout)).cast(DType::F32)
        };
        let leaves: [&dyn Leaf; 3] = [&q, &k, &v];
        compare(run(attend(DType::BF16), &leaves), run(attend(DType::F32), &leaves), BF16_TOLERANCE);
    }
}

#[test]
fn heads_wider_than_every_sequence_is_long_have_the_gradients_of_f32() {
    for cu_seqlens in [vec![0, 1], vec![0, 1, 6, 32]] {
        let tokens = cu_seqlens[cu_seqlens.len() - 1];
        let [q, k, v] = [1, 2, 3].map(|seed| {
            let rounded = tensor([tokens, 256], seed).cast(DType::BF16).cast(DType::F32);
            rounded.without_autodiff().autodiff().require_grad()
        });
        let attend = |compute| {
            let [q, k, v] = [&q, &k, &v].map(|x| x.clone().cast(compute));
            let dropout = Some(Dropout { p: 0.2, seed: 3 });
            let options = AttentionOptions { cu_seqlens: cu_seqlens.clone().into(), n_heads: 2, dropout };
            kernels::packed_attention(q, k, v, options).cast(DType::F32)
        };
        let leaves: [&dyn Leaf; 3] = [&q, &k, &v];
        compare(run(attend(DType::BF16), &leaves), run(attend(DType::F32), &leaves), BF16_TOLERANCE);
    }
}

/// Gradients with respect to tensors whose transposes attend, as they are or copied into rows, and the output, whose
/// own gradient comes transposed.
fn transposed_attention(compute: DType, copied: bool) -> Vec<Vec<f32>> {
    let leaves = [1, 2, 3].map(|seed| tensor([48, 167], seed));
    let [q, k, v] = leaves.each_ref().map(|x| {
        let view = x.clone().cast(compute).transpose();
        if copied { view.clone().slice_assign([0..1, 0..48], view.slice([0..1, 0..48])) } else { view }
    });
    let out = kernels::packed_attention(q, k, v, uneven_options(Some(Dropout { p: 0.1, seed: 5 })));
    run(out.transpose(), &leaves.each_ref().map(|leaf| leaf as &dyn Leaf))
}

#[test]
fn attention_of_views_is_that_of_their_copies() {
    for compute in [DType::F32, DType::BF16] {
        compare(transposed_attention(compute, false), transposed_attention(compute, true), 1e-6);
    }
}

/// oneDNN held to older instructions throws where it is asked for bfloat16: the process has to find out by itself.
#[test]
fn older_instructions_have_the_values_of_f32_too() {
    for instructions in ["AVX2", "AVX512_CORE"] {
        let tests = [
            "linear_is_a_product_plus_a_bias",
            "attention_in_bf16_has_the_masks_of_f32_and_its_values",
            "heads_wider_than_every_sequence_is_long_have_the_gradients_of_f32",
        ];
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .env("ONEDNN_MAX_CPU_ISA", instructions)
            .arg("--exact")
            .args(tests)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("3 passed"), "{instructions}: {told}");
    }
}

#[test]
fn attention_does_not_depend_on_the_number_of_threads() {
    let [q, k, v] = [1, 2, 3].map(|seed| tensor([167, 48], seed));
    let results = [1, 2, 3].map(|threads| {
        kernels::set_threads(threads);
        let [q16, k16, v16] = [&q, &k, &v].map(|x| x.clone().cast(DType::BF16));
        let options = uneven_options(Some(Dropout { p: 0.1, seed: 5 }));
        run(kernels::packed_attention(q16, k16, v16, options), &[&q, &k, &v])
    });
    assert!(results[0] == results[1] && results[1] == results[2]);
}

/// The sequence of row 40 is the third: rows 32 to 64.
#[test]
fn a_query_that_is_not_finite_shows_in_its_row_and_in_no_other() {
    for compute in [DType::F32, DType::BF16] {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            // All three heads of the row, or one column of the second.
            for (columns, not_finite) in [(0..48, 48), (20..21, 16)] {
                let [q, k, v] = [1, 2, 3].map(|seed| tensor([167, 48], seed).without_autodiff());
                let q = q.slice_fill([40..41, columns], value);
                let [q, k, v] = [q, k, v].map(|x| x.cast(compute));
                let out = read(kernels::packed_attention(q, k, v, uneven_options(None)));
                let nan = |rows: std::ops::Range<usize>| {
                    out[48 * rows.start..48 * rows.end].iter().filter(|x| x.is_nan()).count()
                };
                let found = [nan(0..40), nan(40..41), nan(41..167)];
                assert_eq!(found, [0, not_finite, 0], "{compute:?}, {value}");
            }
        }
    }
}

#[test]
fn a_key_that_scores_minus_infinity_is_not_attended_to() {
    for compute in [DType::F32, DType::BF16] {
        let [q, k, v] = [1, 2, 3].map(|seed| tensor([167, 48], seed).without_autodiff());
        // Queries are above 0 in this column, so that their products with the key are below.
        let q = q.slice_fill([0..167, 20..21], 0.5);
        let k = k.slice_fill([40..41, 20..21], f32::NEG_INFINITY);
        let attend = |v: Tensor<2>| {
            let [q, k, v] = [q.clone(), k.clone(), v].map(|x| x.cast(compute));
            read(kernels::packed_attention(q, k, v, uneven_options(None)))
        };
        let [with, without] = [v.clone(), v.slice_fill([40..41, 16..32], 7.0)].map(attend);
        for (index, (with, without)) in with.iter().zip(&without).enumerate() {
            assert!(with.is_finite() && with.to_bits() == without.to_bits(), "{compute:?}, element {index}");
        }
    }
}

#[test]
fn dropout_keeps_the_right_share_scales_it_and_follows_its_seed() {
    let ones = Tensor::<2>::ones([1000, 300], &device());
    let drop = |p, seed| read(kernels::dropout(ones.clone(), Dropout { p, seed }));
    for p in [0.1, 0.5] {
        let mask = drop(p, 7);
        let kept = mask.iter().filter(|&&x| x != 0.0).count() as f64 / mask.len() as f64;
        // 300,000 draws: the share's standard deviation is below 0.001.
        assert!((kept - (1.0 - p)).abs() < 0.004, "kept {kept} at p = {p}");
        assert!(mask.iter().all(|&x| x == 0.0 || (f64::from(x) - 1.0 / (1.0 - p)).abs() < 1e-6));
    }
    assert_eq!(drop(0.3, 1), drop(0.3, 1));
    let (a, b) = (drop(0.5, 1), drop(0.5, 2));
    let agree =
        a.iter().zip(&b).filter(|(a, b)| (**a == 0.0) == (**b == 0.0)).count() as f64 / a.len() as f64;
    assert!((agree - 0.5).abs() < 0.005, "masks of two seeds agree in {agree}");
}

#[test]
fn dropout_does_not_depend_on_the_number_of_threads() {
    let ones = Tensor::<2>::ones([500, 200], &device());
    let masks = [1, 2, 3].map(|threads| {
        kernels::set_threads(threads);
        read(kernels::dropout(ones.clone(), Dropout { p: 0.1, seed: 5 }))
    });
    assert!(masks[0] == masks[1] && masks[1] == masks[2]);
}

#[test]
fn dropout_in_bf16_has_the_mask_of_f32() {
    let x = tensor([64, 48], 4);
    let dropout = Dropout { p: 0.1, seed: 3 };
    let narrow = read(kernels::dropout(x.clone().cast(DType::BF16), dropout));
    let wide = read(kernels::dropout(x, dropout));
    assert_close(&narrow, &wide, BF16_TOLERANCE);
    assert!(narrow.iter().zip(&wide).all(|(a, b)| (*a == 0.0) == (*b == 0.0)));
}

#[test]
fn the_optimizer_takes_bf16_gradients_for_the_f32_that_they_are() {
    // More than one piece that a thread takes, and no whole number of them.
    let grad = tensor([300, 257], 2).without_autodiff().cast(DType::BF16);
    let updated = [grad.clone(), grad.cast(DType::F32)].map(|grad| {
        let param = Handle::from_burn(tensor([300, 257], 1)).copy();
        let grad = Handle::from_burn(grad);
        let (exp_avg, exp_avg_sq) = (param.zeros_like(), param.zeros_like());
        let norm = kernels::global_norm([&grad].into_iter());
        let slot = Slot { param: &param, grad: &grad, exp_avg: &exp_avg, exp_avg_sq: &exp_avg_sq };
        let options = AdamWOptions {
            learning_rate: 0.1,
            betas: [0.9, 0.999],
            weight_decay: 0.01,
            epsilon: 1e-8,
            step: 1,
        };
        kernels::adamw(&[slot], options, kernels::clip_scale(norm.clone(), 1.0));
        [read(norm), param.to_vec(), exp_avg.to_vec(), exp_avg_sq.to_vec()]
    });
    let [narrow, wide] = &updated;
    for (narrow, wide) in narrow.iter().zip(wide) {
        assert_close(narrow, wide, 1e-6);
    }
}

#[test]
fn adamw_moves_weights_as_its_formula_says_and_clips_first() {
    let param = Handle::from_burn(tensor([4, 3], 1));
    let before = param.to_vec();
    let grad = Handle::from_burn(tensor([4, 3], 2) * 5.0);
    let gradient = grad.to_vec();
    let (exp_avg, exp_avg_sq) = (param.zeros_like(), param.zeros_like());
    let norm = kernels::global_norm([&grad].into_iter());
    let expected_norm = gradient.iter().map(|x| x * x).sum::<f32>().sqrt();
    assert_close(&read(norm.clone()), &[expected_norm], TOLERANCE);

    let slot = Slot { param: &param, grad: &grad, exp_avg: &exp_avg, exp_avg_sq: &exp_avg_sq };
    let options =
        AdamWOptions { learning_rate: 0.1, betas: [0.9, 0.999], weight_decay: 0.01, epsilon: 1e-8, step: 1 };
    kernels::adamw(&[slot], options, kernels::clip_scale(norm, 1.0));

    let clipped: Vec<f32> = gradient.iter().map(|g| g / (expected_norm + 1e-6)).collect();
    // At the first step the corrected moments are the gradient and its square.
    let expected: Vec<f32> = before
        .iter()
        .zip(&clipped)
        .map(|(w, g)| w * (1.0 - 0.1 * 0.01) - 0.1 * g / (g.abs() + 1e-8))
        .collect();
    assert_close(&param.to_vec(), &expected, TOLERANCE);
    assert_close(&exp_avg.to_vec(), &clipped.iter().map(|g| 0.1 * g).collect::<Vec<_>>(), TOLERANCE);
}

#[test]
fn unscaling_divides_and_finds_what_is_not_finite() {
    let grad = |values: Vec<f32>| {
        let shape = [values.len()];
        Handle::from_burn(Tensor::<1>::from_data(TensorData::new(values, shape), &device()))
    };
    let finite = [grad(vec![8.0, -4.0]), grad(vec![f32::MAX])];
    let found = |grads: &[Handle]| kernels::unscale(grads.iter(), 4.0).into_scalar::<f32>() > 0.0;
    assert!(!found(&finite));
    assert_eq!(finite[0].to_vec(), vec![2.0, -1.0]);
    for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        let grads = [grad(vec![1.0; 5]), grad(vec![0.0, bad, 1.0])];
        assert!(found(&grads), "{bad}");
        assert_eq!(grads.map(|grad| grad.is_finite()), [true, false]);
    }
}
