//! Lines to paste: a first question to the running server, with curl and with Python.

use std::net::SocketAddr;

const QUESTION: &str = "收到货后多久可以退货？";

/// A server to ask.
pub struct Snippet<'a> {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its model.
    pub model: &'a str,
    /// A key to print; `None`: one that is configured, which is never printed.
    pub key: Option<&'a str>,
}

impl Snippet<'_> {
    /// With curl.
    pub fn curl(&self) -> String {
        let key = self.key.unwrap_or("$FRONTDESK_API_KEY");
        let Self { address, model, .. } = self;
        format!(
            "curl -N http://{address}/v1/chat/completions \\\n  -H \"Authorization: Bearer {key}\" \\\n  \
             -H \"Content-Type: application/json\" \\\n  \
             -d '{{\"model\": \"{model}\", \"stream\": true, \"messages\": [{{\"role\": \"user\", \"content\": \"{QUESTION}\"}}]}}'"
        )
    }

    /// With Python and OpenAI's own package.
    pub fn python(&self) -> String {
        let key = self.key.map_or("os.environ[\"FRONTDESK_API_KEY\"]".to_owned(), |key| format!("\"{key}\""));
        let import = if self.key.is_none() { "import os\n" } else { "" };
        let Self { address, model, .. } = self;
        format!(
            "{import}from openai import OpenAI  # pip install openai\n\
             client = OpenAI(base_url=\"http://{address}/v1\", api_key={key})\n\
             stream = client.chat.completions.create(\n    model=\"{model}\", stream=True,\n    \
             messages=[{{\"role\": \"user\", \"content\": \"{QUESTION}\"}}])\n\
             for chunk in stream:\n    \
             print(chunk.choices[0].delta.content or \"\" if chunk.choices else \"\", end=\"\", flush=True)\n\
             print()"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_key_is_not_printed() {
        let address: SocketAddr = "127.0.0.1:6006".parse().unwrap();
        let configured = Snippet { address, model: "m", key: None };
        assert!(configured.curl().contains("Bearer $FRONTDESK_API_KEY"));
        assert!(configured.python().contains("os.environ"));
        let development = Snippet { key: Some("fd-dev-1"), ..configured };
        assert!(development.curl().contains("Bearer fd-dev-1"));
        assert!(development.python().contains("api_key=\"fd-dev-1\""));
    }
}
