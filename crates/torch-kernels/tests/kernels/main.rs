//! Every kernel against the same mathematics in plain Burn operations: values and gradients.

#![expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]

mod attention;
mod device_path;
mod packed;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use distilburn_torch_kernels as kernels;
use kernels::{AdamWOptions, Dropout, Handle, Slot};

/// f32 has 24 significant bits; sums of up to a few hundred terms lose about eight of them.
const TOLERANCE: f32 = 2e-5;
/// bf16 has 8 significant bits: one rounding moves a value by up to 2⁻⁹, and results pass through a few.
const BF16_TOLERANCE: f32 = 3e-2;

/// f16 has 11 significant bits: an eighth of bfloat16's error.
const F16_TOLERANCE: f32 = 4e-3;

fn device() -> Device {
    kernels::test_device().autodiff()
}

/// Whether tests run on the host, as what they hold may do alone.
fn on_host() -> bool {
    let on_host = kernels::test_device() == Device::libtorch();
    if !on_host {
        println!("a matter of the host alone");
    }
    on_host
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
        // The second is what the host multiplies in blocks, where it can.
        for [tokens, dim_in, dim_out] in [[37, 24, 16], [103, 96, 224]] {
            let (x, w, b) = (tensor([tokens, dim_in], 1), tensor([dim_out, dim_in], 2), tensor([dim_out], 3));
            let found = run(kernels::linear(x.clone(), w.clone(), b.clone(), compute), &[&x, &w, &b]);
            let plain = x.clone().matmul(w.clone().transpose()) + b.clone().unsqueeze::<2>();
            compare(found, run(plain, &[&x, &w, &b]), tolerance);
        }
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
    if !on_host() {
        return;
    }
    let x = tensor([64, 48], 4);
    let dropout = Dropout { p: 0.1, seed: 3 };
    let narrow = read(kernels::dropout(x.clone().cast(DType::BF16), dropout));
    let wide = read(kernels::dropout(x, dropout));
    assert_close(&narrow, &wide, BF16_TOLERANCE);
    assert!(narrow.iter().zip(&wide).all(|(a, b)| (*a == 0.0) == (*b == 0.0)));
}

#[test]
fn the_optimizer_takes_bf16_gradients_for_the_f32_that_they_are() {
    if !on_host() {
        return;
    }
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
