//! The environment variables of Hugging Face's own libraries.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::digest::small_text;

/// The Hub's address, its cache folder, and the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `HF_ENDPOINT`, without a slash at its end.
    pub endpoint: String,
    /// `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or `~/.cache/huggingface/hub`.
    pub cache: PathBuf,
    /// `HF_TOKEN`, or what the file `HF_TOKEN_PATH` (else `token` in `HF_HOME`) holds.
    pub token: Option<String>,
    /// `HF_HUB_OFFLINE`: no connection is opened, not even for a URL.
    pub offline: bool,
}

impl Environment {
    /// Reads the process's environment.
    #[must_use]
    pub fn from_process() -> Self {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// Reads the variables that `variable` gives.
    #[must_use]
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        let text = |name| variable(name).and_then(|value| value.into_string().ok());
        let path = |name| variable(name).map(PathBuf::from);

        let user_cache = path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")));
        let home = path("HF_HOME")
            .unwrap_or_else(|| user_cache.unwrap_or_else(std::env::temp_dir).join("huggingface"));
        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
        let token = text("HF_TOKEN").or_else(|| small_text(&token_file));
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let offline = text("HF_HUB_OFFLINE").map(|value| value.to_ascii_lowercase());
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache: path("HF_HUB_CACHE").unwrap_or_else(|| home.join("hub")),
            token: token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()),
            offline: offline.is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        Environment::from_variables(find)
    }

    #[test]
    fn defaults_are_those_of_huggingface_hub() {
        let plain = environment(&[("HOME", "/home/me")]);
        assert_eq!(plain.endpoint, "https://huggingface.co");
        assert_eq!(plain.cache, PathBuf::from("/home/me/.cache/huggingface/hub"));
        assert_eq!((plain.token, plain.offline), (None, false));
        assert_eq!(
            environment(&[("HOME", "/home/me"), ("XDG_CACHE_HOME", "/c")]).cache,
            PathBuf::from("/c/huggingface/hub")
        );
    }

    #[test]
    fn every_variable_is_honoured() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "hf_from_file\n").unwrap();
        let home = folder.path().to_str().unwrap();
        let all = [("HF_HOME", home), ("HF_ENDPOINT", "https://hub.example/"), ("HF_HUB_OFFLINE", "YES")];
        let read = environment(&all);
        assert_eq!((read.endpoint.as_str(), read.offline), ("https://hub.example", true));
        assert_eq!((read.cache, read.token.as_deref()), (folder.path().join("hub"), Some("hf_from_file")));

        let stated = [("HF_HOME", home), ("HF_HUB_CACHE", "/cache"), ("HF_TOKEN", "hf_mine")];
        let read = environment(&stated);
        assert_eq!((read.cache, read.token.as_deref()), (PathBuf::from("/cache"), Some("hf_mine")));
        assert!(!environment(&[("HF_HUB_OFFLINE", "0")]).offline);
    }
}
