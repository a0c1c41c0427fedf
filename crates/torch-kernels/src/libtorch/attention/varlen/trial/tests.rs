use super::*;

/// What an implementation gets wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// The last key of a sequence of several is not seen.
    DroppedKey,
    /// Scores are a tenth too small.
    Scale,
    /// A token sees those before it alone.
    Causal,
    /// Sequences end a token too late.
    ShiftedEnds,
    /// The backward pass draws other masks.
    OtherMask,
    /// Masks do not depend on the seed.
    SameMask,
    /// The gradient of the softmax lacks its mean.
    NoMean,
}

/// FlashAttention-2 (Dao 2023) with its roundings: products add up in f32; probabilities before their division by the row's
/// sum, and the gradients of scores, are rounded to the half type, and so are the results.
struct Emulated {
    kind: Kind,
    fault: Fault,
}

impl Emulated {
    fn passes(&self) -> Result<(), String> {
        let forward = |qkv: [&Tensor; 3], _: &[Sequence], options: &AttentionOptions| {
            Ok((self.forward(qkv, options), Vec::new()))
        };
        let backward =
            |grad: &Tensor, qkv: [&Tensor; 3], _: &[&Tensor], _: &[Sequence], options: &AttentionOptions| {
                Ok(self.backward(grad, qkv, options))
            };
        try_out((Device::Cpu, self.kind, 64), &Implementation { forward: &forward, backward: &backward })
    }

    fn rounded(&self, tensor: &Tensor) -> Tensor {
        tensor.to_kind(self.kind).to_kind(Kind::Float)
    }

    /// The first token of each sequence and the one after its last.
    fn ends(&self, options: &AttentionOptions) -> Vec<(i64, i64)> {
        let shift = |&end: &usize| match end {
            0 | TOKENS => end as i64,
            end if self.fault == Fault::ShiftedEnds => end as i64 + 1,
            end => end as i64,
        };
        let ends: Vec<i64> = options.cu_seqlens.iter().map(shift).collect();
        ends.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }

    /// (heads, len, `d_head`) in f32
    fn heads(tensor: &Tensor, (start, end): (i64, i64)) -> Tensor {
        let size = tensor.size();
        let rows = tensor.narrow(0, start, end - start).to_kind(Kind::Float);
        rows.view([end - start, N_HEADS as i64, size[1] / N_HEADS as i64]).transpose(0, 1)
    }

    fn rows(heads: &Tensor) -> Tensor {
        let size = heads.size();
        heads.transpose(0, 1).reshape([size[1], size[0] * size[2]])
    }

    fn scale(&self, q: &Tensor) -> f64 {
        let scale = 1.0 / (q.size()[2] as f64).sqrt();
        if self.fault == Fault::Scale { 0.9 * scale } else { scale }
    }

    fn scores(&self, q: &Tensor, k: &Tensor) -> Tensor {
        let scores = q.matmul(&k.transpose(1, 2)) * self.scale(q);
        let len = scores.size()[2];
        let hidden = match self.fault {
            Fault::DroppedKey if len > 1 => Tensor::arange(len, (Kind::Int64, Device::Cpu)).eq(len - 1),
            Fault::Causal => Tensor::ones([len, len], (Kind::Bool, Device::Cpu)).triu(1),
            _ => return scores,
        };
        scores.masked_fill(&hidden, f64::NEG_INFINITY)
    }

    /// What probabilities are multiplied by: 0, or the reciprocal of the share that is kept.
    fn mask(&self, like: &Tensor, start: i64, options: &AttentionOptions, is_backward: bool) -> Tensor {
        let Some(Dropout { p, seed }) = options.dropout else { return like.ones_like() };
        let seed = match self.fault {
            Fault::SameMask => 1,
            Fault::OtherMask if is_backward => seed + 100,
            _ => seed,
        };
        let kept = |index: u64| hash(seed, (start as u64) << 20 | index) as f64 / 2_f64.powi(64) >= p;
        let values: Vec<f32> = (0..like.numel() as u64)
            .map(|index| if kept(index) { (1.0 / (1.0 - p)) as f32 } else { 0.0 })
            .collect();
        Tensor::from_slice(&values).view_as(like)
    }

    fn forward(&self, qkv: [&Tensor; 3], options: &AttentionOptions) -> Tensor {
        let of_sequence = |&(start, end): &(i64, i64)| {
            let [q, k, v] = qkv.map(|tensor| Self::heads(tensor, (start, end)));
            let scores = self.scores(&q, &k);
            let weights = (&scores - scores.amax([-1].as_slice(), true)).exp();
            let mask = self.mask(&weights, start, options, false);
            let out = self.rounded(&(&weights * mask)).matmul(&v)
                / weights.sum_dim_intlist([-1].as_slice(), true, Kind::Float);
            Self::rows(&out)
        };
        let rows: Vec<Tensor> = self.ends(options).iter().map(of_sequence).collect();
        Tensor::cat(&rows, 0).to_kind(self.kind)
    }

