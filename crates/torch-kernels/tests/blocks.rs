//! A tensor's memory is nobody else's while the tensor lives.

#![expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]

use burn::tensor::{Device, Tensor};
use distilburn_torch_kernels as kernels;

/// A tensor of one number, which no other tensor has.
struct Filled {
    tensor: Tensor<1>,
    number: f32,
}

impl Filled {
    fn new(len: usize, number: f32) -> Self {
        Self { tensor: Tensor::full([len], number, &Device::libtorch()), number }
    }

    fn assert_whole(&self) {
        let values: Vec<f32> = self.tensor.to_data().try_to_vec().unwrap();
        assert!(
            values.iter().all(|value| value.to_bits() == self.number.to_bits()),
            "{}: overwritten",
            self.number
        );
    }
}

/// Takes and frees blocks of 16 to 400 kB in no order, some of them too small for the region, and checks each before it
/// goes.
fn churn(thread: u32) {
    let mut random = u64::from(thread);
    let mut below = |bound: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % bound
    };
    let mut blocks: Vec<Filled> = Vec::new();
    for turn in 0..1500 {
        if blocks.len() == 60 || !blocks.is_empty() && below(5) < 2 {
            blocks.swap_remove(below(blocks.len())).assert_whole();
        }
        blocks.push(Filled::new(4_000 + below(96_000), (thread * 10_000 + turn) as f32));
    }
    while !blocks.is_empty() {
        blocks.swap_remove(below(blocks.len())).assert_whole();
    }
}

#[test]
fn a_tensor_keeps_its_contents_until_it_goes_whatever_the_others_do() {
    // Made before the region, freed after.
    let before: Vec<Filled> = (1..=10).map(|number| Filled::new(50_000, -(number as f32))).collect();
    kernels::keep_freed_memory();
    std::thread::scope(|scope| {
        for thread in 1..=4 {
            scope.spawn(move || churn(thread));
        }
        // A second call changes nothing.
        kernels::keep_freed_memory();
    });
    before.iter().for_each(Filled::assert_whole);
}

#[test]
fn tensors_that_no_memory_holds_are_errors_and_leave_the_others_be() {
    kernels::keep_freed_memory();
    let kept = Filled::new(50_000, 1.0);
    for len in [1 << 44, (i64::MAX / 4) as usize] {
        assert!(std::panic::catch_unwind(|| Tensor::<1>::empty([len], &Device::libtorch())).is_err());
    }
    Filled::new(50_000, 2.0).assert_whole();
    kept.assert_whole();
}
