//! `GET /v1/models` and `GET /v1/models/{id}`: the one model there is.

use crate::openai::ApiError;
use crate::openai::models::{Model, ModelList};
use crate::reply::{self, Response};
use crate::stack::Gateway;

/// All models.
pub fn list(gateway: &Gateway) -> Result<Response, ApiError> {
    reply::json(&ModelList::new(vec![served(gateway)]))
}

/// One model, or 404.
pub fn one(gateway: &Gateway, id: &str) -> Result<Response, ApiError> {
    let model = served(gateway);
    if model.id == id { reply::json(&model) } else { Err(ApiError::model_not_found(id)) }
}

fn served(gateway: &Gateway) -> Model {
    let since = gateway.model.get().map_or(0, |model| model.created);
    Model::new(&gateway.config.model.name, since)
}
