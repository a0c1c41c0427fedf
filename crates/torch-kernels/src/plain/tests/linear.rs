//! Linear layers.

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{LibTorch, TensorMetadata};
use burn::tensor::{DType, Shape};
use burn_tch::LibTorchDevice;

use super::super::{linear, linear_backward};
use super::{BF16_TOLERANCE, TOLERANCE, compare, read, torch};
use crate::kernels::{KernelGradients, Kernels};

#[test]
fn linear_is_its_default() {
    for (compute, tolerance) in [(DType::F32, TOLERANCE), (DType::BF16, BF16_TOLERANCE)] {
        // The second is what the host multiplies in blocks.
        for [tokens, dim_in, dim_out] in [[37, 24, 16], [103, 96, 224]] {
            linear_is_its_default_for(tokens, dim_in, dim_out, compute, tolerance);
        }
    }
}

fn linear_is_its_default_for(tokens: usize, dim_in: usize, dim_out: usize, compute: DType, tolerance: f32) {
    let (bias, grad) = (torch([dim_out], 3), torch([tokens, dim_out], 4));
    let weight = torch([dim_out, dim_in], 2);
    // The last of each stands in memory column by column.
    let inputs = [torch([tokens, dim_in], 1), LibTorch::float_transpose(torch([dim_in, tokens], 1))];
    let weights = [
        weight.clone(),
        // Rounded before, as it is for answering.
        LibTorch::float_cast(weight, compute.into()),
        LibTorch::float_transpose(LibTorch::float_cast(torch([dim_in, dim_out], 2), DType::F16.into())),
    ];
    for (input, weight) in inputs.iter().flat_map(|input| weights.iter().map(move |weight| (input, weight))) {
        let alone = LibTorch::autocast_linear(input.clone(), weight.clone(), bias.clone(), compute.into());
        let (out, saved) =
            LibTorch::autocast_linear_forward(input.clone(), weight.clone(), bias.clone(), compute.into());
        let (plain, plain_saved) = linear::<LibTorch>(input.clone(), weight.clone(), bias.clone(), compute);
        assert_eq!([out.dtype(), plain.dtype()], [compute; 2]);
        compare([out, alone], [plain.clone(), plain], tolerance);
        for input_dtype in [DType::F32, compute, DType::F16] {
            let found = LibTorch::autocast_linear_backward(grad.clone(), saved.clone(), input_dtype);
            let plain = linear_backward::<LibTorch>(grad.clone(), plain_saved.clone(), input_dtype);
            assert_eq!([found[0].dtype(), plain[0].dtype()], [input_dtype; 2]);
            compare(found, plain, tolerance);
        }
    }
}

/// Numbers -1, 0 and 1: their products and sums of up to 256 are exact in every type, and one lost shows.
fn whole<const D: usize>(shape: [usize; D], seed: u64) -> FloatTensor<LibTorch> {
    LibTorch::float_round(LibTorch::float_mul_scalar(torch(shape, seed), 1.5.into()))
}

fn assert_equal(kernel: FloatTensor<LibTorch>, default: FloatTensor<LibTorch>, sizes: [usize; 3]) {
    let [kernel, default] = [kernel, default].map(read::<LibTorch>);
    assert!(default.iter().all(|x| x.abs() <= 256.0), "{sizes:?}: not exact in bfloat16");
    assert!(default.iter().any(|x| *x != 0.0) && kernel == default, "{sizes:?}");
}

/// Sizes (tokens, in, out) at the edges of what the host takes at once: one row, a tile and a panel with and without a rest,
/// slices of 1,024 tokens or columns, whole, begun, odd and even. How threads share a product depends on their number.
#[test]
fn products_in_blocks_lose_no_token_and_no_column() {
    for sizes in [
        [1, 32, 64],
        [96, 64, 96],
        [103, 96, 224],
        [1023, 32, 32],
        [1024, 32, 32],
        [1025, 64, 32],
        [1401, 32, 64],
        [2049, 64, 96],
        [5, 1056, 32],
        [7, 32, 1056],
    ] {
        for threads in [1, 2, 6] {
            crate::set_own_threads(threads);
            for weight_dtype in [DType::F32, DType::BF16] {
                for input_dtype in [DType::F32, DType::BF16] {
                    products_are_exact_for(sizes, weight_dtype, input_dtype);
                }
            }
        }
    }
}

/// Leaves memory of the sizes that the products take behind, with numbers in it that show where they are read.
fn spoil_memory([tokens, dim_in, dim_out]: [usize; 3]) {
    let slices = tokens.div_ceil(1024) * 1024;
    for count in [slices * dim_out, tokens.next_multiple_of(32) * 64, dim_in * 64, 3 * dim_out * 64] {
        let shape = Shape::new([count]);
        drop(LibTorch::float_full(shape, f32::NAN.into(), &LibTorchDevice::default(), DType::BF16.into()));
    }
}

fn products_are_exact_for(sizes: [usize; 3], weight_dtype: DType, input_dtype: DType) {
    let [tokens, dim_in, dim_out] = sizes;
    let input = whole([tokens, dim_in], 1);
    let layers = [2, 3, 4].map(|seed| {
        let weight = LibTorch::float_cast(whole([dim_out, dim_in], seed), weight_dtype.into());
        (weight, whole([dim_out], 10 * seed), whole([tokens, dim_out], 100 * seed))
    });
    let mut of_input = Vec::new();
    let mut of_parameters = Vec::new();
    let mut saved_weights = Vec::new();
    for (weight, bias, grad) in layers.clone() {
        spoil_memory(sizes);
        let (out, saved) = LibTorch::autocast_linear_forward(
            input.clone(),
            weight.clone(),
            bias.clone(),
            DType::BF16.into(),
        );
        let (plain, plain_saved) = linear::<LibTorch>(input.clone(), weight, bias, DType::F32);
        assert_equal(out, plain, sizes);
        saved_weights.push(saved[1].clone());
        let found = LibTorch::autocast_linear_backward(grad.clone(), saved, input_dtype);
        let plain = linear_backward::<LibTorch>(grad, plain_saved, DType::F32);
        for (found, plain) in found.into_iter().zip(plain.clone()) {
            assert_equal(found, plain, sizes);
        }
        let [input, weight, bias] = plain;
        of_input.push(input);
        of_parameters.push((weight, bias));
    }
    spoil_memory(sizes);
    let found = LibTorch::shared_linear_backward(
        layers.map(|(_, _, grad)| grad),
        LibTorch::float_cast(input, DType::BF16.into()),
        saved_weights,
        input_dtype,
    );
    assert_eq!(found.input.dtype(), input_dtype);
    assert_equal(found.input, of_input.into_iter().reduce(LibTorch::float_add).unwrap(), sizes);
    for ((weight, bias), (plain_weight, plain_bias)) in found.parameters.into_iter().zip(of_parameters) {
        assert_equal(weight, plain_weight, sizes);
        assert_equal(bias, plain_bias, sizes);
    }
}
