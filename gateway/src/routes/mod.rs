//! Which path is which route, and what each answers.

mod knowledge;
mod models;
mod probes;

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::request::Parts;

use crate::auth::Caller;
use crate::chat;
use crate::layers::admit::Permit;
use crate::layers::trace::Call;
use crate::openai::ApiError;
use crate::reply::Response;
use crate::stack::Gateway;

/// A request that passed every layer.
pub struct Asked {
    /// Who asks.
    pub caller: Caller,
    /// The request's head.
    pub head: Parts,
    /// The request's body.
    pub body: Bytes,
    /// The right to be in flight.
    pub permit: Permit,
}

/// What a path and method stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `GET /livez`: the process runs.
    Livez,
    /// `GET /readyz`: requests are answered.
    Readyz,
    /// `GET /metrics`: Prometheus.
    Metrics,
    /// `POST /v1/chat/completions`
    Chat,
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`
    Model(String),
    /// `GET /v1/knowledge`: what was imported.
    Knowledge,
    /// `POST /v1/knowledge?name=faq.csv`: import the body.
    KnowledgeImport,
    /// `GET /v1/knowledge/search?q=...&k=3`
    KnowledgeSearch,
    /// `DELETE /v1/knowledge/{id}`: remove a passage.
    KnowledgeRemove(String),
    /// `DELETE /v1/knowledge?source=faq.csv`: remove what a file gave.
    KnowledgeRemoveSource,
}

impl Route {
    /// The route, or 404 or 405. HEAD is a GET of which the connection leaves out the body.
    pub fn find(method: &Method, path: &str) -> Result<Self, ApiError> {
        let routes = Self::at(path);
        if routes.is_empty() {
            return Err(ApiError::unknown_url(method.as_str(), path));
        }
        let wanted = if *method == Method::HEAD { &Method::GET } else { method };
        let allow = routes.iter().map(|(method, _)| match *method {
            Method::GET => "GET, HEAD",
            Method::POST => "POST",
            _ => "DELETE",
        });
        let allow = allow.collect::<Vec<_>>().join(", ");
        let found = routes.into_iter().find(|(method, _)| method == wanted).map(|(_, route)| route);
        found.ok_or_else(|| ApiError::method_not_allowed(method.as_str(), path, allow))
    }

    /// What a path answers, by method.
    fn at(path: &str) -> Vec<(Method, Self)> {
        let get = |route: Self| vec![(Method::GET, route)];
        let below = |folder: &str| path.strip_prefix(folder).filter(|id| !id.is_empty()).map(str::to_owned);
        match path {
            "/livez" => get(Self::Livez),
            "/readyz" => get(Self::Readyz),
            "/metrics" => get(Self::Metrics),
            "/v1/chat/completions" => vec![(Method::POST, Self::Chat)],
            "/v1/models" => get(Self::Models),
            "/v1/knowledge" => vec![
                (Method::GET, Self::Knowledge),
                (Method::POST, Self::KnowledgeImport),
                (Method::DELETE, Self::KnowledgeRemoveSource),
            ],
            "/v1/knowledge/search" => get(Self::KnowledgeSearch),
            _ => match (below("/v1/models/"), below("/v1/knowledge/")) {
                (Some(id), _) => get(Self::Model(id)),
                (_, Some(id)) => vec![(Method::DELETE, Self::KnowledgeRemove(id))],
                _ => Vec::new(),
            },
        }
    }

    /// A name for log and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Livez => "livez",
            Self::Readyz => "readyz",
            Self::Metrics => "metrics",
            Self::Chat => "chat",
            Self::Models | Self::Model(_) => "models",
            Self::Knowledge
            | Self::KnowledgeImport
            | Self::KnowledgeSearch
            | Self::KnowledgeRemove(_)
            | Self::KnowledgeRemoveSource => "knowledge",
        }
    }

    /// The scope that a token needs.
    pub fn scope(&self) -> &'static str {
        if self.name() == "knowledge" { "knowledge" } else { "chat" }
    }

    /// The answer of the routes that need no key.
    pub fn probe(&self, gateway: &Gateway) -> Option<Response> {
        match self {
            Self::Livez => Some(probes::livez()),
            Self::Readyz => Some(probes::readyz(gateway)),
            Self::Metrics => Some(probes::metrics(gateway)),
            _ => None,
        }
    }
}

/// Answers a request that passed every layer.
pub async fn answer(
    gateway: &Arc<Gateway>,
    call: &mut Call,
    route: Route,
    asked: Asked,
) -> Result<Response, ApiError> {
    match route {
        Route::Chat => chat::complete(gateway, call, asked).await,
        Route::Models => models::list(gateway),
        Route::Model(id) => models::one(gateway, &id),
        Route::Knowledge => knowledge::list(gateway),
        Route::KnowledgeImport => knowledge::import(gateway, asked).await,
        Route::KnowledgeSearch => knowledge::search(gateway, &asked.head.uri),
        Route::KnowledgeRemove(id) => knowledge::remove(gateway, &id).await,
        Route::KnowledgeRemoveSource => knowledge::remove_source(gateway, &asked.head.uri).await,
        // Answered before the key was looked at.
        Route::Livez | Route::Readyz | Route::Metrics => Err(ApiError::internal("a probe came too far")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_paths_and_methods_differ() {
        assert_eq!(Route::find(&Method::GET, "/v1/models").unwrap(), Route::Models);
        assert_eq!(Route::find(&Method::GET, "/v1/models/a/b").unwrap(), Route::Model("a/b".into()));
        assert_eq!(Route::find(&Method::GET, "/v2").unwrap_err().status, 404);
        assert_eq!(Route::find(&Method::GET, "/v1/chat/completions").unwrap_err().status, 405);
        assert_eq!(Route::find(&Method::DELETE, "/livez").unwrap_err().status, 405);
        assert_eq!(Route::find(&Method::DELETE, "/v1/knowledge/").unwrap_err().status, 404);
    }

    #[test]
    fn head_goes_where_get_does_and_refusals_say_what_would_go() {
        assert_eq!(Route::find(&Method::HEAD, "/livez").unwrap(), Route::Livez);
        assert_eq!(Route::find(&Method::HEAD, "/v1/models").unwrap(), Route::Models);
        for (method, path, allow) in [
            (Method::HEAD, "/v1/chat/completions", "POST"),
            (Method::POST, "/livez", "GET, HEAD"),
            (Method::PUT, "/v1/knowledge", "GET, HEAD, POST, DELETE"),
            (Method::GET, "/v1/knowledge/0f", "DELETE"),
        ] {
            assert_eq!(Route::find(&method, path).unwrap_err().allow.as_deref(), Some(allow), "{path}");
        }
    }

    #[test]
    fn whatever_changes_the_knowledge_base_needs_its_scope() {
        for path in ["/v1/knowledge", "/v1/knowledge/0f"] {
            assert_eq!(Route::find(&Method::DELETE, path).unwrap().scope(), "knowledge");
        }
    }
}
