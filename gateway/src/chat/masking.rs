//! Masks everything a client sent, in place.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::mask::{Kind, Masker};
use crate::openai::chat::Chat;
use crate::telemetry::metrics;
use crate::transcript::Turn;

/// How often each kind was masked.
pub type Found = BTreeMap<Kind, usize>;

/// Masks every text of the request; afterwards no raw one is left in it.
pub fn mask_chat(chat: &mut Chat, masker: &Masker) -> Found {
    let mut found = Found::new();
    let mut mask = |text: &mut String| mask_text(text, masker, &mut found);
    chat.instructions.iter_mut().for_each(&mut mask);
    chat.user.iter_mut().for_each(&mut mask);
    for turn in &mut chat.turns {
        match turn {
            Turn::User(text) => mask(text),
            Turn::Tool { content, .. } => mask(content),
            Turn::Assistant(reply) => {
                mask(&mut reply.reasoning);
                mask(&mut reply.content);
                reply.calls.iter_mut().for_each(|call| mask(&mut call.arguments));
            }
        }
    }
    for tool in &mut chat.tools {
        mask(&mut tool.description);
        tool.parameters.iter_mut().for_each(|schema| mask_values(schema, &mut mask));
    }
    found.iter().for_each(|(kind, count)| (0..*count).for_each(|_| metrics::redaction(kind.as_str(), "in")));
    found
}

/// Every text in a JSON value; its keys are a program's, not a person's. As deep as the parser lets a body be.
fn mask_values(value: &mut Value, mask: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => mask(text),
        Value::Array(items) => items.iter_mut().for_each(|item| mask_values(item, mask)),
        Value::Object(fields) => fields.values_mut().for_each(|field| mask_values(field, mask)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `phone=1,id_card=2`: counts only.
pub fn spelled(found: &Found) -> String {
    let counts = found.iter().map(|(kind, count)| format!("{kind}={count}"));
    counts.collect::<Vec<_>>().join(",")
}

fn mask_text(text: &mut String, masker: &Masker, found: &mut Found) {
    let (masked, spans) = masker.mask_with_spans(text);
    for span in spans.iter().filter(|span| masker.masks(span.kind)) {
        *found.entry(span.kind).or_default() += 1;
    }
    if !spans.is_empty() {
        *text = masked.into_string();
    }
}
