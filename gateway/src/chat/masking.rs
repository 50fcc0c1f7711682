//! Masks everything a client sent, in place.

use std::collections::BTreeMap;

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
    found.iter().for_each(|(kind, count)| (0..*count).for_each(|_| metrics::redaction(kind.as_str(), "in")));
    found
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
