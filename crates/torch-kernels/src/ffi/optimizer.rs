//! The optimizer's arithmetic, in place.

use std::ffi::c_char;

use tch::Tensor;
use torch_sys::C_tensor;

use super::{check, pointer, pointers};
use crate::optimizer::AdamWOptions;
use crate::path::on_host;

unsafe extern "C" {
    fn distilburn_global_norm(
        norm: *mut *mut C_tensor,
        tensors: *mut *mut C_tensor,
        count: i64,
        on_host: bool,
    ) -> *mut c_char;
    fn distilburn_unscale(
        found_inf: *mut *mut C_tensor,
        tensors: *mut *mut C_tensor,
        count: i64,
        inverse_scale: f64,
    ) -> *mut c_char;
    fn distilburn_adamw(
        params: *mut *mut C_tensor,
        grads: *mut *mut C_tensor,
        exp_avgs: *mut *mut C_tensor,
        exp_avg_sqs: *mut *mut C_tensor,
        count: i64,
        learning_rate: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        epsilon: f64,
        step: f64,
        grad_scale: *mut C_tensor,
        on_host: bool,
    ) -> *mut c_char;
    fn distilburn_copy_all(
        targets: *mut *mut C_tensor,
        sources: *mut *mut C_tensor,
        count: i64,
    ) -> *mut c_char;
}

/// The 2-norm of all tensors together, on their device.
pub(crate) fn global_norm(tensors: &[&Tensor]) -> Tensor {
    let mut norm = std::ptr::null_mut();
    let mut list = pointers(tensors);
    // SAFETY: `list` holds `count` live tensors; C++ refuses none and checks device, layout and type on the host, ATen
    // elsewhere. It stores one tensor made by `new`, which `from_ptr` owns from then on, or none and a message, which
    // does not return from `check`.
    unsafe {
        check(distilburn_global_norm(
            &raw mut norm,
            list.as_mut_ptr(),
            list.len() as i64,
            on_host(tensors[0]),
        ));
        Tensor::from_ptr(norm)
    }
}

/// Multiplies all tensors by `inverse_scale` in place. Returns 1 where one of their elements is not finite, else 0,
/// on their device.
pub(crate) fn unscale(tensors: &[&Tensor], inverse_scale: f64) -> Tensor {
    let mut found_inf = std::ptr::null_mut();
    let mut list = pointers(tensors);
    // SAFETY: as in `global_norm`, all of it checked by ATen; the tensors are changed through their own kernels, as
    // tch's operations that end with an underscore change theirs.
    unsafe {
        check(distilburn_unscale(&raw mut found_inf, list.as_mut_ptr(), list.len() as i64, inverse_scale));
        Tensor::from_ptr(found_inf)
    }
}

/// One `AdamW` update in place of the first list (parameters) and the last two (moments). The second, gradients, is left
/// as it is on the host, and holds the gradients divided by `grad_scale` on a device.
pub(crate) fn adamw(lists: [&[&Tensor]; 4], options: AdamWOptions, grad_scale: &Tensor) {
    let count = lists[0].len();
    let on_host = lists[0].first().is_some_and(|param| on_host(param));
    assert!(lists.iter().all(|list| list.len() == count), "adamw: lists of one length");
    let [mut params, mut grads, mut exp_avgs, mut exp_avg_sqs] = lists.map(pointers);
    // SAFETY: four lists of `count` live tensors. On the host C++ checks device, layout, type and size of each before it
    // writes to the first; on a device ATen checks them.
    check(unsafe {
        distilburn_adamw(
            params.as_mut_ptr(),
            grads.as_mut_ptr(),
            exp_avgs.as_mut_ptr(),
            exp_avg_sqs.as_mut_ptr(),
            count as i64,
            options.learning_rate,
            options.betas[0],
            options.betas[1],
            options.weight_decay,
            options.epsilon,
            options.step as f64,
            pointer(grad_scale),
            on_host,
        )
    });
}

/// Overwrites each target with its source, in the target's type.
pub(crate) fn copy_all(targets: &[&Tensor], sources: &[&Tensor]) {
    assert_eq!(targets.len(), sources.len(), "copy_all: lists of one length");
    let count = targets.len() as i64;
    let (mut targets, mut sources) = (pointers(targets), pointers(sources));
    // SAFETY: two lists of `count` live tensors, which ATen checks; the targets are changed as by tch's `copy_`.
    check(unsafe { distilburn_copy_all(targets.as_mut_ptr(), sources.as_mut_ptr(), count) });
}
