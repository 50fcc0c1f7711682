//! `GET /v1/models`.

use serde::Serialize;

/// The list of models.
#[derive(Debug, Clone, Serialize)]
pub struct ModelList {
    object: &'static str,
    /// The models.
    pub data: Vec<Model>,
}

impl ModelList {
    /// A list of these models.
    pub fn new(data: Vec<Model>) -> Self {
        Self { object: "list", data }
    }
}

/// One model.
#[derive(Debug, Clone, Serialize)]
pub struct Model {
    /// The name to ask for.
    pub id: String,
    object: &'static str,
    /// Unix seconds.
    pub created: u64,
    /// Who offers it.
    pub owned_by: &'static str,
}

impl Model {
    /// A model of ours, there since `created` (Unix seconds).
    pub fn new(id: impl Into<String>, created: u64) -> Self {
        Self { id: id.into(), object: "model", created, owned_by: "frontdesk" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let list = ModelList::new(vec![Model::new("frontdesk-demo", 7)]);
        let json = r#"{"object":"list","data":[{"id":"frontdesk-demo","object":"model","created":7,"owned_by":"frontdesk"}]}"#;
        assert_eq!(serde_json::to_string(&list).unwrap(), json);
    }
}
