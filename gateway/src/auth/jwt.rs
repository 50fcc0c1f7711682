//! JSON Web Tokens, checked as RFC 8725 asks, clause by clause.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::config::{JwtConfig, JwtKey};

/// A token longer than this is not even parsed.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// What a token says. Doubled members are refused by serde, and so is an issuer that is a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who: counted by limits; never empty.
    pub sub: String,
    /// Scopes, separated by blanks; none: `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Whose data; none: the default tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Issuer.
    pub iss: String,
    /// Audience: a name or a list of names.
    pub aud: serde_json::Value,
    /// The end of its life, in seconds since 1970.
    pub exp: u64,
    /// The start of its life, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// When it was issued, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
}

/// The configured public key is none.
#[derive(Debug, thiserror::Error)]
#[error("jwt_public_key is not a PEM public key of a known kind: {0}")]
pub struct BadKey(jsonwebtoken::errors::Error);

/// One key, one algorithm, one issuer, one audience.
pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

impl Verifier {
    /// What `config` asks for.
    pub fn new(config: &JwtConfig) -> Result<Self, BadKey> {
        let (algorithm, key) = match &config.key {
            JwtKey::Secret(secret) => {
                (Algorithm::HS256, DecodingKey::from_secret(secret.expose_secret().as_bytes()))
            }
            JwtKey::Public(pem) => decoding_key(pem)?,
        };
        // 3.1 and 3.2: the algorithm follows from the key, not from the token; `none` is not among them.
        let mut validation = Validation::new(algorithm);
        // 3.8 and 3.9: issuer, subject and audience must be there and be ours.
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        validation.validate_nbf = true;
        validation.leeway = config.leeway.as_secs();
        Ok(Self { key, validation })
    }

    /// The token's claims, or why it is refused.
    pub fn verify(&self, token: &str) -> Result<Claims, String> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(format!("The token is longer than {TOKEN_BYTES_MAX} bytes."));
        }
        let refuse =
            |error: jsonwebtoken::errors::Error| format!("The token is refused: {}.", reason(error.kind()));
        let token = decode::<Claims>(token, &self.key, &self.validation).map_err(refuse)?;
        check_header(&token.header)?;
        match token.claims.sub.trim() {
            "" => Err("The token is refused: its subject is empty.".to_owned()),
            _ => Ok(token.claims),
        }
    }
}

/// Why, in words for whoever holds the token. What it says is left out: errors are logged.
fn reason(kind: &ErrorKind) -> String {
    let words = match kind {
        ErrorKind::ExpiredSignature => "it has expired ('exp'); get a new one",
        ErrorKind::ImmatureSignature => "it is not valid yet ('nbf'); compare the clocks",
        ErrorKind::InvalidIssuer => "its issuer ('iss') is not the one that this server trusts",
        ErrorKind::InvalidAudience => "it is for another audience ('aud')",
        ErrorKind::InvalidSignature => "its signature does not match this server's key",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
            "its algorithm ('alg') is not the one of this server's key"
        }
        ErrorKind::MissingRequiredClaim(claim) => return format!("it has no '{claim}'"),
        ErrorKind::Json(_) | ErrorKind::Utf8(_) | ErrorKind::Base64(_) => {
            "its header or claims cannot be read: 'sub' and 'iss' are strings, 'exp', 'nbf' and 'iat' whole seconds since 1970"
        }
        _ => "it is not a signed JSON Web Token of three parts",
    };
    words.to_owned()
}

/// 3.10: `kid`, `jku`, `x5u` and `jwk` are never followed: there is one key. 3.11: `typ` keeps other kinds of
/// tokens (an ID token, a logout token) out. 3.6: nothing is unpacked.
fn check_header(header: &Header) -> Result<(), String> {
    let typ = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
    if !["jwt", "at+jwt", "application/at+jwt"].contains(&typ.as_str()) {
        return Err(format!("The token is refused: typ is '{typ}', not 'at+jwt' or 'JWT'."));
    }
    if header.crit.is_some() || header.zip.is_some() || header.enc.is_some() {
        return Err("The token is refused: crit, zip and enc are not taken.".to_owned());
    }
    Ok(())
}

