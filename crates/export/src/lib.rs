//! The export stage: turns the trained weights into a Hugging Face model directory.
//!
//! Before it reports success, it reads the directory back and checks that its logits equal those of the trained
//! weights, bit for bit.
//!
//! Not here: the model (`distilbert`), scores (`evaluate`), how the manifest is made (`stage`).

mod check;
mod error;
mod facts;
mod listing;
mod model_card;
mod model_files;
mod pytorch;
mod safetensors_file;

use artifact::{Assets, Tensors, file_name, write_files};
use distilbert::Config;
use stage::Job;
use stage::settings::Format;

pub use error::Error;

use crate::check::Check;
use crate::facts::Facts;

pub fn run(job: &mut Job) -> Result<(), Error> {
    let formats = job.settings.export.formats.clone();
    let (ingest, train) = (job.input("ingest").clone(), job.input("train").clone());
    let mut facts =
        Facts::new([&ingest.manifest, &train.manifest, &job.input("evaluate").manifest], job.fingerprint())?;
    let assets_path = ingest.file(file_name::ASSETS)?;
    let assets = Assets::open(&assets_path)?;
    let config = Config::from_assets(&assets)?;
    let trained = Tensors::open(&train.file(file_name::WEIGHTS)?, &artifact::WEIGHTS)?;
    let parameters = safetensors_file::count_parameters(&trained)?;

    let folder = job.output().join(file_name::MODEL);
    fs_err::create_dir_all(&folder)?;
    let progress = job.progress("export", 2 * formats.len() as u64 + 2);
    model_files::write(&folder, &assets, &assets_path)?;
    fs_err::write(folder.join("README.md"), model_card::model_card(&facts, &config, parameters))?;
    progress.inc(1);
    for format in &formats {
        stop_if_interrupted(job)?;
        progress.message(file_of(*format));
        let path = folder.join(file_of(*format));
        match format {
            Format::Safetensors => safetensors_file::write(&path, &trained)?,
            Format::Pytorch => pytorch::write(&path, &trained)?,
        }
        progress.inc(1);
    }

    stop_if_interrupted(job)?;
    progress.message("computing the logits of the trained weights");
    let check = Check::new(&folder, &trained, &ingest, job.settings.run.threads)?;
    progress.inc(1);
    for format in &formats {
        stop_if_interrupted(job)?;
        let path = folder.join(file_of(*format));
        progress.message(format!("reading {} back", file_of(*format)));
        check.weights(&path, &pretrained::tensors_of_file(&path)?)?;
        progress.inc(1);
    }
    progress.finish();
    facts.usage.files =
        pretrained::hash_files(&folder, &formats.iter().map(|it| file_of(*it)).collect::<Vec<_>>())?;
    fs_err::write(folder.join(pretrained::TRAINING_CONFIG), facts.to_json())?;
    tracing::info!(features = check.features(), logits = check.logits(), "the model reads back bit for bit");

    let files = listing::list(&folder)?;
    write_files(&job.output().join(file_name::FILES), job.fingerprint(), &files)?;
    job.metric("files", files.len());
    job.metric("bytes", files.iter().map(|file| file.bytes).sum::<u64>());
    job.metric("parameters", parameters);
    Ok(())
}

/// The names that transformers looks for.
fn file_of(format: Format) -> &'static str {
    match format {
        Format::Safetensors => "model.safetensors",
        Format::Pytorch => "pytorch_model.bin",
    }
}

fn stop_if_interrupted(job: &Job) -> Result<(), Error> {
    if job.interrupted() { Err(Error::Interrupted) } else { Ok(()) }
}
