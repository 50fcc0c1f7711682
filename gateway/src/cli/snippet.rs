//! Lines to paste: a first question to the running server, with curl and with Python.

use std::net::SocketAddr;

const QUESTION: &str = "收到货后多久可以退货？";

/// A server to ask.
pub struct Snippet<'a> {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its model.
    pub model: &'a str,
    /// What opens it.
    pub key: Key<'a>,
}

/// How the lines get a key.
#[derive(Clone, Copy)]
pub enum Key<'a> {
    /// The development key, which may be printed.
    Development(&'a str),
    /// A configured key, which may not: it is in the environment.
    Configured,
    /// A token that this program issues.
    Issued,
    /// A token that somebody else issues.
    Foreign,
}

impl Key<'_> {
    fn in_shell(&self) -> &str {
        match self {
            Self::Development(key) => key,
            Self::Configured => "$FRONTDESK_API_KEY",
            Self::Issued => "$(frontdesk token --sub me)",
            Self::Foreign => "YOUR_TOKEN",
        }
    }

    /// The line before the others, and the expression.
    fn in_python(&self) -> (&'static str, String) {
        match self {
            Self::Development(key) => ("", format!("\"{key}\"")),
            Self::Configured => ("import os\n", "os.environ[\"FRONTDESK_API_KEY\"]".to_owned()),
            Self::Issued => (
                "import subprocess\n",
                "subprocess.check_output([\"frontdesk\", \"token\", \"--sub\", \"me\"], text=True).strip()"
                    .to_owned(),
            ),
            Self::Foreign => ("", "\"YOUR_TOKEN\"".to_owned()),
        }
    }
}

impl Snippet<'_> {
    /// With curl.
    pub fn curl(&self) -> String {
        let key = self.key.in_shell();
        let Self { address, model, .. } = self;
        format!(
            "curl -N http://{address}/v1/chat/completions \\\n  -H \"Authorization: Bearer {key}\" \\\n  \
             -H \"Content-Type: application/json\" \\\n  \
             -d '{{\"model\": \"{model}\", \"stream\": true, \"messages\": [{{\"role\": \"user\", \"content\": \"{QUESTION}\"}}]}}'"
        )
    }

    /// With Python and OpenAI's own package.
    pub fn python(&self) -> String {
        let (import, key) = self.key.in_python();
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
    fn the_lines_have_a_key_that_exists_and_never_a_configured_one() {
        let address: SocketAddr = "127.0.0.1:6006".parse().unwrap();
        let lines = |key: Key<'static>| {
            let snippet = Snippet { address, model: "m", key };
            (snippet.curl(), snippet.python())
        };
        for (key, shell, python) in [
            (Key::Development("fd-dev-1"), "Bearer fd-dev-1\"", "api_key=\"fd-dev-1\""),
            (Key::Configured, "Bearer $FRONTDESK_API_KEY\"", "os.environ[\"FRONTDESK_API_KEY\"]"),
            (Key::Issued, "Bearer $(frontdesk token --sub me)\"", "import subprocess"),
            (Key::Foreign, "Bearer YOUR_TOKEN\"", "api_key=\"YOUR_TOKEN\""),
        ] {
            let (curl, script) = lines(key);
            assert!(curl.contains(shell) && script.contains(python), "{curl}\n{script}");
        }
    }
}
