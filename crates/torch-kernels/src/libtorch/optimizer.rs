//! The optimizer's arithmetic, in place.

use burn::backend::LibTorch;
use burn::backend::tensor::FloatTensor;
use burn_tch::TchTensor;
use tch::Tensor;

use crate::ffi;
use crate::kernels::{OptimizerKernels, Update};
use crate::optimizer::AdamWOptions;

impl OptimizerKernels for LibTorch {
    fn global_norm(grads: Vec<FloatTensor<Self>>) -> FloatTensor<Self> {
        TchTensor::new(ffi::global_norm(&tensors(&grads)).reshape([1]))
    }

    fn unscale(
        grads: Vec<FloatTensor<Self>>,
        inverse_scale: f64,
    ) -> (Vec<FloatTensor<Self>>, FloatTensor<Self>) {
        let found = ffi::unscale(&tensors(&grads), inverse_scale).reshape([1]);
        (grads, TchTensor::new(found))
    }

    fn adamw(
        updates: Vec<Update<Self>>,
        options: AdamWOptions,
        grad_scale: FloatTensor<Self>,
    ) -> Vec<Update<Self>> {
        let list = |part: fn(&Update<Self>) -> &TchTensor| -> Vec<&Tensor> {
            updates.iter().map(|update| &part(update).tensor).collect()
        };
        let lists = [
            list(|update| &update.param),
            list(|update| &update.grad),
            list(|update| &update.exp_avg),
            list(|update| &update.exp_avg_sq),
        ];
        ffi::adamw(lists.each_ref().map(Vec::as_slice), options, &grad_scale.tensor.squeeze());
        updates
    }
}

fn tensors(tensors: &[TchTensor]) -> Vec<&Tensor> {
    tensors.iter().map(|tensor| &tensor.tensor).collect()
}
