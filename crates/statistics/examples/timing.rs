//! Times the intervals of a whole evaluation: 10,570 questions of SQuAD's size (2,067 paragraphs), 31 slices, EM and F1 of
//! two systems and their differences, 10,000 resamples. Prints seconds for one pass of each kind.
//!
//! ```text
//! cargo run --release -p distilburn-statistics --example timing
//! ```
//!
//! The slices are all questions and the values of 5 slicings into 6 parts each; `RAYON_NUM_THREADS` sets the threads.

use std::hint::black_box;
use std::time::Instant;

use distilburn_statistics::{Bootstrap, Choice, Measure, cross_fitted_confidences, fit_temperature};

const QUESTIONS: u32 = 10_570;
const PARAGRAPHS: u32 = 2_067;
const CANDIDATES: usize = 20;

fn main() {
    let clusters: Vec<u32> = (0..QUESTIONS).map(|question| question * PARAGRAPHS / QUESTIONS).collect();
    let noise = |key: u32| (0..QUESTIONS).map(move |question| scrambled(question ^ (key << 16)));
    let f1: Vec<Vec<f64>> = (0..2).map(|system| noise(system).collect()).collect();
    let exact_match: Vec<Vec<f64>> =
        f1.iter().map(|f1| f1.iter().map(|f1| f64::from(u8::from(*f1 > 0.3))).collect()).collect();
    let measures = [
        Measure::Score(&exact_match[0]),
        Measure::Score(&f1[0]),
        Measure::Score(&exact_match[1]),
        Measure::Score(&f1[1]),
        Measure::Difference { before: &exact_match[0], after: &exact_match[1] },
        Measure::Difference { before: &f1[0], after: &f1[1] },
    ];
    let part = |slicing: u32, part: u32| {
        let of_question: Vec<f64> = noise(10 + slicing).collect();
        (0..QUESTIONS as usize).filter(|&question| (6.0 * of_question[question]) as u32 == part).collect()
    };
    let mut slices: Vec<Vec<usize>> = vec![(0..QUESTIONS as usize).collect()];
    slices.extend(
        (0..5)
            .flat_map(|slicing| (0..6).map(move |value| (slicing, value)))
            .map(|(slicing, value)| part(slicing, value)),
    );

    timed("bootstrap", || Bootstrap::new(1).estimate(&clusters, &measures, &slices));
    let whole = vec![slices[0].clone(); slices.len()];
    timed("bootstrap, every slice of all questions", || {
        Bootstrap::new(1).estimate(&clusters, &measures, &whole)
    });

    let scores: Vec<f64> = (0..CANDIDATES as u32 * QUESTIONS).map(|index| 8.0 * scrambled(index)).collect();
    let choices: Vec<Choice<'_>> = scores
        .chunks(CANDIDATES)
        .zip(&exact_match[0])
        .map(|(scores, right)| Choice { scores, chosen: 0, is_right: *right > 0.5 })
        .collect();
    timed("temperature", || fit_temperature(&choices));
    timed("cross-fitted confidences", || cross_fitted_confidences(&choices, &clusters, 5));
}

fn timed<T>(what: &str, work: impl Fn() -> T) {
    let begin = Instant::now();
    black_box(work());
    println!("{what}: {:.2} s", begin.elapsed().as_secs_f64());
}

/// A pseudorandom number from 0 to 1, computed from another number.
fn scrambled(number: u32) -> f64 {
    let mixed = (number ^ (number >> 15)).wrapping_mul(0x2c1b_3c6d);
    let mixed = (mixed ^ (mixed >> 12)).wrapping_mul(0x297a_2d39);
    f64::from(mixed ^ (mixed >> 15)) / f64::from(u32::MAX)
}
