//! The path of every request, as an ordered list of layers with one reason each. Start reading here.

use std::sync::{Arc, OnceLock};

use http::Request;
use hyper::body::Incoming;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::auth::Access;
use crate::cache::AnswerCache;
use crate::chat::Model;
use crate::config::Config;
use crate::intent::Classifier;
use crate::knowledge::Knowledge;
use crate::layers::admit::Admission;
use crate::layers::catch;
use crate::layers::drain::Drain;
use crate::layers::limit::{self, Limits};
use crate::layers::trace::Call;
use crate::mask::Masker;
use crate::openai::ApiError;
use crate::reply::Response;
use crate::routes::{self, Route};
use crate::store::ConversationLog;

/// What the layers share, made once at start.
pub struct Gateway {
    /// Every setting.
    pub config: Config,
    /// Who may ask.
    pub access: Access,
    /// How much, per caller.
    pub limits: Limits,
    /// How many at once.
    pub admission: Admission,
    /// Whether the server is shutting down.
    pub drain: Drain,
    /// Finds and masks personal data.
    pub masker: Masker,
    /// What customers want.
    pub classifier: &'static Classifier,
    /// What the shop knows.
    pub knowledge: Knowledge,
    /// Answers given before; `None`: switched off.
    pub cache: Option<AnswerCache>,
    /// Masked conversations; `None`: switched off.
    pub conversations: Option<ConversationLog>,
    /// The model; empty until it is loaded.
    pub model: OnceLock<Model>,
    /// What was counted.
    pub metrics: PrometheusHandle,
}

/// Answers one request, whatever becomes of it.
pub async fn respond(gateway: Arc<Gateway>, request: Request<Incoming>) -> Response {
    // trace: outermost, so that every answer has an id, a count and a log line, a 500 too.
    let mut call = Call::begin(&request, &gateway.masker);
    // catch: a fault of ours costs one request, never its neighbours.
    let outcome = catch::panics(descend(&gateway, &mut call, request)).await;
    call.end(outcome)
}

async fn descend(
    gateway: &Arc<Gateway>,
    call: &mut Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    // route: what does not exist (404, 405) is refused before anything is spent on it.
    let route = Route::find(request.method(), request.uri().path())?;
    call.route = route.name();
    // probes and metrics: no key, and answered even while loading or draining, for that is what they tell.
    if let Some(probe) = route.probe(gateway) {
        return Ok(probe);
    }
    // drain: a server that was told to stop sends new work elsewhere.
    gateway.drain.refuse_new()?;
    // auth: before the body is read, so that strangers cannot make us hold their bytes.
    let caller = gateway.access.authenticate(request.headers())?;
    caller.require(route.scope())?;
    // limit: requests per minute first, for it costs nothing; then the body, of bounded size. Tokens are
    // reserved by the chat route, which alone can count them.
    gateway.limits.count_request(&caller, &mut call.headers)?;
    let (head, body) = request.into_parts();
    let body = limit::read_body(body, &gateway.config.limits).await?;
    // admit: the last door; the permit lives until the last byte of the answer.
    let permit = gateway.admission.permit()?;
    routes::answer(gateway, call, route, routes::Asked { caller, head, body, permit }).await
}
