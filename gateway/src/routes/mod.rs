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
}

impl Route {
    /// The route, or 404 or 405.
    pub fn find(method: &Method, path: &str) -> Result<Self, ApiError> {
        let (get, post) = match path {
            "/livez" => (Some(Self::Livez), None),
            "/readyz" => (Some(Self::Readyz), None),
            "/metrics" => (Some(Self::Metrics), None),
            "/v1/chat/completions" => (None, Some(Self::Chat)),
            "/v1/models" => (Some(Self::Models), None),
            "/v1/knowledge" => (Some(Self::Knowledge), Some(Self::KnowledgeImport)),
            "/v1/knowledge/search" => (Some(Self::KnowledgeSearch), None),
            _ => (path.strip_prefix("/v1/models/").map(|id| Self::Model(id.to_owned())), None),
        };
        if get.is_none() && post.is_none() {
            return Err(ApiError::unknown_url(method.as_str(), path));
        }
        let found = match *method {
            Method::GET => get,
            Method::POST => post,
            _ => None,
        };
        found.ok_or_else(|| ApiError::method_not_allowed(method.as_str(), path))
    }

    /// A name for log and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Livez => "livez",
            Self::Readyz => "readyz",
            Self::Metrics => "metrics",
            Self::Chat => "chat",
            Self::Models | Self::Model(_) => "models",
            Self::Knowledge | Self::KnowledgeImport | Self::KnowledgeSearch => "knowledge",
        }
    }

    /// The scope that a token needs.
    pub fn scope(&self) -> &'static str {
        match self {
            Self::Knowledge | Self::KnowledgeImport | Self::KnowledgeSearch => "knowledge",
            _ => "chat",
        }
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
    }
}
