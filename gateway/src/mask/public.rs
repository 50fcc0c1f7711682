//! What the shop itself publishes: the numbers and addresses in its knowledge base are there to be told.

use std::collections::HashSet;

use super::glyph::fold;
use super::kind::Kind;
use super::{Masker, Span};

/// Identifiers that an answer may show, because the passages it was made from show them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Public(HashSet<String>);

impl Public {
    /// Every identifier in these texts. A secret is never public.
    pub fn of<'a>(masker: &Masker, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let found = texts.into_iter().flat_map(|text| {
            let spans = masker.scan(text).into_iter().filter(|span| span.kind != Kind::Secret);
            spans.map(|span| bare(characters(text, span))).collect::<Vec<_>>()
        });
        Self(found.collect())
    }

    /// Whether a part of a text is one of them, however it is spaced.
    pub fn holds(&self, text: &str, span: Span) -> bool {
        self.shows(span.kind, characters(text, span))
    }

    pub(super) fn shows(&self, kind: Kind, text: impl Iterator<Item = char>) -> bool {
        kind != Kind::Secret && !self.0.is_empty() && self.0.contains(&bare(text))
    }
}

fn characters(text: &str, span: Span) -> impl Iterator<Item = char> {
    text.chars().skip(span.start).take(span.end - span.start)
}

/// Without separators, so that `0571-8800 0132` and `057188000132` are one number.
fn bare(text: impl Iterator<Item = char>) -> String {
    let kept = text.map(fold).filter(|c| c.is_alphanumeric() || matches!(c, '@' | '.'));
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(passage: &str, answer: &str) -> String {
        let masker = Masker::default();
        let mut stream = masker.stream_showing(Public::of(&masker, [passage]).into());
        let mut out = stream.push(answer);
        out.append(&stream.finish());
        out.into_string()
    }

    #[test]
    fn what_a_passage_says_may_be_said_and_nothing_else() {
        let passage = "门店电话0571-88000132，投诉写信到care@shop.example。";
        assert_eq!(shown(passage, "请拨打 0571-88000132。"), "请拨打 0571-88000132。");
        assert_eq!(shown(passage, "Write to Care@shop.example!"), "Write to Care@shop.example!");
        assert_eq!(shown(passage, "我的是13812345678。"), "我的是138****5678。");
        assert_eq!(shown("无", "0571-88000132"), Masker::default().mask("0571-88000132").into_string());
    }

    #[test]
    fn a_secret_is_never_public() {
        let secret = "sk-abcdefghijklmnopqrstuvwxyz123456";
        assert!(!shown(secret, secret).contains("abcdef"));
    }
}
