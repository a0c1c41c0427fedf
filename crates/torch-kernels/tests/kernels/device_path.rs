//! What devices run, on the host: see `on_device_path`.

use burn::tensor::{DType, Device, Tensor};
use distilburn_torch_kernels as kernels;
use kernels::{Compute, Copies, Dropout, Handle, on_device_path};

use crate::{BF16_TOLERANCE, Leaf, attention, compare, device, read, run, tensor};

#[test]
fn dropout_follows_its_seed_and_its_gradient_has_the_mask() {
    on_device_path(|| {
        for dtype in [DType::F32, DType::BF16, DType::F16] {
            let x = Tensor::<2>::ones([300, 200], &device()).require_grad();
            let drop = |seed| kernels::dropout(x.clone().cast(dtype), Dropout { p: 0.3, seed });
            let out = read(drop(7));
            let kept = out.iter().filter(|&&x| x != 0.0).count() as f64 / out.len() as f64;
            // 60,000 draws: the share's standard deviation is 0.002.
            assert!((kept - 0.7).abs() < 0.01, "kept {kept}");
            assert_eq!(out, read(drop(7)));
            assert_ne!(out, read(drop(8)));
            let grads = drop(7).cast(DType::F32).sum().backward();
            let grad = read(x.grad(&grads).unwrap());
            for (grad, out) in grad.iter().zip(&out) {
                assert!((*grad == 0.0) == (*out == 0.0) && (grad - out).abs() < 0.02, "{dtype:?}");
            }
        }
    });
}

#[test]
fn one_upload_brings_lists_and_cu_seqlens_of_any_number() {
    let beside = Tensor::<1>::zeros([1], &device());
    for cu_seqlens in [vec![0, 3], vec![0, 3, 7], vec![0, 1, 3, 1 << 20]] {
        let (tensors, ends) = kernels::upload(&[&[5, -1, 7], &[], &[1 << 40]], &cu_seqlens, &beside);
        let values: Vec<Vec<i64>> =
            tensors.into_iter().map(|tensor| tensor.into_data().try_to_vec().unwrap()).collect();
        assert_eq!(values, [vec![5, -1, 7], vec![], vec![1 << 40]]);
        let ends: Vec<usize> = ends.to_vec().into_iter().map(|end| end as usize).collect();
        assert_eq!(ends, cu_seqlens);
    }
}

#[test]
fn products_of_kept_copies_are_those_of_the_parameters_they_were_filled_from() {
    on_device_path(|| {
        let x = tensor([17, 24], 1);
        let layers = [2, 3, 4].map(|seed| (tensor([24, 24], seed), tensor([24], seed + 10)));
        let handles = layers.clone().map(|(w, b)| (Handle::from_burn(w), Handle::from_burn(b)));
        let copies = Copies::of(&handles, DType::BF16).expect("kept on a device");
        assert!(Copies::of(&handles, DType::F32).is_none());
        let attended = |copies| {
            let mut leaves: Vec<&dyn Leaf> = vec![&x];
            leaves.extend(layers.iter().flat_map(|(w, b)| [w as &dyn Leaf, b]));
            let compute = Compute { dtype: DType::BF16, copies };
            run(
                kernels::self_attention(x.clone(), layers.clone(), attention::options(None), compute),
                &leaves,
            )
        };
        let before = attended(Some(copies.clone()));
        compare(before.clone(), attended(None), BF16_TOLERANCE);

        // An update is seen once it is filled in.
        for (weight, _) in &handles {
            let halved: Vec<f32> = weight.to_vec().iter().map(|x| x / 2.0).collect();
            weight.clone().copy_from(&halved);
        }
        assert_eq!(attended(Some(copies.clone()))[0], before[0]);
        Copies::fill([&copies].into_iter());
        let after = attended(Some(copies));
        assert_ne!(after[0], before[0]);
        compare(after, attended(None), BF16_TOLERANCE);
    });
    let host = Device::libtorch();
    let layer = (
        Handle::from_burn(Tensor::<2>::ones([4, 4], &host)),
        Handle::from_burn(Tensor::<1>::ones([4], &host)),
    );
    assert!(Copies::of(&[layer], DType::BF16).is_none(), "the host keeps none");
}
