//! End-to-end tests: the built `distilburn` in a temporary folder.

mod bench;
mod clean;
mod damage;
mod evaluations;
mod hardening;
mod kills;
mod layers;
mod questions;
mod readme;
mod run;
mod score;
mod serving;
mod stage_alone;
mod tiny;
mod trainings;
mod using;
mod whole;
