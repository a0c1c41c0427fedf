//! One request and its response: redirects, time-outs, retries and waits.
//!
//! Redirects are followed here and not by the library, so that the token is sent only to its own server, and a redirect
//! from https to plain http is refused.

use std::thread::sleep;
use std::time::Duration;

use ureq::Agent;
use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig};

use crate::error::{Error, Result};
use crate::{Event, Listener, redacted, tell, waiting};

const MAX_REDIRECTS: usize = 10;

/// How long a server may take, and how often it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The time limit for a connection, for a response, and between two pieces of its body.
    pub timeout: Duration,
    /// Attempts in a row without data before giving up.
    pub attempts: u32,
    /// The longest wait that a server may ask for.
    pub max_wait: Duration,
    /// The wait after the first attempt if the server asks for none; it doubles each time.
    pub first_wait: Duration,
}

impl Patience {
    /// Five attempts, with waits of 1, 2, 4 and 8 s, and at most five minutes if the server names the wait.
    #[must_use]
    pub fn with_timeout(timeout: Duration) -> Self {
        Self { timeout, attempts: 5, max_wait: Duration::from_mins(5), first_wait: Duration::from_secs(1) }
    }
}

/// Asks servers.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    pub(crate) patience: Patience,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) url: &'a str,
    /// Sent only to the server of `url`, not to the target of a redirect.
    pub(crate) token: Option<&'a str>,
    /// The first byte to request.
    pub(crate) start: u64,
    /// The `ETag` or `Last-Modified` of the part that already exists.
    pub(crate) if_range: Option<&'a str>,
}

/// A successful response: 200 or 206, or 416 if nothing is left to send.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<ureq::Body>,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.response, name)
    }
}

/// Why one attempt failed.
pub(crate) enum Attempt {
    /// Another one may.
    Again {
        /// What the server wishes.
        wait: Option<Duration>,
        /// What to report when none succeeds.
        error: ureq::Error,
    },
    /// No other attempt will succeed.
    Final(Error),
}

/// Counts failed attempts, and waits between them.
pub(crate) struct Tries<'a> {
    patience: Patience,
    url: &'a str,
    failed: u32,
}

impl<'a> Tries<'a> {
    pub(crate) fn new(patience: Patience, url: &'a str) -> Self {
        Self { patience, url, failed: 0 }
    }

    /// Data arrived: the count starts again.
    pub(crate) fn progressed(&mut self) {
        self.failed = 0;
    }

    /// Waits before another attempt, or says why there is none.
    pub(crate) fn failed(&mut self, attempt: Attempt, listener: Listener<'_>) -> Result<()> {
        let (wait, error) = match attempt {
            Attempt::Final(error) => return Err(error),
            Attempt::Again { wait, error } => (wait, error),
        };
        self.failed += 1;
        let asked = matches!(error, ureq::Error::StatusCode(429));
        let too_long = wait.is_some_and(|wait| wait > self.patience.max_wait);
        if self.failed >= self.patience.attempts || too_long {
            let url = self.url.to_owned();
            return Err(match (&error, wait) {
                (_, Some(wait)) if asked => Error::TooManyRequests { url, wait_s: wait.as_secs() },
                (ureq::Error::StatusCode(status), _) => Error::Status { url, status: *status },
                _ => Error::Unreachable {
                    url,
                    attempts: self.failed,
                    remedy:
                        "check the network and run again: the download resumes. If the server is slow, raise \
                             `ingest.download_timeout_s`"
                            .to_owned(),
                    source: Box::new(error),
                },
            });
        }
        let wait = wait.unwrap_or(self.patience.first_wait * 2_u32.saturating_pow(self.failed - 1));
        tracing::warn!(url = redacted(self.url), reason = %error, wait_s = wait.as_secs(), "trying again");
        wait_for(wait, listener)
    }
}

/// Waits, and checks ten times a second whether to stop.
fn wait_for(wait: Duration, listener: Listener<'_>) -> Result<()> {
    const SLICE: Duration = Duration::from_millis(100);
    let mut left = wait;
    while !left.is_zero() {
        tell(listener, Event::Waiting)?;
        let slice = left.min(SLICE);
        sleep(slice);
        left -= slice;
    }
    Ok(())
}

impl Client {
    /// A client that trusts the platform's certificates. It opens no connection yet.
    #[must_use]
    pub fn new(patience: Patience) -> Self {
        let config = Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_connect(Some(patience.timeout))
            .timeout_recv_response(Some(patience.timeout))
            .timeout_per_read(Some(patience.timeout))
            .user_agent(concat!("distilburn/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .build();
        Self { agent: config.into(), patience }
    }

    /// One attempt, redirects included.
    pub(crate) fn attempt(&self, request: &Request<'_>) -> std::result::Result<Answer, Attempt> {
        let mut url = request.url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            if !is_allowed(&url) {
                return Err(Attempt::Final(Error::Insecure { url }));
            }
            let mut get = self.agent.get(&url).header("Accept-Encoding", "identity");
            if let Some(token) = request.token.filter(|_| server(&url) == server(request.url)) {
                get = get.header("Authorization", format!("Bearer {token}"));
            }
            if request.start > 0 {
                get = get.header("Range", format!("bytes={}-", request.start));
                if let Some(tag) = request.if_range {
                    get = get.header("If-Range", tag);
                }
            }
            let response = get.call().map_err(|error| Attempt::Again { wait: None, error })?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return judge(request, response);
            }
            let target = redirect(&url, header(&response, "location"));
            let refused = |what| Attempt::Final(Error::Redirect { url: request.url.to_owned(), what });
            url = target.map_err(refused)?;
        }
        Err(Attempt::Final(Error::Redirect {
            url: request.url.to_owned(),
            what: "it redirects more than ten times",
        }))
    }

