//! `report`: runs the stage of that name, and opens its page in a browser.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use artifact::file_name;

use crate::cli::ReportOptions;
use crate::{Error, sibling};

/// `distilburn report`
pub(crate) fn print(options: &ReportOptions) -> Result<ExitCode, Error> {
    let made = sibling::output(stage::REPORT.name, &args(options))?;
    if !made.status.success() {
        // The stage has reported the error on stderr.
        return Ok(made.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1).into());
    }
    let dir = made.stdout.strip_suffix(b"\n").unwrap_or(&made.stdout);
    let page = Path::new(OsStr::from_bytes(dir)).join(file_name::REPORT_HTML);
    stage::print(&format!("{}\n", page.display()))?;
    if options.open {
        open(&page)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn args(options: &ReportOptions) -> Vec<OsString> {
    let mut args = options.common.settings.to_args();
    args.extend(options.common.output.to_args());
    if options.force {
        args.push("--force".into());
    }
    for input in &options.inputs {
        let mut value: OsString = format!("--input={}=", input.stage).into();
        value.push(&input.dir);
        args.push(value);
    }
    if let Some(output) = &options.output {
        args.extend(["--output".into(), output.into()]);
    }
    args
}

/// Opens the page in the system's browser.
fn open(page: &Path) -> Result<(), Error> {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(opener);
    let status = command.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Error::NoBrowser { opener, page: page.to_owned() }),
    }
}