    fn backward(&self, grad: &Tensor, qkv: [&Tensor; 3], options: &AttentionOptions) -> [Tensor; 3] {
        let out = self.forward(qkv, options);
        let of_sequence = |&(start, end): &(i64, i64)| {
            let [q, k, v] = qkv.map(|tensor| Self::heads(tensor, (start, end)));
            let [out, grad] = [&out, grad].map(|tensor| Self::heads(tensor, (start, end)));
            let probabilities = self.scores(&q, &k).softmax(-1, Kind::Float);
            let mask = self.mask(&probabilities, start, options, true);
            let grad_v = self.rounded(&(&probabilities * &mask)).transpose(1, 2).matmul(&grad);
            let grad_weights = grad.matmul(&v.transpose(1, 2)) * mask;
            let mean = (&grad * &out).sum_dim_intlist([-1].as_slice(), true, Kind::Float);
            let mean = if self.fault == Fault::NoMean { mean.zeros_like() } else { mean };
            let grad_scores = self.rounded(&(probabilities * (grad_weights - mean)));
            let scale = self.scale(&q);
            [grad_scores.matmul(&k) * scale, grad_scores.transpose(1, 2).matmul(&q) * scale, grad_v]
                .map(|heads| Self::rows(&heads))
        };
        let of_sequences: Vec<[Tensor; 3]> = self.ends(options).iter().map(of_sequence).collect();
        [0, 1, 2].map(|of| {
            let rows: Vec<&Tensor> = of_sequences.iter().map(|grads| &grads[of]).collect();
            Tensor::cat(&rows, 0).to_kind(self.kind)
        })
    }
}

#[test]
fn the_roundings_of_flash_attention_pass_with_room() {
    /// What is left of the tolerance for other orders of sums.
    const ROOM: f64 = 0.5;
    for kind in [Kind::BFloat16, Kind::Half] {
        let emulated = Emulated { kind, fault: Fault::None };
        emulated.passes().unwrap();
        let [q, k, v, grad] = [1, 2, 3, 4].map(|seed| noise(seed, 64).to_kind(kind));
        let (qkv, options) = ([&q, &k, &v], options(None));
        let sequences = options.sequences(TOKENS);
        let (expected_out, expected_grads) = in_f32(qkv, &grad, &sequences, &options);
        let out = distance(&emulated.forward(qkv, &options), &expected_out, &sequences);
        let grads = emulated.backward(&grad, qkv, &options);
        let grads =
            grads.iter().zip(&expected_grads).map(|(found, expected)| distance(found, expected, &sequences));
        let worst = grads.fold(out, f64::max);
        println!("{kind:?}: output {out:.4}, worst of output and gradients {worst:.4}");
        assert!(worst < ROOM * TOLERANCE, "{kind:?}: {worst}");
    }
}

#[test]
fn small_faults_do_not_pass() {
    let faults = [
        (Fault::DroppedKey, "its values differ"),
        (Fault::Scale, "its values differ"),
        (Fault::Causal, "its values differ"),
        (Fault::ShiftedEnds, "its values differ"),
        (Fault::NoMean, "its gradients differ"),
        (Fault::SameMask, "its dropout does not follow the seed"),
        (Fault::OtherMask, "its backward pass drops other elements"),
    ];
    for kind in [Kind::BFloat16, Kind::Half] {
        for (fault, expected) in faults {
            let refusal = Emulated { kind, fault }.passes().unwrap_err();
            println!("{kind:?} {fault:?}: {refusal}");
            assert!(refusal.starts_with(expected), "{kind:?} {fault:?}: {refusal}");
        }
    }
}

#[test]
fn values_that_are_not_numbers_do_not_pass() {
    let sequences = options(None).sequences(TOKENS);
    let expected = noise(1, 8);
    let found = expected.copy();
    let _ = found.narrow(0, 100, 1).fill_(f64::NAN);
    assert!(distance(&found, &expected, &sequences).is_infinite());
}

#[test]
fn a_long_sequence_that_is_wrong_does_not_hide_behind_a_short_one() {
    let options = AttentionOptions::new(Arc::from([0, 1, 129]), 1);
    let sequences = options.sequences(129);
    let expected = Tensor::ones([129, 8], (Kind::Float, Device::Cpu));
    let _ = expected.narrow(0, 1, 128).g_mul_scalar_(0.06);
    let near = |found: &Tensor| distance(found, &expected, &sequences) <= TOLERANCE;
    let scaled = |factor: f64| {
        let found = expected.copy();
        let _ = found.narrow(0, 1, 128).g_mul_scalar_(factor);
        found
    };
    assert!(near(&scaled(1.01)));
    assert!(!near(&scaled(1.05)));
    let rounding = scaled(1.0);
    let _ = rounding.narrow(0, 1, 128).fill_(1e-6);
    let _ = expected.narrow(0, 1, 128).fill_(0.0);
    assert!(near(&rounding));
}
