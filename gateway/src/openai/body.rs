//! A JSON body to a typed value; what is wrong with it becomes a 400 that names the field.

use std::collections::BTreeMap;
use std::fmt::{self, Formatter};
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor, value};
use serde::{Deserialize, de};

use super::ApiError;

/// Reads a body.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        explain(&path, error.inner())
    })?;
    json.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

/// Serde's words, as `invalid type: string "x", expected f32 at line 1 column 9`, in those of the API.
/// The offending value is left out: it may be personal, and errors are logged.
fn explain(path: &str, error: &serde_json::Error) -> ApiError {
    let words = error.to_string();
    if !error.is_data() {
        return not_json(error);
    }
    let quoted = words.split('`').nth(1).unwrap_or_default();
    if words.starts_with("missing field") {
        ApiError::missing_parameter(&join(path, quoted))
    } else if words.starts_with("unknown field") {
        ApiError::unknown_parameter(&join(path, quoted))
    } else if words.starts_with("duplicate field") {
        let param = join(path, quoted);
        ApiError::invalid_value(&param, format!("'{param}' is there twice."))
    } else if path == "." {
        ApiError::invalid_body("The body must be a JSON object.")
    } else {
        let message = format!("Invalid value for '{path}': expected {}.", expected(&words));
        ApiError::invalid_value(path, message)
    }
}

fn not_json(error: &serde_json::Error) -> ApiError {
    let (line, column, words) = (error.line(), error.column(), error.to_string());
    let what = if words.starts_with("recursion limit exceeded") {
        "is nested more than 127 levels deep"
    } else if words.starts_with("number out of range") {
        "holds a number that is too large"
    } else {
        "is not valid JSON"
    };
    ApiError::invalid_body(format!("The body {what} at line {line}, column {column}."))
}

/// The path of a field of the object at `path`.
fn join(path: &str, field: &str) -> String {
    if path == "." {
        field.to_owned()
    } else if path == field || path.ends_with(&format!(".{field}")) {
        path.to_owned()
    } else {
        format!("{path}.{field}")
    }
}

/// What serde expected, in words for people who do not write Rust.
fn expected(words: &str) -> &str {
    let kind = words.rsplit_once("expected ").map_or("another value", |(_, kind)| kind);
    let kind = kind.split_once(" at line ").map_or(kind, |(kind, _)| kind);
    match kind {
        "f32" => "a number",
        "u32" | "u64" | "usize" => "an integer that is not negative",
        "u8" => "an integer from 0 to 255",
        "i64" => "a 64-bit integer",
        "a sequence" => "an array",
        "a map" => "an object",
        kind if kind.starts_with("struct ") => "an object",
        kind => kind,
    }
}

/// An object with free keys. A key that is there twice is an error, as for fields.
#[derive(Debug, Clone)]
pub struct Entries<V>(pub BTreeMap<String, V>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for EntriesVisitor<V> {
    type Value = Entries<V>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut found: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((key, value)) = found.next_entry::<String, V>()? {
            if entries.contains_key(&key) {
                return Err(de::Error::custom(format!("duplicate field `{key}`")));
            }
            entries.insert(key, value);
        }
        Ok(Entries(entries))
    }
}

/// A string, or a structure in its place.
#[derive(Debug, Clone, PartialEq)]
pub enum TextOr<T> {
    /// A string.
    Text(String),
    /// The structure.
    Other(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrVisitor(PhantomData))
    }
}

/// By hand, because `#[serde(untagged)]` would lose the path of an error inside.
struct TextOrVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TextOrVisitor<T> {
    type Value = TextOr<T>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a string or what may stand in its place")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(TextOr::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        T::deserialize(value::SeqAccessDeserializer::new(items)).map(TextOr::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        T::deserialize(value::MapAccessDeserializer::new(entries)).map(TextOr::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its errors are looked at")]
    struct Outer {
        inner: Vec<Inner>,
        word: Option<TextOr<Vec<Inner>>>,
        free: Option<Entries<f32>>,
        any: Option<serde_json::Value>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its errors are looked at")]
    struct Inner {
        number: f32,
    }

    #[test]
    fn an_error_names_the_field_and_not_its_value() {
        let cases = [
            (r#"{}"#, Some("inner"), "Missing required parameter: 'inner'."),
            (r#"{"inner":[{}]}"#, Some("inner[0].number"), "Missing required parameter: 'inner[0].number'."),
            (
                r#"{"inner":[{"number":"13800138000"}]}"#,
                Some("inner[0].number"),
                "Invalid value for 'inner[0].number': expected a number.",
            ),
            (
                r#"{"inner":[{"number":1,"x":2}]}"#,
                Some("inner[0].x"),
                "Unrecognized request argument: 'inner[0].x'",
            ),
            (r#"{"inner":[],"inner":[]}"#, Some("inner"), "'inner' is there twice."),
            (r#"{"inner":{}}"#, Some("inner"), "expected an array"),
            (r#"{"inner":[1]}"#, Some("inner[0]"), "expected an object"),
            (r#"{"inner":[],"word":[{"number":[]}]}"#, Some("word[0].number"), "expected a number"),
            (r#"{"inner":[],"word":3}"#, Some("word"), "expected a string or what"),
            (r#"{"inner":[],"free":{"a":1,"a":2}}"#, Some("free.a"), "'free.a' is there twice."),
            (r#"{"inner":[],"free":{"a":"b"}}"#, Some("free.a"), "expected a number"),
            (r#"{"inner":[],"free":[]}"#, Some("free"), "expected an object"),
            (r#"[]"#, None, "must be a JSON object"),
            (r#"3"#, None, "must be a JSON object"),
            (r#"{"inner":[]"#, None, "not valid JSON at line 1, column 11"),
            (r#"{"inner":[]} x"#, None, "not valid JSON at line 1"),
            ("", None, "not valid JSON"),
            ("{\"inner\":[],\"\u{1}\":0}", None, "not valid JSON"),
            (r#"{"inner":[{"number":1e999}]}"#, None, "holds a number that is too large at line 1"),
            (
                &format!(r#"{{"inner":[],"any":{}"#, "[".repeat(200)),
                None,
                "nested more than 127 levels deep at line 1",
            ),
        ];
        for (body, param, message) in cases {
            let error = read::<Outer>(body.as_bytes()).unwrap_err();
            assert_eq!(error.status, 400, "{body}");
            assert_eq!(error.param.as_deref(), param, "{body}: {error}");
            assert!(error.message.contains(message), "{body}: {error}");
            assert!(!error.message.contains("138"), "{error}");
        }
    }
}
