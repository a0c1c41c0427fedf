//! Attention, alone and with its projections.

use std::sync::Arc;

use burn::tensor::activation::softmax;
use burn::tensor::{DType, Tensor};
use distilburn_torch_kernels as kernels;
use kernels::{AttentionOptions, Dropout};

use super::{BF16_TOLERANCE, Leaf, TOLERANCE, assert_close, compare, device, read, run, tensor};

fn attention_inputs() -> [Tensor<2>; 3] {
    [tensor([17, 12], 1), tensor([17, 12], 2), tensor([17, 12], 3)]
}

pub(crate) fn options(dropout: Option<Dropout>) -> AttentionOptions {
    AttentionOptions { dropout, ..AttentionOptions::new(Arc::from([0, 5, 6, 17]), 3) }
}

/// Attention of each sequence on its own, with given masks of kept probabilities.
fn plain_attention([q, k, v]: &[Tensor<2>; 3], n_heads: usize, masks: Option<&[Tensor<3>]>) -> Tensor<2> {
    let d_head = 12 / n_heads;
    let sequences = [0..5, 5..6, 6..17].into_iter().enumerate().map(|(index, rows)| {
        let len = rows.len();
        let heads = |x: &Tensor<2>| {
            x.clone().slice([rows.clone(), 0..12]).reshape([len, n_heads, d_head]).swap_dims(0, 1)
        };
        let scores = heads(q).matmul(heads(k).swap_dims(1, 2)) / (d_head as f64).sqrt();
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
    // Heads of 4 columns, and of 3, which the host takes a sequence at a time.
    for n_heads in [3, 4] {
        let options = AttentionOptions { n_heads, ..options(None) };
        let attended = kernels::packed_attention(q.clone(), k.clone(), v.clone(), options);
        let plain = run(plain_attention(&qkv, n_heads, None), &[&q, &k, &v]);
        compare(run(attended, &[&q, &k, &v]), plain, TOLERANCE);
    }
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
    if !crate::on_host() {
        return;
    }
    let dropout = Dropout { p: 0.4, seed: 11 };
    let qkv = attention_inputs();
    // The masks are those of `dropout`, seeded by where a sequence's probabilities begin.
    let mut masks = Vec::new();
    let mut first = 0;
    for len in [5, 1, 11] {
        let cells = 3 * len * len;
        let seed = dropout.seed ^ (first as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let ones = Tensor::<2>::ones([1, cells], &device());
        masks.push(kernels::dropout(ones, Dropout { p: 0.4, seed }).reshape([3, len, len]));
        first += cells;
    }
    let [q, k, v] = qkv.clone();
    let leaves: [&dyn Leaf; 3] = [&q, &k, &v];
    let found =
        run(kernels::packed_attention(q.clone(), k.clone(), v.clone(), options(Some(dropout))), &leaves);
    compare(found, run(plain_attention(&qkv, 3, Some(&masks)), &leaves), TOLERANCE);
}

/// Lengths on both sides of the multiples of 32 that attention on the host works in.
fn uneven_options(dropout: Option<Dropout>) -> AttentionOptions {
    AttentionOptions { dropout, ..AttentionOptions::new(Arc::from([0, 1, 32, 64, 97, 167]), 3) }
}

#[test]
fn attention_in_bf16_has_the_masks_of_f32_and_its_values() {
    if !crate::on_host() {
        return;
    }
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
            let options = AttentionOptions { dropout, ..AttentionOptions::new(cu_seqlens.clone().into(), 2) };
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
        // A row of all elements cannot be a view of columns.
        if copied { view.reshape([1, 167 * 48]).reshape([167, 48]) } else { view }
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
    if !crate::on_host() {
        return;
    }
    for instructions in ["AVX2", "AVX512_CORE"] {
        let tests = [
            "linear_is_a_product_plus_a_bias",
            "attention::attention_in_bf16_has_the_masks_of_f32_and_its_values",
            "attention::heads_wider_than_every_sequence_is_long_have_the_gradients_of_f32",
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
fn self_attention_is_three_linear_layers_and_attention() {
    for (compute, tolerance) in [(DType::F32, TOLERANCE), (DType::BF16, BF16_TOLERANCE)] {
        let [x, wq, wk, wv] = [([17, 96], 1), ([96, 96], 2), ([96, 96], 3), ([96, 96], 4)]
            .map(|(shape, seed)| tensor(shape, seed));
        let [bq, bk, bv] = [5, 6, 7].map(|seed| tensor([96], seed));
        let options = || AttentionOptions { n_heads: 3, ..options(None) };
        // The gradient of the key's bias is nothing but rounding: it changes no probability.
        let leaves: [&dyn Leaf; 6] = [&x, &wq, &wk, &wv, &bq, &bv];
        // Small, so that no key takes all.
        let input = || x.clone() * 0.1;
        let parameters = [(&wq, &bq), (&wk, &bk), (&wv, &bv)].map(|(w, b)| (w.clone(), b.clone()));
        let found = run(kernels::self_attention(input(), parameters.clone(), options(), compute), &leaves);
        let [q, k, v] = parameters.map(|(w, b)| kernels::linear(input(), w, b, compute));
        compare(found, run(kernels::packed_attention(q, k, v, options()), &leaves), tolerance);
    }
}
