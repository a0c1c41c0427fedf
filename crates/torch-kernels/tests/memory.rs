//! Steps of other sizes reuse what the steps before them freed. A test binary of its own, because the memory is the
//! process's.

#![cfg(target_os = "linux")]
#![expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]

use burn::tensor::{Device, Tensor};
use distilburn_torch_kernels as kernels;

/// Anonymous memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Takes 40 tensors of up to 2 MB, as a training step does, with a small one after each that outlives the step.
fn step(tokens: usize, survivors: &mut Vec<Tensor<1>>) {
    let device = Device::libtorch();
    let kept: Vec<Tensor<2>> = (1..=40)
        .map(|part| {
            survivors.push(Tensor::ones([4], &device));
            Tensor::ones([tokens, 12 * part], &device)
        })
        .collect();
    assert_eq!(kept.len(), 40);
}

#[test]
fn steps_of_many_sizes_take_the_memory_of_the_largest() {
    kernels::keep_freed_memory();
    let mut survivors = Vec::new();
    step(1000, &mut survivors);
    let after_the_largest = resident();
    for tokens in (100..1000).step_by(7) {
        step(tokens, &mut survivors);
    }
    let grown = resident().saturating_sub(after_the_largest);
    // 40 MB are one step's; the survivors are 5,000 tensors of 16 bytes.
    assert!(grown < 10_000_000, "grown by {grown} bytes");
    let total: f32 = survivors.iter().map(|one| one.clone().sum().into_scalar::<f32>()).sum();
    assert!((total - 4.0 * survivors.len() as f32).abs() < 0.5, "the survivors hold {total}");
}
