//! The life of the server: listening, loading, serving, draining.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use metrics_exporter_prometheus::PrometheusHandle;
use signal_hook::low_level;
use stage::Interrupt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep, timeout};

use crate::engine::Engine;
use crate::queue::QueueLimits;
use crate::speech::Info;
use crate::{Error, Limits, Options, routes, telemetry};

/// Time in which a client must send the headers of a request, and after which an idle connection is closed.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Open connections per concurrent request; further ones wait to be accepted.
const CONNECTIONS_PER_REQUEST: usize = 4;

/// How long new requests still get the reply that the server is draining, before the port is closed.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long clients may take to read the last replies.
const TAKE_REPLIES: Duration = Duration::from_secs(5);

/// Time between two checks whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What all requests share.
pub(crate) struct App {
    /// Once the model is loaded.
    pub(crate) engine: OnceLock<Arc<Engine>>,
    pub(crate) info: OnceLock<Info>,
    pub(crate) is_draining: AtomicBool,
    pub(crate) limits: Limits,
    /// A permit for each request in progress.
    pub(crate) permits: Semaphore,
    pub(crate) api_key: Option<blake3::Hash>,
    pub(crate) log_texts: bool,
    pub(crate) metrics: PrometheusHandle,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let interrupt = Interrupt::install()?;
    let app = Arc::new(App {
        engine: OnceLock::new(),
        info: OnceLock::new(),
        is_draining: AtomicBool::new(false),
        limits: options.limits,
        permits: Semaphore::new(options.limits.max_requests),
        api_key: api_key(options)?,
        log_texts: options.log_texts,
        metrics: telemetry::install(),
    });
    let router = routes::router(Arc::clone(&app), &options.cors_origin)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Start)?;
    let outcome = runtime.block_on(serve(options, &app, router, &interrupt));
    // Requests that still run have had their time.
    runtime.shutdown_background();
    outcome
}

