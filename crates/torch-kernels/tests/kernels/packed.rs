//! Parameters packed once, for inference: in bfloat16 and in int8.

use std::sync::Arc;

use burn::tensor::{DType, Device, Tensor, TensorData};
use distilburn_torch_kernels as kernels;
use kernels::{AttentionOptions, Compute, Copies, Handle};

use crate::{compare, read};

/// Sizes (tokens, in, out) at the edges of a tile of 96 rows and a panel of 64 columns.
const SIZES: [[usize; 3]; 6] =
    [[1, 32, 32], [5, 64, 96], [96, 96, 64], [103, 96, 224], [193, 1056, 32], [200, 32, 160]];

/// On the host, where parameters are packed.
fn of<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::libtorch())
}

fn tensor<const D: usize>(shape: [usize; D], seed: u32) -> Tensor<D> {
    of(&crate::values(shape.iter().product(), seed), shape)
}

fn layer([_, dim_in, dim_out]: [usize; 3]) -> (Tensor<2>, Tensor<1>) {
    (tensor([dim_out, dim_in], 2), tensor([dim_out], 3))
}

fn copies(layers: &[(Tensor<2>, Tensor<1>)], dtype: DType, int8: bool) -> Option<Copies> {
    let handles = |(weight, bias): &(Tensor<2>, Tensor<1>)| {
        (Handle::from_burn(weight.clone()), Handle::from_burn(bias.clone()))
    };
    Copies::packed(&layers.iter().map(handles).collect::<Vec<_>>(), dtype, int8)
}

#[test]
fn what_is_packed_once_gives_the_bits_of_what_is_packed_each_time() {
    if !kernels::cpu_multiplies(DType::BF16) {
        println!("skipped: this CPU has no bfloat16");
        return;
    }
    for sizes in SIZES {
        let (weight, bias) = layer(sizes);
        let copies = copies(&[(weight.clone(), bias.clone())], DType::BF16, false).expect("multiples of 32");
        let input = tensor([sizes[0], sizes[1]], 1);
        for threads in [1, 2, 6] {
            kernels::set_own_threads(threads);
            let packed = Compute { dtype: DType::BF16, copies: Some(copies.clone()) };
            let [once, each] = [packed, DType::BF16.into()]
                .map(|compute| read(kernels::linear(input.clone(), weight.clone(), bias.clone(), compute)));
            assert_eq!(once, each, "{sizes:?}");
        }
    }
}

/// The layer as `cpp/quantized.cpp` says it computes it, in f64.
fn quantized(input: &[f32], weight: &[f32], bias: &[f32], dim_in: usize) -> Vec<f64> {
    let weights: Vec<(f64, Vec<f64>)> = weight
        .chunks(dim_in)
        .map(|row| {
            let scale = row.iter().fold(0.0_f32, |most, x| most.max(x.abs())) / 127.0;
            (f64::from(scale), row.iter().map(|x| f64::from((x * (1.0 / scale)).round_ties_even())).collect())
        })
        .collect();
    let mut out = Vec::new();
    for row in input.chunks(dim_in) {
        let (least, most) =
            row.iter().fold((0.0_f32, 0.0_f32), |(least, most), &x| (least.min(x), most.max(x)));
        let scale = (most - least) / 255.0;
        let inverse = 1.0 / scale;
        let zero = (-least * inverse).round_ties_even();
        let row: Vec<f64> = row
            .iter()
            .map(|x| f64::from((x * inverse + zero).clamp(0.0, 255.0).round_ties_even() - zero))
            .collect();
        out.extend(weights.iter().zip(bias).map(|((weight_scale, weight), bias)| {
            let sum: f64 = row.iter().zip(weight).map(|(x, w)| x * w).sum();
            sum * f64::from(scale) * weight_scale + f64::from(*bias)
        }));
    }
    out
}

