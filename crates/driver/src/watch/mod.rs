//! `watch`: a running or finished training, from its files alone.
//!
//! It locks nothing and does not affect the training. `find` finds the folder, `training` reads it, `view` draws it,
//! and `plain` prints it as text.

mod curve;
mod find;
mod plain;
mod screen;
mod training;
mod view;

use std::io::IsTerminal;
use std::process::ExitCode;

use stage::Workspace;

use crate::Error;
use crate::cli::WatchOptions;
use find::Wanted;
use training::Training;

/// `distilburn watch [PATH]`
pub(crate) fn watch(options: &WatchOptions) -> Result<ExitCode, Error> {
    let wanted = match &options.path {
        Some(path) => Wanted::At(path.clone()),
        None => Wanted::NewestOf(Workspace::open(&options.common.settings, &[])?.store.root().to_owned()),
    };
    if options.once || options.json || !std::io::stdout().is_terminal() {
        let dir = wanted.find()?.ok_or_else(|| wanted.nothing())?;
        let training = Training::read(&dir)?;
        let text =
            if options.json { format!("{:#}\n", plain::json(&training)) } else { plain::text(&training) };
        stage::print(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    screen::show(&wanted)
}

#[cfg(test)]
mod tests;