/// The one algorithm that a public key is for; `None`: not a public key in PEM. A private key would verify as well,
/// but has no business on a server that only verifies.
pub fn algorithm_of(pem: &str) -> Option<Algorithm> {
    let public = Some(pem).filter(|pem| !pem.contains("PRIVATE KEY"))?;
    decoding_key(public).ok().map(|(algorithm, _)| algorithm)
}

fn decoding_key(pem: &str) -> Result<(Algorithm, DecodingKey), BadKey> {
    let bytes = pem.as_bytes();
    DecodingKey::from_rsa_pem(bytes)
        .map(|key| (Algorithm::RS256, key))
        .or_else(|_| DecodingKey::from_ec_pem(bytes).map(|key| (Algorithm::ES256, key)))
        .or_else(|_| DecodingKey::from_ed_pem(bytes).map(|key| (Algorithm::EdDSA, key)))
        .map_err(BadKey)
}

/// A token of these claims, signed with HS256.
///
/// # Errors
/// Signing failed.
pub fn issue(claims: &Claims, secret: &SecretString) -> Result<String, jsonwebtoken::errors::Error> {
    let header = Header { typ: Some("at+jwt".to_owned()), ..Header::new(Algorithm::HS256) };
    encode(&header, claims, &EncodingKey::from_secret(secret.expose_secret().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SECRET: &str = "a secret of thirty-two bytes....";

    fn config() -> JwtConfig {
        JwtConfig {
            key: JwtKey::Secret(SECRET.into()),
            issuer: "frontdesk".into(),
            audience: "frontdesk".into(),
            leeway: Duration::from_secs(30),
        }
    }

    fn now() -> u64 {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
    }

    fn claims() -> serde_json::Value {
        serde_json::json!({"sub": "shop", "iss": "frontdesk", "aud": "frontdesk", "exp": now() + 60})
    }

    /// A claim (or, under `header.`, a header member) replaced; null removes it.
    fn verdict(name: &str, value: serde_json::Value) -> Result<Claims, String> {
        let mut claims = claims();
        let mut header = serde_json::json!({"alg": "HS256", "typ": "JWT"});
        let (target, name) = match name.strip_prefix("header.") {
            Some(name) => (&mut header, name),
            None => (&mut claims, name),
        };
        match (value.is_null(), target.as_object_mut()) {
            (true, Some(members)) => drop(members.remove(name)),
            (false, Some(members)) => drop(members.insert(name.to_owned(), value)),
            _ => {}
        }
        let header: Header = serde_json::from_value(header).map_err(|error| error.to_string())?;
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let token = encode(&header, &claims, &key).map_err(|error| error.to_string())?;
        Verifier::new(&config()).unwrap().verify(&token)
    }

    #[test]
    fn a_good_token_opens() {
        assert_eq!(verdict("scope", "chat knowledge".into()).unwrap().sub, "shop");
        assert!(verdict("aud", serde_json::json!(["other", "frontdesk"])).is_ok());
        assert!(verdict("header.typ", "at+jwt".into()).is_ok());
    }

    #[test]
    fn every_clause_closes() {
        let null = serde_json::Value::Null;
        let cases = [
            ("exp", (now() - 100).into()),
            ("exp", null.clone()),
            ("exp", "99999999999".into()),
            ("nbf", (now() + 100).into()),
            ("nbf", "soon".into()),
            ("iss", "somebody".into()),
            ("iss", null.clone()),
            ("iss", serde_json::json!(["frontdesk"])),
            ("aud", "another".into()),
            ("aud", null.clone()),
            ("sub", "".into()),
            ("sub", null),
            ("header.typ", "logout+jwt".into()),
            ("header.crit", serde_json::json!(["exp"])),
            ("header.zip", "DEF".into()),
            ("header.alg", "HS512".into()),
        ];
        for (name, value) in cases {
            assert!(verdict(name, value.clone()).is_err(), "{name} = {value}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let cases = [
            ("exp", (now() - 100).into(), "it has expired ('exp')"),
            ("nbf", (now() + 100).into(), "it is not valid yet ('nbf')"),
            ("iss", "somebody".into(), "its issuer ('iss')"),
            ("aud", "another".into(), "it is for another audience ('aud')"),
            ("sub", serde_json::json!({"name": "张三"}), "its header or claims cannot be read"),
        ];
        for (name, value, words) in cases {
            let refusal = verdict(name, value).unwrap_err();
            assert!(refusal.contains(words) && !refusal.contains("张三"), "{name}: {refusal}");
        }
    }

    #[test]
    fn a_wrong_secret_no_algorithm_and_doubled_members_are_refused() {
        let verifier = Verifier::new(&config()).unwrap();
        let good =
            encode(&Header::default(), &claims(), &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
        assert!(verifier.verify(&good).is_ok());
        let forged = encode(&Header::default(), &claims(), &EncodingKey::from_secret(b"other")).unwrap();
        assert!(verifier.verify(&forged).is_err());
        // {"alg":"none","typ":"JWT"} and no signature.
        let payload = good.split('.').nth(1).unwrap();
        assert!(verifier.verify(&format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.")).is_err());
        assert!(verifier.verify(&"a".repeat(TOKEN_BYTES_MAX + 1)).is_err());
        assert_eq!(
            verifier.verify("a.b").unwrap_err(),
            "The token is refused: it is not a signed JSON Web Token of three parts."
        );
        let doubled = r#"{"sub":"a","sub":"b","iss":"i","aud":"a","exp":1}"#;
        assert!(serde_json::from_str::<Claims>(doubled).unwrap_err().to_string().contains("duplicate"));
    }

    #[test]
    fn issued_tokens_verify() {
        let claims: Claims = serde_json::from_value(claims()).unwrap();
        let token = issue(&claims, &SECRET.into()).unwrap();
        assert_eq!(Verifier::new(&config()).unwrap().verify(&token).unwrap(), claims);
    }

    /// Key pairs made for this test alone.
    const PAIRS: [(Algorithm, &str, &str); 3] = [
        (Algorithm::RS256, include_str!("keys/rsa.pem"), include_str!("keys/rsa.pub.pem")),
        (Algorithm::ES256, include_str!("keys/ec.pem"), include_str!("keys/ec.pub.pem")),
        (Algorithm::EdDSA, include_str!("keys/ed.pem"), include_str!("keys/ed.pub.pem")),
    ];

    fn signing_key(algorithm: Algorithm, pem: &str) -> EncodingKey {
        let pem = pem.as_bytes();
        match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(pem).unwrap(),
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem).unwrap(),
            _ => EncodingKey::from_ed_pem(pem).unwrap(),
        }
    }

    #[test]
    fn a_public_key_takes_its_own_algorithm_and_no_other() {
        for (algorithm, private, public) in PAIRS {
            assert_eq!(algorithm_of(public), Some(algorithm));
            let verifier =
                Verifier::new(&JwtConfig { key: JwtKey::Public(public.into()), ..config() }).unwrap();
            for (other, other_private, _) in PAIRS {
                let key = signing_key(other, other_private);
                let token = encode(&Header::new(other), &claims(), &key).unwrap();
                assert_eq!(verifier.verify(&token).is_ok(), other == algorithm, "{other:?} at {algorithm:?}");
            }
            // The classic: the public key, which everybody has, taken for an HMAC secret.
            let confused = EncodingKey::from_secret(public.as_bytes());
            let token = encode(&Header::new(Algorithm::HS256), &claims(), &confused).unwrap();
            assert!(verifier.verify(&token).is_err());
            assert_eq!(algorithm_of(private), None, "a private key is no public key");
        }
    }

    #[test]
    fn a_pem_that_is_no_public_key_is_no_key() {
        assert_eq!(algorithm_of("nonsense"), None);
    }
}
