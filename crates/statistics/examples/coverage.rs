//! Simulates how often 95 % intervals contain the true value. Prints the table in a few minutes.
//!
//! ```text
//! cargo run --release -p distilburn-statistics --example coverage
//! ```
//!
//! A cluster has 1 to 25 questions, all sizes equally likely. System s answers question q of cluster c wrongly where
//!
//! z = √0.15 · u(c) + √0.05 · w(c, s) + √0.45 · v(q) + √0.35 · e(q, s)
//!
//! exceeds a threshold. u, w, v and e are standard normal: the scores of a system are correlated within a cluster by
//! 0.2 on the scale of z, those of two systems on a question by 0.6. The thresholds set the systems' exact match in per
//! cent. F1 is 1 for a right answer; for a wrong one it is 0 in half of the cases, else uniform between 0.2 and 0.9.
//!
//! Each cell is the share of 2,000 runs whose interval contains the true mean, with 1,000 resamples per run; its
//! standard error is 0.5 points. Exits with 1 if a cell is more than 2 points from 95.

use std::process::ExitCode;

use distilburn_statistics::{Bootstrap, Measure};
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF as _, Normal};

const RUNS: u64 = 2_000;
const RESAMPLES: usize = 1_000;
const CLUSTERS: [u32; 4] = [24, 48, 200, 2_000];
/// The systems' true exact match: after, before.
const EXACT_MATCHES: [[f64; 2]; 4] = [[0.5, 0.45], [0.8, 0.75], [0.97, 0.95], [0.03, 0.02]];
/// The mean F1 of a wrong answer.
const F1_OF_WRONG: f64 = 0.5 * 0.55;
const NAMES: [&str; 4] = ["EM", "F1", "EM paired", "F1 paired"];

fn main() -> ExitCode {
    let mut within = true;
    print!("| clusters | exact match |");
    for name in NAMES {
        print!(" {name} |");
    }
    println!("\n|---|---|---|---|---|---|");
    for clusters in CLUSTERS {
        for exact_matches in EXACT_MATCHES {
            print!("| {clusters} | {:.0} |", 100.0 * exact_matches[0]);
            for covered in covered(clusters, exact_matches) {
                let coverage = 100.0 * covered as f64 / RUNS as f64;
                within &= (coverage - 95.0).abs() <= 2.0;
                print!(" {coverage:.1} |");
            }
            println!();
        }
    }
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// In how many runs the interval of each measure contains the true value.
fn covered(clusters: u32, exact_matches: [f64; 2]) -> [u64; 4] {
    let [after, before] = exact_matches;
    let f1 = |exact_match: f64| exact_match + (1.0 - exact_match) * F1_OF_WRONG;
    let truths = [after, f1(after), after - before, f1(after) - f1(before)];
    let run = |seed: u64| {
        let Scores { clusters, exact_match, f1 } = simulate(seed, clusters, exact_matches);
        let measures = [
            Measure::Score(&exact_match[0]),
            Measure::Score(&f1[0]),
            Measure::Difference { before: &exact_match[1], after: &exact_match[0] },
            Measure::Difference { before: &f1[1], after: &f1[0] },
        ];
        let all = vec![(0..clusters.len()).collect()];
        let estimates = Bootstrap { resamples: RESAMPLES, seed }.estimate(&clusters, &measures, &all);
        std::array::from_fn(|measure| {
            let interval = estimates[0][measure].interval(0.95).expect("more than one cluster");
            u64::from(interval.low <= truths[measure] && truths[measure] <= interval.high)
        })
    };
    let sum = |a: [u64; 4], b: [u64; 4]| std::array::from_fn(|measure| a[measure] + b[measure]);
    (0..RUNS).into_par_iter().map(run).reduce(|| [0; 4], sum)
}

/// Per system: exact match and F1 of each question.
struct Scores {
    clusters: Vec<u32>,
    exact_match: [Vec<f64>; 2],
    f1: [Vec<f64>; 2],
}

fn simulate(seed: u64, clusters: u32, exact_matches: [f64; 2]) -> Scores {
    let mut random = Random::new(seed);
    let thresholds = exact_matches.map(|exact_match| Normal::standard().inverse_cdf(exact_match));
    let mut scores = Scores { clusters: Vec::new(), exact_match: Default::default(), f1: Default::default() };
    for cluster in 0..clusters {
        let questions = 1 + (25.0 * random.uniform()) as u32;
        let shared = random.normal();
        let of_system = [random.normal(), random.normal()];
        for _ in 0..questions {
            let difficulty = random.normal();
            scores.clusters.push(cluster);
            for system in 0..2 {
                let z = 0.15_f64.sqrt() * shared
                    + 0.05_f64.sqrt() * of_system[system]
                    + 0.45_f64.sqrt() * difficulty
                    + 0.35_f64.sqrt() * random.normal();
                let is_right = z < thresholds[system];
                let partial = if random.uniform() < 0.5 { 0.0 } else { 0.2 + 0.7 * random.uniform() };
                scores.exact_match[system].push(f64::from(u8::from(is_right)));
                scores.f1[system].push(if is_right { 1.0 } else { partial });
            }
        }
    }
    scores
}

/// xorshift64* (Vigna 2016), from another family than the generator under test.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        let mut random = Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // Similar seeds give similar first values.
        (0..16).for_each(|_| _ = random.uniform());
        random
    }

    /// Above 0 and below 1.
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Box and Muller (1958).
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
