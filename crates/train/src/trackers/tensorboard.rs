//! Event files as `TensorBoard` reads them: `TFRecord` frames around `tensorflow.Event` messages.
//!
//! The messages are the parts that scalars and hyperparameters need of `event.proto`, `summary.proto` and `tensor.proto` in
//! <https://github.com/tensorflow/tensorboard/tree/master/tensorboard/compat/proto>, and of `plugin_data.proto` of the hparams
//! plugin, <https://github.com/tensorflow/tensorboard/tree/master/tensorboard/plugins/hparams>.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;
use serde_json::Value as Json;

/// One open event file.
#[derive(Debug)]
pub(super) struct EventFile(fs_err::File);

impl EventFile {
    /// Begins a file in `folder`, beside those of earlier starts. Events of later steps than `resumed_from_step`
    /// in those are no longer shown: their steps are done again.
    pub(super) fn create(folder: &Path, resumed_from_step: u64) -> io::Result<Self> {
        fs_err::create_dir_all(folder)?;
        let name = next_name(folder)?;
        let mut file = Self(fs_err::OpenOptions::new().write(true).create_new(true).open(folder.join(name))?);
        file.event(0, What::FileVersion("brain.Event:2".to_owned()))?;
        let status = session_log::Status::Start.into();
        let first_step = if resumed_from_step == 0 { 0 } else { resumed_from_step + 1 };
        file.event(first_step, What::SessionLog(SessionLog { status }))?;
        Ok(file)
    }

    pub(super) fn write(&mut self, global_step: u64, scalars: &[(&str, f64)]) -> io::Result<()> {
        let value = |&(tag, value): &(&str, f64)| Value {
            tag: tag.to_owned(),
            simple_value: Some(value as f32),
            ..Value::default()
        };
        self.event(global_step, What::Summary(Summary { value: scalars.iter().map(value).collect() }))
    }

    /// Writes settings, `table.key` → value, as the hyperparameters of the run, in the form of
    /// `tensorboard.plugins.hparams.summary_v2.hparams_pb`.
    pub(super) fn write_settings(&mut self, name: &str, settings: &Json) -> io::Result<()> {
        let value = hyperparameters(name, settings, seconds_since_1970());
        self.event(0, What::Summary(Summary { value: vec![value] }))
    }

    fn event(&mut self, step: u64, what: What) -> io::Result<()> {
        let wall_time = seconds_since_1970();
        // One write, so that a reader meets whole frames.
        self.0.write_all(&frame(&Event { wall_time, step: step as i64, what: Some(what) }.encode_to_vec()))
    }
}

fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn hyperparameters(name: &str, settings: &Json, start_time_secs: f64) -> Value {
    let kind = |value: &Json| match value {
        Json::Bool(value) => Kind::Bool(*value),
        Json::Number(value) => Kind::Number(value.as_f64().unwrap_or_default()),
        Json::String(value) => Kind::String(value.clone()),
        value => Kind::String(value.to_string()),
    };
    let of = |(key, value): (&String, &Json)| (key.clone(), ProtoValue { kind: Some(kind(value)) });
    let session_start_info = SessionStartInfo {
        hparams: settings.as_object().into_iter().flatten().map(of).collect(),
        group_name: name.to_owned(),
        start_time_secs,
    };
    let plugin_data = PluginData {
        plugin_name: "hparams".to_owned(),
        content: HParamsPluginData { session_start_info: Some(session_start_info) }.encode_to_vec(),
    };
    Value {
        tag: "_hparams_/session_start_info".to_owned(),
        simple_value: None,
        // Every summary has a value: this one is empty.
        tensor: Some(Tensor { dtype: DT_FLOAT, shape: Some(TensorShape { dim: vec![Dim {}] }) }),
        metadata: Some(SummaryMetadata { plugin_data: Some(plugin_data) }),
    }
}

/// `TensorBoard` reads the files of a folder in the order of their names, so the time comes first, and does not go
/// back where the clock does. The machine's name, which it usually carries, stays out of the artifact.
fn next_name(folder: &Path) -> io::Result<String> {
    const PREFIX: &str = "events.out.tfevents.";
    let mut seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut starts = 0;
    for entry in fs_err::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let earlier = rest.split('.').next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
        seconds = seconds.max(earlier);
        starts += 1;
    }
    Ok(format!("{PREFIX}{seconds:010}.distilburn.{starts:04}"))
}

/// A `TFRecord`: length, its checksum, data, its checksum.
fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let checksum = |bytes: &[u8]| masked(crc32c::crc32c(bytes)).to_le_bytes();
    [&length[..], &checksum(&length), data, &checksum(data)].concat()
}

/// A checksum of data that hold their own checksum would be weak, so those that are stored are masked:
/// <https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/lib/hash/crc32c.h>
fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[expect(clippy::struct_field_names, reason = "the name in summary.proto")]
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    /// One of several kinds of value: written even where it is 0.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "8")]
    tensor: Option<Tensor>,
    #[prost(message, optional, tag = "9")]
    metadata: Option<SummaryMetadata>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<TensorShape>,
}

/// Of `types.proto`.
const DT_FLOAT: i32 = 1;

#[derive(Clone, PartialEq, Message)]
struct TensorShape {
    #[prost(message, repeated, tag = "2")]
    dim: Vec<Dim>,
}

/// A dimension of size 0.
#[derive(Clone, PartialEq, Message)]
struct Dim {}

#[derive(Clone, PartialEq, Message)]
struct SummaryMetadata {
    #[prost(message, optional, tag = "1")]
    plugin_data: Option<PluginData>,
}

#[derive(Clone, PartialEq, Message)]
struct PluginData {
    #[prost(string, tag = "1")]
    plugin_name: String,
    #[prost(bytes = "vec", tag = "2")]
    content: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct HParamsPluginData {
    #[prost(message, optional, tag = "3")]
    session_start_info: Option<SessionStartInfo>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionStartInfo {
    #[prost(btree_map = "string, message", tag = "1")]
    hparams: BTreeMap<String, ProtoValue>,
    #[prost(string, tag = "4")]
    group_name: String,
    #[prost(double, tag = "5")]
    start_time_secs: f64,
}

/// `google.protobuf.Value`
#[derive(Clone, PartialEq, Message)]
struct ProtoValue {
    #[prost(oneof = "Kind", tags = "2, 3, 4")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    String(String),
    #[prost(bool, tag = "4")]
    Bool(bool),
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(enumeration = "session_log::Status", tag = "1")]
    status: i32,
}

mod session_log {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
    #[repr(i32)]
    pub(super) enum Status {
        Unspecified = 0,
        Start = 1,
    }
}

#[cfg(test)]
mod tests;
