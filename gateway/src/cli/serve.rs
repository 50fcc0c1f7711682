//! `frontdesk demo` and `frontdesk serve`: open everything, listen, load, serve until told to stop.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::kb;
use super::say::{self, Step};
use super::snippet::{Key, Snippet};
use crate::auth::{Access, development_key, signing_secret};
use crate::cache::AnswerCache;
use crate::chat::Model;
use crate::config::{AccessConfig, Command, Config};
use crate::demo;
use crate::intent::Classifier;
use crate::knowledge::Knowledge;
use crate::layers::admit::Admission;
use crate::layers::drain::Drain;
use crate::layers::limit::Limits;
use crate::mask::Masker;
use crate::server;
use crate::stack::Gateway;
use crate::store::{ConversationLog, Store};
use crate::telemetry;

/// How often metrics are folded together, so that samples do not pile up when nobody reads them.
const UPKEEP: Duration = Duration::from_secs(5);
/// By convention 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// Serves until told to stop.
pub fn run(config: Config, command: Command) -> anyhow::Result<()> {
    telemetry::start_logging(&config.log);
    let metrics = telemetry::metrics::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(config, command, metrics));
    // Whatever still runs (a model that is being loaded, say) must not hold up the end.
    runtime.shutdown_background();
    outcome
}

async fn serve(config: Config, command: Command, metrics: PrometheusHandle) -> anyhow::Result<()> {
    let open = config.access.api_key.is_none() && config.access.jwt.is_none();
    let key = open.then(|| development_key(&config.data_dir)).transpose();
    let key =
        key.with_context(|| format!("cannot write to the data directory {}", config.data_dir.display()))?;
    let address = config.address;
    let gateway = Arc::new(open_gateway(config, key.as_deref(), metrics)?);
    let stop = told_to_stop()?;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; another program may use the port: choose one with --port")
    })?;
    let address = listener.local_addr()?;
    say::line(&format!("frontdesk listens on http://{address}"));
    tokio::spawn(upkeep(gateway.metrics.clone()));

    let mut serving = std::pin::pin!(server::run(listener, Arc::clone(&gateway), stop));
    let preparing = Arc::clone(&gateway);
    tokio::select! {
        () = &mut serving => return Ok(()),
        prepared = tokio::task::spawn_blocking(move || prepare(&preparing, command)) => prepared??,
    }
    let key = printed_key(&gateway.config.access, key.as_deref());
    greet(&gateway, &Snippet { address, model: &gateway.config.model.name, key });
    serving.await;
    say::note("frontdesk stopped.");
    Ok(())
}

/// The key that opens this server, as far as it may be printed.
fn printed_key<'a>(access: &AccessConfig, development: Option<&'a str>) -> Key<'a> {
    match (development, &access.api_key, signing_secret(access)) {
        (Some(key), ..) => Key::Development(key),
        (None, Some(_), _) => Key::Configured,
        (None, None, Some(_)) => Key::Issued,
        (None, None, None) => Key::Foreign,
    }
}

/// Everything but the model.
fn open_gateway(config: Config, key: Option<&str>, metrics: PrometheusHandle) -> anyhow::Result<Gateway> {
    let store = Store::open(&config.data_dir)?;
    let knowledge = Knowledge::open(store.clone())?;
    let conversations = config.conversations.map(|keep| ConversationLog::start(store, keep)).transpose()?;
    Ok(Gateway {
        access: Access::new(&config.access, key)?,
        limits: Limits::new(&config.limits),
        admission: Admission::new(config.limits.max_concurrent),
        drain: Drain::default(),
        masker: Masker::new(config.mask),
        classifier: Classifier::embedded(),
        knowledge,
        cache: config.answers.cache.as_ref().map(AnswerCache::new),
        conversations,
        model: OnceLock::new(),
        metrics,
        config,
    })
}

/// The slow part of a start, while the port is open already and `/readyz` says 503.
fn prepare(gateway: &Gateway, command: Command) -> anyhow::Result<()> {
    if command == Command::Demo {
        import_samples(gateway)?;
    }
    let folder = model_folder(gateway, command)?;
    let step = Step::begin("Loading the model");
    let model = Model::load(&gateway.config.model, &folder, &|done, total| {
        step.at(done >> 20, total >> 20, "MiB");
    })?;
    step.end(&format!("{} from {}", model.name, folder.display()));
    // Empty until here, and this is the only place that fills it.
    let _was_empty = gateway.model.set(model);
    Ok(())
}

fn import_samples(gateway: &Gateway) -> anyhow::Result<()> {
    let files = demo::unpack_samples(&gateway.config.data_dir).context("cannot unpack the samples")?;
    let step = Step::begin("Importing the sample knowledge");
    let report = gateway.knowledge.import_files(&files, &mut |progress| {
        step.at(progress.done as u64, progress.total as u64, &progress.file);
    })?;
    step.end(&kb::summary(&report));
    Ok(())
}

fn model_folder(gateway: &Gateway, command: Command) -> anyhow::Result<PathBuf> {
    if let Some(path) = &gateway.config.model.path {
        return Ok(path.clone());
    }
    if command == Command::Serve {
        say::note(
            "No --model-path is set: this runs the small DEMO MODEL, which is not fit for real customers.\n\
             Give the folder of gpt-oss-20b with --model-path for real use.",
        );
    }
    demo::unpack_model(&gateway.config.data_dir).context("cannot unpack the demo model")
}

fn greet(gateway: &Gateway, snippet: &Snippet<'_>) {
    say::line(&format!("Ready: {} knows {} passages.", snippet.model, gateway.knowledge.len()));
    if let Key::Development(key) = snippet.key {
        say::line(&format!("Development API key, for this machine only: {key}"));
    }
    say::line(&format!("\nAsk it with curl:\n\n{}\n", snippet.curl()));
    say::line(&format!("or with Python:\n\n{}\n", snippet.python()));
    let data_dir = gateway.config.data_dir.display();
    say::line(&format!("Teach it more, while it runs: frontdesk kb import FILE --data-dir {data_dir}"));
    say::line("Ctrl-C stops it.");
}

/// Resolves at the first SIGTERM or Ctrl-C; the second ends the process at once.
fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (first, told) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut first = Some(first);
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            match first.take() {
                // The server may be gone by itself already.
                Some(first) => drop(first.send(())),
                None => std::process::exit(INTERRUPTED),
            }
        }
    });
    Ok(async move {
        let _sender_lives = told.await;
    })
}

async fn upkeep(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        metrics.run_upkeep();
    }
}
