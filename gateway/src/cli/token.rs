//! `frontdesk token`: a JSON Web Token for a client of this server.

use anyhow::Context;

use super::say;
use crate::auth::{Claims, SCOPES, issue, signing_secret};
use crate::config::Config;

/// Whose token.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  export FRONTDESK_JWT_SECRET=$(openssl rand -hex 32)
  frontdesk token --sub web-shop --scope chat --ttl 3600")]
pub struct Token {
    /// The subject: who uses it; limits count by it
    #[arg(long)]
    sub: String,
    /// What it may do, separated by blanks: chat, knowledge
    #[arg(long, default_value = "chat")]
    scope: String,
    /// The tenant: whose answers are cached and logged together
    #[arg(long)]
    tenant: Option<String>,
    /// Seconds until it expires
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    ttl: u64,
}

/// Prints it.
pub fn run(config: &Config, token: &Token) -> anyhow::Result<()> {
    let secret = signing_secret(&config.access).context(
        "no jwt_secret is configured: set FRONTDESK_JWT_SECRET (at least 32 bytes). Tokens for a public key are issued by its owner",
    )?;
    let jwt = config.access.jwt.as_ref().context("no jwt_secret is configured")?;
    anyhow::ensure!(!token.sub.trim().is_empty(), "--sub must not be empty");
    check(&token.scope)?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let claims = Claims {
        sub: token.sub.clone(),
        scope: Some(token.scope.clone()),
        tenant: token.tenant.clone(),
        iss: jwt.issuer.clone(),
        aud: jwt.audience.clone().into(),
        exp: now + token.ttl,
        nbf: None,
        iat: Some(now),
    };
    say::line(&issue(&claims, secret)?);
    Ok(())
}

/// A token with a misspelt scope, or none, would open nothing, and nobody would know why.
fn check(scope: &str) -> anyhow::Result<()> {
    let unknown = scope.split_whitespace().find(|scope| !SCOPES.contains(scope));
    let known = SCOPES.join(", ");
    anyhow::ensure!(
        unknown.is_none(),
        "--scope {}: there is no such scope, only {known}",
        unknown.unwrap_or_default()
    );
    anyhow::ensure!(!scope.trim().is_empty(), "--scope must name at least one of {known}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_scopes_are_issued() {
        assert!(check("chat").is_ok() && check(" knowledge  chat ").is_ok());
        for wrong in ["foo", "chat foo", "", " ", "chat,knowledge"] {
            assert!(check(wrong).unwrap_err().to_string().contains("chat, knowledge"), "{wrong}");
        }
    }
}
