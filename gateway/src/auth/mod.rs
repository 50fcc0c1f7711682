//! Who is asking: an API key or a JWT, and what they may do.

mod development;
mod jwt;
mod key;

use http::HeaderMap;
use http::header::AUTHORIZATION;

pub use development::development_key;
pub use jwt::{Claims, algorithm_of, issue};

use crate::config::{AccessConfig, JwtKey};
use crate::openai::ApiError;
use jwt::Verifier;
use key::KeyHash;

/// What a token may allow.
pub const SCOPES: [&str; 2] = ["chat", "knowledge"];

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What limits are counted by: `key`, or the tenant and subject of a JWT.
    pub id: String,
    /// Whose answers these are: no answer ever crosses tenants.
    pub tenant: String,
    /// What they may do; `None`: everything (an API key).
    scopes: Option<Vec<String>>,
}

impl Caller {
    /// The holder of an API key.
    pub fn with_every_scope(id: &str) -> Self {
        Self { id: id.to_owned(), tenant: DEFAULT_TENANT.to_owned(), scopes: None }
    }

    /// Refuses (403) a caller without this scope.
    pub fn require(&self, scope: &str) -> Result<(), ApiError> {
        match &self.scopes {
            Some(scopes) if !scopes.iter().any(|have| have == scope) => {
                Err(ApiError::forbidden(format!("This token lacks the scope '{scope}'.")))
            }
            _ => Ok(()),
        }
    }
}

/// The tenant of an API key, and of JWTs that name none.
const DEFAULT_TENANT: &str = "default";

/// What opens the door. Keys are held as hashes; a JWT's key inside its verifier.
pub struct Access {
    key: Option<KeyHash>,
    jwt: Option<Verifier>,
}

impl Access {
    /// The configured ways in, or `development_key` when none is configured.
    ///
    /// # Errors
    /// A public key that is none.
    pub fn new(config: &AccessConfig, development_key: Option<&str>) -> Result<Self, jwt::BadKey> {
        use secrecy::ExposeSecret;
        let configured = config.api_key.as_ref().map(|key| KeyHash::of(key.expose_secret()));
        let jwt = config.jwt.as_ref().map(Verifier::new).transpose()?;
        Ok(Self { key: configured.or_else(|| development_key.map(KeyHash::of)), jwt })
    }

    /// Who sends these headers.
    ///
    /// # Errors
    /// 401 with what is missing or wrong, never with the key.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let token = bearer(headers)?;
        if self.key.as_ref().is_some_and(|key| key.matches(token)) {
            return Ok(Caller::with_every_scope("key"));
        }
        match &self.jwt {
            Some(verifier) if looks_like_jwt(token) => {
                verifier.verify(token).map(Caller::from).map_err(ApiError::unauthorized)
            }
            _ => Err(ApiError::unauthorized("Incorrect API key provided.")),
        }
    }
}

impl From<Claims> for Caller {
    fn from(claims: Claims) -> Self {
        // Without a scope a token may chat, which is what tokens are mostly for.
        let scopes = claims.scope.as_deref().unwrap_or("chat").split_whitespace().map(str::to_owned);
        let scopes = Some(scopes.collect());
        let tenant = claims.tenant.unwrap_or_else(|| DEFAULT_TENANT.to_owned());
        Self { id: format!("sub:{tenant}/{}", claims.sub), tenant, scopes }
    }
}

/// Whether tokens can be issued with this configuration, and the secret if so.
pub fn signing_secret(config: &AccessConfig) -> Option<&secrecy::SecretString> {
    match config.jwt.as_ref().map(|jwt| &jwt.key) {
        Some(JwtKey::Secret(secret)) => Some(secret),
        _ => None,
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Err(ApiError::unauthorized(
            "You didn't provide an API key. Send it in the header 'Authorization: Bearer KEY'.",
        ));
    };
    let token = value.to_str().ok().and_then(|text| text.split_once(' '));
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(ApiError::unauthorized("The Authorization header must read 'Bearer KEY'.")),
    }
}

fn looks_like_jwt(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(authorization: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization.parse().unwrap());
        headers
    }

    #[test]
    fn a_key_opens_and_another_does_not() {
        let config = AccessConfig { api_key: Some("the-right-key".into()), jwt: None };
        let access = Access::new(&config, None).unwrap();
        assert_eq!(access.authenticate(&headers("bearer the-right-key")).unwrap().tenant, "default");
        for wrong in
            ["Bearer the-wrong-key", "Bearer ", "Basic the-right-key", "the-right-key", "Bearer a.b.c"]
        {
            assert_eq!(access.authenticate(&headers(wrong)).unwrap_err().status, 401, "{wrong}");
        }
        assert_eq!(access.authenticate(&HeaderMap::new()).unwrap_err().status, 401);
    }

    #[test]
    fn a_configured_key_replaces_the_development_key() {
        let config = AccessConfig { api_key: Some("the-right-key".into()), jwt: None };
        let access = Access::new(&config, Some("development")).unwrap();
        assert!(access.authenticate(&headers("Bearer development")).is_err());
        let open = Access::new(&AccessConfig { api_key: None, jwt: None }, Some("development")).unwrap();
        assert!(open.authenticate(&headers("Bearer development")).is_ok());
    }
}
