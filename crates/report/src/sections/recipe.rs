//! The settings, where everything came from, and how to make it again.

use std::collections::BTreeMap;
use std::fmt::Write;

use artifact::{Manifest, Origin, Sources, SplitName};
use maud::{Markup, html};
use page::Table;
use page::number::grouped;
use serde_json::Value;

use crate::inputs::Inputs;

pub(super) fn render(inputs: &Inputs) -> Markup {
    let [ingest, .., evaluate] = &inputs.manifests;
    html! {
        h3 { "Where it came from" }
        (origins(ingest))
        (model(ingest))
        h3 { "Artifacts" }
        (lineage(&inputs.manifests))
        h3 { "How to make it again" }
        p { "Write this as " code { "pipeline.toml" } ", put your paths in, and run " code { "distilburn run" }
            " with distilburn " (super::version(inputs)) ". Files are known by their hashes above. Scores can differ a little \
            on another number of threads or another device; this evaluation ran on "
            (text(evaluate.run.get("device"))) " in " (text(evaluate.run.get("precision"))) "." }
        details open { summary { "All settings that count" } pre tabindex="0" role="region" aria-label="Settings" { (settings(&inputs.manifests)) } }
    }
}

fn origins(ingest: &Manifest) -> Markup {
    let Some(sources) = Sources::of(ingest) else {
        return html! { p { "The manifest of ingest does not say." } };
    };
    let splits = SplitName::ALL.map(|split| (split.as_str(), sources.split(split)));
    let named = splits.into_iter().chain([("base model", sources.base_model.as_slice())]);
    let rows = named.flat_map(|(name, origins)| {
        origins.iter().map(move |origin| {
            let hash = match origin {
                Origin::File { blake3, .. } => format!("BLAKE3 {blake3}"),
                Origin::Url { sha256, .. } => format!("SHA-256 {sha256}"),
                Origin::Hub { commit, .. } => format!("commit {commit}"),
                Origin::Generated { seed } => format!("seed {seed}"),
                Origin::ShareOfTrain { .. } => String::new(),
            };
            vec![html! { (name) }, html! { (origin.name()) }, html! { span.hash { (hash) } }]
        })
    });
    Table {
        caption: "Raw data and base model",
        head: &["for", "source", "known by"],
        words: 3,
        rows: rows.collect(),
    }
    .render()
}

/// How large the model is.
fn model(ingest: &Manifest) -> Markup {
    let size = |key: &str| ingest.metrics["base_model"][key].as_u64();
    let (Some(parameters), Some(layers), Some(dim), Some(vocab_size)) =
        (size("parameters"), size("n_layers"), size("dim"), size("vocab_size"))
    else {
        return Markup::default();
    };
    html! { p {
        "The model has " (format!("{:.1}", parameters as f64 / 1e6)) " million parameters: " (layers) " layers, " (dim)
        " dimensions, and a vocabulary of " (grouped(vocab_size)) " tokens."
    } }
}

fn lineage(manifests: &[Manifest; 4]) -> Markup {
    let rows = manifests.iter().map(|manifest| {
        let versions = manifest.run.get("versions").and_then(Value::as_object);
        let versions: Vec<String> = versions
            .into_iter()
            .flatten()
            .map(|(name, version)| format!("{name} {}", text(Some(version))))
            .collect();
        let started = text(manifest.run.get("started"));
        let minute = started.get(..16).map_or_else(|| started.clone(), |minute| minute.replace('T', " "));
        vec![
            html! { (manifest.stage) },
            html! { span.hash { (manifest.fingerprint) } },
            html! { (minute) },
            html! { (versions.join(", ")) },
        ]
    });
    let head = ["stage", "artifact", "made (UTC)", "versions"];
    Table { caption: "Stages and the artifacts that they made", head: &head, words: 4, rows: rows.collect() }
        .render()
}

/// What the artifacts were made with, as a settings file.
fn settings(manifests: &[Manifest; 4]) -> String {
    let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut put = |key: &str, value: String| {
        if let Some((table, key)) = key.split_once('.') {
            tables.entry(table.to_owned()).or_default().insert(key.to_owned(), value);
        }
    };
    for manifest in manifests {
        for (key, value) in manifest.parts["settings"].as_object().into_iter().flatten() {
            put(key, value.to_string());
        }
    }
    if let Some(sources) = Sources::of(&manifests[0]) {
        for split in SplitName::ALL {
            if let Some(value) = named(sources.split(split)) {
                put(&format!("ingest.{split}"), value);
            }
        }
        // The files of a folder are many, and none of them is its name.
        let base_model = match sources.base_model.as_slice() {
            [Origin::Hub { id, commit }] => Value::from(format!("{id}@{commit}")).to_string(),
            _ => "\"PATH\"".to_owned(),
        };
        put("ingest.base_model", base_model);
    }
    if manifests[2].parts["inputs"].get("init_from").is_some() {
        put("train.init_from", "\"PATH\"".to_owned());
    }
    let mut toml = String::new();
    for (table, keys) in tables {
        let _ = write!(toml, "{}[{table}]", if toml.is_empty() { "" } else { "\n\n" });
        for (key, value) in keys {
            let _ = write!(toml, "\n{key} = {value}");
        }
    }
    toml
}

/// What a split came from, as one writes it in a setting.
fn named(origins: &[Origin]) -> Option<String> {
    let name = |origin: &Origin| match origin {
        Origin::Generated { .. } => "sample".to_owned(),
        Origin::ShareOfTrain { percent } => format!("{percent}%"),
        Origin::Hub { id, commit } => format!("{id}@{commit}"),
        Origin::File { name, .. } => name.clone(),
        Origin::Url { url, .. } => url.clone(),
    };
    match origins {
        [] => None,
        [one] => Some(Value::from(name(one)).to_string()),
        several => Some(Value::from(several.iter().map(name).collect::<Vec<_>>()).to_string()),
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "unknown".to_owned(),
    }
}
