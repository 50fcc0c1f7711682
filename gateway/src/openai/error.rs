//! The one shape of every error that a client sees.

use std::time::Duration;

use serde::{Serialize, Serializer, ser::SerializeMap};

/// An error with its HTTP status. It serialises to the envelope `{"error": {message, type, param, code}}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// What was wrong and what to do, for people.
    pub message: String,
    /// The family, as `invalid_request_error`.
    pub kind: &'static str,
    /// The path of the offending field, as `messages[2].content`.
    pub param: Option<String>,
    /// The case, for programs.
    pub code: Option<&'static str>,
    /// When it is worth trying again: the `Retry-After` header.
    pub retry_after: Option<Duration>,
    /// The methods that would have been answered: the `Allow` header.
    pub allow: Option<Box<str>>,
}

/// The family of errors that the client can mend.
const INVALID: &str = "invalid_request_error";

impl ApiError {
    /// 400: a field has a value that it cannot have.
    pub fn invalid_value(param: &str, message: impl Into<String>) -> Self {
        Self::new(400, INVALID, "invalid_value", message).about(param)
    }

    /// 400: a field that this server does not offer.
    pub fn unsupported_parameter(param: &str, message: impl Into<String>) -> Self {
        Self::new(400, INVALID, "unsupported_parameter", message).about(param)
    }

    /// 400: a value that the API knows and this server does not offer.
    pub fn unsupported_value(param: &str, message: impl Into<String>) -> Self {
        Self::new(400, INVALID, "unsupported_value", message).about(param)
    }

    /// 400: a field that must be there is not.
    pub fn missing_parameter(param: &str) -> Self {
        let message = format!("Missing required parameter: '{param}'.");
        Self::new(400, INVALID, "missing_required_parameter", message).about(param)
    }

    /// 400: a field that the API does not have.
    pub fn unknown_parameter(param: &str) -> Self {
        let message =
            format!("Unrecognized request argument: '{param}'. Check its spelling, or leave it out.");
        Self::new(400, INVALID, "unknown_parameter", message).about(param)
    }

    /// 400: the body is not the JSON that the endpoint takes.
    pub fn invalid_body(message: impl Into<String>) -> Self {
        Self { code: None, ..Self::new(400, INVALID, "", message) }
    }

    /// 400: the prompt and one new token do not fit in the model's context.
    pub fn context_length_exceeded(needed: usize, limit: usize) -> Self {
        let message = format!(
            "This model holds {limit} tokens at most, and the request needs {needed}. Shorten the messages or max_completion_tokens."
        );
        Self::new(400, INVALID, "context_length_exceeded", message).about("messages")
    }

    /// 400: the prompt is longer than this server takes.
    pub fn prompt_too_long(found: usize, limit: usize) -> Self {
        let message = format!(
            "This server takes prompts of {limit} tokens at most (its setting max_prompt_tokens), and this one has {found}. Shorten the messages."
        );
        Self::new(400, INVALID, "context_length_exceeded", message).about("messages")
    }

    /// 401: no key, or one that is not known.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, INVALID, "invalid_api_key", message)
    }

    /// 403: a known key that may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "permission_error", "insufficient_permissions", message)
    }

    /// 404: no such model here.
    pub fn model_not_found(model: &str) -> Self {
        let message = format!("The model '{model}' does not exist here. GET /v1/models lists what does.");
        Self::new(404, INVALID, "model_not_found", message).about("model")
    }

    /// 404: nothing in the knowledge base is called so.
    pub fn no_such_passage(param: &str, message: impl Into<String>) -> Self {
        Self::new(404, INVALID, "passage_not_found", message).about(param)
    }

    /// 404: no such path.
    pub fn unknown_url(method: &str, path: &str) -> Self {
        Self::new(404, INVALID, "unknown_url", format!("Unknown request URL: {method} {path}."))
    }

    /// 405: the path exists, the method does not; `allow` are those that do.
    pub fn method_not_allowed(method: &str, path: &str, allow: String) -> Self {
        let message = format!("{path} does not answer {method}, only {allow}.");
        Self { allow: Some(allow.into()), ..Self::new(405, INVALID, "method_not_supported", message) }
    }

    /// 413: the body is larger than this server reads.
    pub fn too_large(limit_bytes: usize) -> Self {
        let message = format!("The request is larger than {limit_bytes} bytes, the most that is read.");
        Self::new(413, INVALID, "request_too_large", message)
    }

    /// 429: too many requests or tokens for now.
    pub fn rate_limited(message: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(429, "rate_limit_error", "rate_limit_exceeded", message).again_after(retry_after)
    }

    /// 429: the quota is used up, and waiting does not help.
    pub fn quota_used_up(message: impl Into<String>) -> Self {
        Self::new(429, "insufficient_quota", "insufficient_quota", message)
    }

    /// 500: a fault of ours. Keep what happened for the log: the message goes out.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { code: None, ..Self::new(500, "server_error", "", message) }
    }

    /// 503: full, starting or draining.
    pub fn overloaded(message: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(503, "server_error", "server_is_overloaded", message).again_after(retry_after)
    }

    /// The envelope as JSON text: a body, or the data of an error event in a stream.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    fn new(status: u16, kind: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            kind,
            param: None,
            code: Some(code),
            retry_after: None,
            allow: None,
        }
    }

    fn about(self, param: &str) -> Self {
        Self { param: Some(param.to_owned()), ..self }
    }

    fn again_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }
}

impl Serialize for ApiError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let error = serde_json::json!({
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        });
        let mut envelope = serializer.serialize_map(Some(1))?;
        envelope.serialize_entry("error", &error)?;
        envelope.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_always_has_its_four_keys() {
        let golden = [
            (
                ApiError::invalid_value("n", "n is 0"),
                r#"{"error":{"message":"n is 0","type":"invalid_request_error","param":"n","code":"invalid_value"}}"#,
            ),
            (
                ApiError::internal("it broke"),
                r#"{"error":{"message":"it broke","type":"server_error","param":null,"code":null}}"#,
            ),
            (
                ApiError::quota_used_up("spent"),
                r#"{"error":{"message":"spent","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            ),
        ];
        for (error, json) in golden {
            assert_eq!(error.to_json(), json);
        }
    }

    #[test]
    fn only_what_may_pass_by_itself_invites_another_try() {
        let wait = Duration::from_secs(2);
        assert_eq!(ApiError::rate_limited("slow down", wait).retry_after, Some(wait));
        assert_eq!(ApiError::overloaded("full", wait).retry_after, Some(wait));
        assert_eq!(ApiError::quota_used_up("spent").retry_after, None);
    }
}