#[test]
fn int8_is_what_dynamic_quantisation_says() {
    if !kernels::cpu_multiplies_int8() {
        println!("skipped: this CPU has no products of int8");
        return;
    }
    for sizes in SIZES {
        let [tokens, dim_in, dim_out] = sizes;
        let (weight, bias) = layer(sizes);
        let copies = copies(&[(weight.clone(), bias.clone())], DType::F32, true).expect("multiples of 32");
        let input = tensor([tokens, dim_in], 1);
        let [x, w] = [input.clone(), weight.clone()].map(read);
        let expected = quantized(&x, &w, &read(bias.clone()), dim_in);
        // Half a step of each factor times the sum of the other's sizes.
        let bound = dim_in as f64 * (1.0 / 255.0 + 0.5 / 127.0);
        let compute = |dtype| Compute { dtype, copies: Some(copies.clone()) };
        for threads in [1, 2, 6] {
            kernels::set_own_threads(threads);
            let found =
                read(kernels::linear(input.clone(), weight.clone(), bias.clone(), compute(DType::F32)));
            let exact = read(kernels::linear(input.clone(), weight.clone(), bias.clone(), DType::F32));
            for ((found, expected), exact) in found.iter().zip(&expected).zip(&exact) {
                assert!((f64::from(*found) - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{sizes:?}");
                assert!(f64::from(found - exact).abs() < bound, "{sizes:?}: {found} for {exact}");
            }
            let narrow =
                read(kernels::linear(input.clone(), weight.clone(), bias.clone(), compute(DType::BF16)));
            compare(vec![narrow], vec![found.clone()], 4e-3);

            // LibTorch's own is off by up to 2.6e-7 of 1 + |x|, this one by 1.0e-7.
            let activated =
                read(kernels::linear_gelu(input.clone(), weight.clone(), bias.clone(), compute(DType::F32)));
            let gelu = read(kernels::gelu(of(&found, [tokens, dim_out])));
            for ((x, activated), gelu) in found.iter().zip(&activated).zip(&gelu) {
                assert!((activated - gelu).abs() < 5e-7 * (1.0 + x.abs()), "{activated} for {gelu}");
            }
        }
    }
}

/// A row's result depends on that row alone, and what is not finite shows.
#[test]
fn int8_keeps_rows_apart() {
    if !kernels::cpu_multiplies_int8() {
        println!("skipped: this CPU has no products of int8");
        return;
    }
    let sizes = [7, 64, 96];
    let (weight, bias) = layer(sizes);
    let compute =
        Compute { dtype: DType::F32, copies: copies(&[(weight.clone(), bias.clone())], DType::F32, true) };
    let product =
        |input: Tensor<2>| read(kernels::linear(input, weight.clone(), bias.clone(), compute.clone()));
    let input = tensor([7, 64], 1);
    let all = product(input.clone());
    let alone: Vec<f32> =
        (0..7).flat_map(|row| product(input.clone().slice([row..row + 1, 0..64]))).collect();
    assert_eq!(all, alone);

    for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut values = read(input.clone());
        values[2 * 64 + 5] = poison;
        // A row of zeros gives the bias, and so does one that is too near to zero to be divided by its scale.
        values[4 * 64..4 * 64 + 64].fill(if poison.is_nan() { 0.0 } else { 1e-40 });
        let found = product(of(&values, [7, 64]));
        assert!(found[2 * 96..3 * 96].iter().all(|x| x.is_nan()), "{poison}");
        assert_eq!(found[4 * 96..5 * 96], read(bias.clone()));
        assert_eq!([&found[..2 * 96], &found[5 * 96..]], [&all[..2 * 96], &all[5 * 96..]]);
    }
}

/// Queries, keys and values are parts of one product then, whose rows stand apart.
#[test]
fn attention_of_packed_projections_is_that_of_the_single_ones() {
    let layers = [2, 3, 4].map(|seed| (tensor([64, 64], seed), tensor([64], seed + 10)));
    let options = || AttentionOptions::new(Arc::from([0, 5, 6, 17]), 4);
    let input = tensor([17, 64], 1);
    let attend = |compute| read(kernels::self_attention(input.clone(), layers.clone(), options(), compute));
    if let Some(copies) = copies(&layers, DType::BF16, false) {
        let packed = Compute { dtype: DType::BF16, copies: Some(copies) };
        assert_eq!(attend(packed), attend(DType::BF16.into()));
    }
    if let Some(copies) = copies(&layers, DType::F32, true) {
        let packed = Compute { dtype: DType::F32, copies: Some(copies) };
        compare(vec![attend(packed)], vec![attend(DType::F32.into())], 0.05);
    }
}

#[test]
fn layers_of_other_sizes_and_other_devices_are_not_packed() {
    for (dim_in, dim_out) in [(48, 32), (32, 48)] {
        let layer = (tensor([dim_out, dim_in], 1), tensor([dim_out], 2));
        for int8 in [false, true] {
            assert!(copies(std::slice::from_ref(&layer), DType::BF16, int8).is_none());
        }
    }
    let layer = (tensor([32, 32], 1), tensor([32], 2));
    assert!(kernels::on_device_path(|| copies(&[layer], DType::F32, true)).is_none());
}
