//! Logs to stderr, as text or JSON lines, without disturbing progress bars.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::time::FormatTime;

use crate::progress::BARS;
use crate::report::printable;
use crate::{LogFormat, OutputOptions};

/// Sets the process's subscriber; a second call changes nothing. `RUST_LOG` overrides the level.
pub(crate) fn init(options: &OutputOptions) {
    let level = match (options.quiet, options.verbose) {
        (true, _) => LevelFilter::WARN,
        (false, 0) => LevelFilter::INFO,
        (false, 1) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    let mut filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    // The logs of HTTP libraries hold whole URLs and headers, with passwords and tokens.
    for quiet in ["ureq=off", "ureq_proto=off", "rustls=off"] {
        filter = filter.add_directive(quiet.parse().expect("a target and a level"));
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Stderr);
    // It would try to report on stderr that stderr cannot be written, and panic.
    let builder = builder.log_internal_errors(false);
    // An earlier subscriber can only come from a test in the same process.
    let _ = match options.log_format {
        LogFormat::Text => {
            let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let start = Instant::now();
            let builder = builder.with_target(false).with_ansi(colours).with_timer(Elapsed(start));
            builder.fmt_fields(debug_fn(write_field).delimited(" ")).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).try_init(),
    };
}

/// Writes `name=value`, and messages without a name. Values come from data and servers, so they are made printable and
/// stay on one line.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    let text = printable(&text);
    match (field.name(), writer.has_ansi_escapes()) {
        ("message", _) => write!(writer, "{text}"),
        (name, true) => write!(writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{}", text.replace('\n', "\\n")),
        (name, false) => write!(writer, "{name}={}", text.replace('\n', "\\n")),
    }
}

/// Seconds since the start, which is what matters while watching a run.
struct Elapsed(Instant);

impl FormatTime for Elapsed {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:7.1}s", self.0.elapsed().as_secs_f64())
    }
}

/// stderr; bars are hidden while a line is written.
struct Stderr;

impl Write for Stderr {
    /// A line that cannot be written is lost, but the work goes on.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = BARS.suspend(|| io::stderr().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().flush();
        Ok(())
    }
}