async fn serve(
    options: &Options,
    app: &Arc<App>,
    router: Router,
    interrupt: &Interrupt,
) -> Result<(), Error> {
    let address = SocketAddr::new(options.host, options.port);
    let listen = |source| Error::Listen { address: address.to_string(), source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    tracing::info!(%address, "listening");

    let loading = load(options, Arc::clone(app));
    let (stop, stopped) = oneshot::channel();
    let accepting = tokio::spawn(accept(listener, router, app.limits.max_requests, stopped));
    let mut upkeep = Instant::now();
    let mut loading = Some(loading);
    while !interrupt.seen() {
        if let Some(done) = loading.take_if(|loading| loading.is_finished()) {
            let loaded = done.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            loaded?;
            stage::print(&format!("http://{address}/\n"))?;
            tracing::info!(url = format!("http://{address}/"), "ready");
        }
        if upkeep.elapsed() > telemetry::UPKEEP_EVERY {
            upkeep = Instant::now();
            app.metrics.run_upkeep();
        }
        sleep(LOOK_EVERY).await;
    }
    if loading.is_some_and(|loading| !loading.is_finished()) {
        // A process that ends while a thread is in LibTorch crashes, and a download may take long: without destructors.
        tracing::info!("stopped while the model was being loaded");
        low_level::exit(0);
    }
    drain(app).await;
    // The receiver exists as long as the server accepts.
    let _ = stop.send(());
    if timeout(TAKE_REPLIES, accepting).await.is_err() {
        tracing::warn!("some clients did not read their replies");
    }
    tracing::info!("drained");
    Ok(())
}

/// Loads the model on a separate thread; meanwhile the server replies that it is loading.
fn load(options: &Options, app: Arc<App>) -> thread::JoinHandle<Result<(), answerer::Error>> {
    let (model, common, limits) = (options.model.model.clone(), options.common.clone(), options.limits);
    thread::spawn(move || {
        let answerer = answerer::open_model(model.as_deref(), &common, "serve")?;
        let info = info(&answerer, model.as_deref(), limits);
        let queue = QueueLimits {
            batch: limits.max_batch_tokens.unwrap_or_else(|| answerer.batch_tokens()),
            queued: limits.max_queued_tokens,
            request: limits.max_request_tokens,
        };
        let engine = Engine::start(answerer, queue);
        // Nothing else sets them.
        let _ = (app.info.set(info), app.engine.set(engine));
        Ok(())
    })
}

fn info(answerer: &answerer::Answerer, model: Option<&str>, limits: Limits) -> Info {
    let usage = answerer.usage();
    let Limits { max_batch_tokens, max_queued_tokens, max_request_tokens, .. } = limits;
    let Limits { max_requests, max_questions, max_bytes, timeout, .. } = limits;
    // No path of this machine: the last part of the name.
    let folder = answerer.folder().file_name().map(|name| name.to_string_lossy().into_owned());
    let named = model.map(|model| model.trim_end_matches('/').rsplit('/').next().unwrap_or(model).to_owned());
    Info {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: named.or(folder).unwrap_or_default(),
        precision: answerer.precision().to_owned(),
        max_length: usage.windows.max_length,
        doc_stride: usage.windows.doc_stride,
        max_answer_length: usage.spans.max_answer_length,
        no_answer: usage.no_answer,
        max_batch_tokens: max_batch_tokens.unwrap_or_else(|| answerer.batch_tokens()),
        max_queued_tokens,
        max_request_tokens,
        max_requests,
        max_questions,
        max_bytes,
        timeout,
    }
}

/// Serves connections until it is told to close them, and returns when they are closed.
async fn accept(
    listener: TcpListener,
    router: Router,
    max_requests: usize,
    mut stopped: oneshot::Receiver<()>,
) {
    let connections = Arc::new(Semaphore::new(max_requests.saturating_mul(CONNECTIONS_PER_REQUEST)));
    let graceful = GracefulShutdown::new();
    loop {
        let permit = tokio::select! {
            _ = &mut stopped => break,
            permit = Arc::clone(&connections).acquire_owned() => permit.expect("nobody closes it"),
        };
        let accepted = tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = graceful.watch(connection(stream, router.clone()));
                tokio::spawn(async move {
                    // A client that breaks off is not an error of the server.
                    let _ = connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                // For example, out of file descriptors: some connections will end meanwhile.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    // Idle connections are closed now, others once their reply is read.
    graceful.shutdown().await;
}

fn connection(
    stream: TcpStream,
    router: Router,
) -> http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>> {
    // Replies are small and needed at once.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}

/// Answers the accepted requests, and rejects new ones.
async fn drain(app: &App) {
    app.is_draining.store(true, Ordering::SeqCst);
    tracing::info!("draining: accepted requests are answered, new ones get 503");
    let patience = Duration::from_secs(app.limits.timeout as u64) + FAREWELL;
    let all = u32::try_from(app.limits.max_requests).unwrap_or(u32::MAX);
    let done = async {
        sleep(FAREWELL).await;
        // Once every permit is back, no request is in progress.
        app.permits.acquire_many(all).await.map(drop)
    };
    if timeout(patience, done).await.is_err() {
        tracing::warn!("some requests were not answered in time");
    }
    if let Some(engine) = app.engine.get() {
        engine.close();
    }
}

/// The key that requests must send. Only its hash is kept, and compared in constant time.
fn api_key(options: &Options) -> Result<Option<blake3::Hash>, Error> {
    let (origin, key) = if let Some(path) = &options.api_key_file {
        let key = fs_err::read_to_string(path).map_err(|source| Error::Key { path: path.clone(), source })?;
        (path.display().to_string(), key)
    } else if let Some(key) = std::env::var_os("DISTILBURN_API_KEY") {
        ("DISTILBURN_API_KEY".to_owned(), key.to_string_lossy().into_owned())
    } else {
        return Ok(None);
    };
    match key.trim() {
        "" => Err(Error::EmptyKey { origin }),
        key => Ok(Some(blake3::hash(key.as_bytes()))),
    }
}
