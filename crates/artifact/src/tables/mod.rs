//! The tables: a file each, with its columns, its writer and its reader.

pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod contexts;
pub(crate) mod examples;
pub(crate) mod features;
pub(crate) mod files;
pub(crate) mod history;
pub(crate) mod predictions;
pub(crate) mod tensors;
pub(crate) mod timing;
