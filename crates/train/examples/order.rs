//! Prints the order of an epoch's features, as JSON: `order FEATURES SEED EPOCH`.

use std::process::ExitCode;

use distilburn_train::epoch_order;

fn main() -> ExitCode {
    let numbers: Result<Vec<u64>, _> = std::env::args().skip(1).map(|argument| argument.parse()).collect();
    let Ok([features, seed, epoch]) = numbers.as_deref() else {
        eprintln!("usage: order FEATURES SEED EPOCH");
        return ExitCode::from(2);
    };
    println!("{:?}", epoch_order(*features as usize, *seed, *epoch as u32));
    ExitCode::SUCCESS
}