    /// One attempt in a thread; the listener can stop the waiting for it.
    pub(crate) fn attempt_listening(
        &self,
        request: &Request<'_>,
        listener: Listener<'_>,
    ) -> Result<std::result::Result<Answer, Attempt>> {
        let client = self.clone();
        let [url, token, if_range] =
            [Some(request.url), request.token, request.if_range].map(|text| text.map(str::to_owned));
        let start = request.start;
        let receiver = waiting::start(move |put| {
            let url = url.unwrap_or_default();
            let request =
                Request { url: &url, token: token.as_deref(), start, if_range: if_range.as_deref() };
            put(client.attempt(&request));
        })?;
        let answered = waiting::next(&receiver, listener)?;
        Ok(answered.expect("the thread puts what the attempt gave"))
    }

    /// Asks until there is an answer.
    pub(crate) fn get(&self, request: &Request<'_>, listener: Listener<'_>) -> Result<Answer> {
        let mut tries = Tries::new(self.patience, request.url);
        loop {
            match self.attempt_listening(request, listener)? {
                Ok(answer) => return Ok(answer),
                Err(attempt) => tries.failed(attempt, listener)?,
            }
        }
    }
}

fn judge(request: &Request<'_>, response: Response<ureq::Body>) -> std::result::Result<Answer, Attempt> {
    let url = request.url.to_owned();
    let status = response.status().as_u16();
    Err(match status {
        200 | 206 | 416 => return Ok(Answer { response }),
        401 | 403 => Attempt::Final(Error::Refused {
            url,
            status,
            remedy: if request.token.is_some() {
                "the token (HF_TOKEN) gives no access: accept the repository's terms on the Hub, or use another token"
            } else {
                "the repository may be private, gated or misspelt: check its name, or set HF_TOKEN"
            }
            .to_owned(),
        }),
        404 | 410 => Attempt::Final(Error::NotFound {
            url,
            status,
            remedy: "check the URL, or download the file by hand and name its path".to_owned(),
        }),
        408 | 429 | 500 | 502 | 503 | 504 => Attempt::Again {
            wait: header(&response, "retry-after")
                .and_then(|text| text.trim().parse().ok())
                .map(Duration::from_secs),
            error: ureq::Error::StatusCode(status),
        },
        _ => Attempt::Final(Error::Status { url, status }),
    })
}

fn header<'a>(response: &'a Response<ureq::Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Whether a URL is allowed: https, or a server on this machine.
#[must_use]
pub fn is_allowed(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_loopback,
        _ => false,
    }
}

/// Scheme, host and port of a URL.
fn server(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    Some((uri.scheme_str()?.to_owned(), uri.authority()?.as_str().to_owned()))
}

/// The target of a redirect. From https to http is refused, because anybody in between could change the file.
fn redirect(url: &str, location: Option<&str>) -> std::result::Result<String, &'static str> {
    let target = location.and_then(|location| join(url, location));
    let target = target.ok_or("it redirects without a target")?;
    let is_https = |url: &str| server(url).is_some_and(|(scheme, _)| scheme == "https");
    if is_https(url) && !is_https(&target) {
        return Err("it redirects from https:// to a URL without encryption");
    }
    Ok(target)
}

/// The URL of `location`, given by the server of `url`.
fn join(url: &str, location: &str) -> Option<String> {
    if location.contains("://") {
        return Some(location.to_owned());
    }
    let (scheme, authority) = server(url)?;
    if let Some(rest) = location.strip_prefix("//") {
        return Some(format!("{scheme}://{rest}"));
    }
    if location.starts_with('/') {
        return Some(format!("{scheme}://{authority}{location}"));
    }
    let uri: Uri = url.parse().ok()?;
    let folder = uri.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(format!("{scheme}://{authority}{folder}/{location}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine() {
        for url in
            ["https://example.org/x", "http://127.0.0.1:80/x", "http://localhost/x", "http://[::1]:8/x"]
        {
            assert!(is_allowed(url), "{url}");
        }
        for url in ["http://example.org/x", "ftp://localhost/x", "https://", "file:///etc/passwd", "x", ""] {
            assert!(!is_allowed(url), "{url}");
        }
    }

    #[test]
    fn a_redirect_never_leaves_https() {
        let (secure, plain) = ("https://a.example/f", "http://127.0.0.1/f");
        let refused = Err("it redirects from https:// to a URL without encryption");
        for target in [
            "http://a.example/f",
            "http://127.0.0.1/f",
            "http://localhost:80/f",
            "HTTP://[::1]/f",
            "ftp://a/f",
        ] {
            assert_eq!(redirect(secure, Some(target)), refused, "{target}");
        }
        assert_eq!(redirect(secure, Some("/g")), Ok("https://a.example/g".to_owned()));
        assert_eq!(redirect(secure, Some("https://b.example/f")), Ok("https://b.example/f".to_owned()));
        assert_eq!(redirect(plain, Some(secure)), Ok(secure.to_owned()));
        assert_eq!(redirect(plain, Some("/g")), Ok("http://127.0.0.1/g".to_owned()));
        assert_eq!(redirect(secure, None), Err("it redirects without a target"));
    }

    #[test]
    fn locations_are_joined_as_browsers_do() {
        let url = "https://a.example/one/two?x=1";
        for (location, expected) in [
            ("https://b.example/z", "https://b.example/z"),
            ("//b.example/z", "https://b.example/z"),
            ("/z", "https://a.example/z"),
            ("three", "https://a.example/one/three"),
        ] {
            assert_eq!(join(url, location).as_deref(), Some(expected));
        }
    }
}
