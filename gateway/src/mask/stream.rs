//! Masks text piece by piece: holds back only what may still become or extend an identifier.
//!
//! Masking a whole text *is* pushing it once and finishing, so the two cannot differ: every decision is a
//! function of the characters seen so far in one stretch, never of where a push ended. A stretch is a run of
//! characters that identifiers are made of; any other character ends it, is passed on at once and is
//! remembered only as context.

use super::context::Context;
use super::detect::{Glyph, Match, PEM_BEGIN, Stretch, find};
use super::glyph::{INVISIBLE, fold, spoken};
use super::kind::{Kind, Policy, Span};
use super::public::Public;
use super::redact::redact;
use super::swallow::{Swallow, Taken};
use super::{Masked, label};
use std::sync::Arc;

/// The most characters ever held back. A longer stretch is settled by halves: what begins in its first half
/// is decided with the second half in view, which is longer than any identifier (an e-mail address: 254).
pub const HELD_MAX: usize = 640;

/// Masks one text given in pieces.
#[derive(Debug, Clone)]
pub struct StreamMasker {
    policy: Policy,
    /// Left readable though the policy masks it.
    public: Arc<Public>,
    held: Vec<Held>,
    /// The value after a label (a name, an address) that is being held, if one is.
    value: Option<Kind>,
    /// What is fed next was held as a value and is none.
    no_value: bool,
    swallow: Option<Swallow>,
    context: Context,
    /// Characters of the input settled so far.
    settled: usize,
    /// The stretch goes on from one that was settled by half, inside a word.
    glued: bool,
    spans: Vec<Span>,
    /// Spans are kept only for who asks: a stream may be endless.
    keep_spans: bool,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    raw: char,
    folded: char,
}

impl StreamMasker {
    pub(super) fn new(policy: Policy, keep_spans: bool) -> Self {
        Self {
            policy,
            public: Arc::default(),
            held: Vec::new(),
            value: None,
            no_value: false,
            swallow: None,
            context: Context::default(),
            settled: 0,
            glued: false,
            spans: Vec::new(),
            keep_spans,
        }
    }

    pub(super) fn showing(self, public: Arc<Public>) -> Self {
        Self { public, ..self }
    }

    /// Takes the next piece and returns what can be shown of the text so far.
    pub fn push(&mut self, piece: &str) -> Masked {
        let mut out = String::with_capacity(piece.len());
        piece.chars().for_each(|c| self.feed(c, &mut out));
        Masked(out)
    }

    /// Ends the text and returns the rest of it.
    pub fn finish(mut self) -> Masked {
        self.end().0
    }

    /// Characters held back now, never more than [`HELD_MAX`].
    pub fn held(&self) -> usize {
        self.held.len()
    }

    pub(super) fn end(&mut self) -> (Masked, Vec<Span>) {
        let mut out = String::new();
        while !self.held.is_empty() {
            self.settle(None, &mut out);
        }
        (Masked(out), std::mem::take(&mut self.spans))
    }

    fn feed(&mut self, raw: char, out: &mut String) {
        let next = Held { raw, folded: fold(raw) };
        if self.swallow.is_some() && self.swallowed(next, out) {
            return;
        }
        if self.held.is_empty() {
            return self.begin(next, out);
        }
        if self.links(next.folded) {
            self.held.push(next);
            if self.held.len() >= HELD_MAX {
                self.settle_half(out);
            }
            return;
        }
        self.settle(Some(next.folded), out);
        // A secret may have begun inside the stretch, so the character starts afresh.
        self.feed(raw, out);
    }

    fn begin(&mut self, first: Held, out: &mut String) {
        let refuted = std::mem::take(&mut self.no_value);
        self.value = label::value_kind(&self.context, first.folded).filter(|_| !refuted);
        if self.value.is_some() || starts_stretch(first.folded) {
            self.held.push(first);
        } else {
            self.pass(first, out);
            self.glued = false;
        }
    }

    /// Whether `next` belongs to the stretch in hand.
    fn links(&self, next: char) -> bool {
        if let Some(kind) = self.value {
            return label::extends(kind, self.held[0].folded, self.held.len(), next);
        }
        let mut back = self.held.iter().rev().map(|held| held.folded).filter(|c| *c != INVISIBLE);
        let Some(last) = back.next() else { return false };
        match next {
            INVISIBLE => true,
            // Only what stands after 元 tells a price from New Year's Day.
            _ if last == '元' => false,
            '元' => digit_like(last),
            // Spoken numbers are written with pauses.
            ',' | '、' => digit_like(last),
            _ if matches!(last, ',' | '、') => spoken(next).is_some(),
            '。' => last.is_ascii_alphanumeric() && self.held.iter().any(|held| held.folded == '@'),
            ' ' if self.in_pem_label() => true,
            ' ' | '(' | ')' => {
                let bridged = bridge(last) || (last == '-' && self.bridged_digits());
                digit_like(last) || self.plate_letter() || (bridged && self.bridge_length() < 3)
            }
            '-' if bridge(last) => self.bridge_length() < 3,
            _ if bridge(last) => {
                digit_like(next)
                    || matches!(next, 'x' | 'X')
                    || (self.in_pem_label() && next.is_ascii())
                    || self.plate_letter()
            }
            _ => starts_stretch(next) || matches!(next, '*' | '·'),
        }
    }

    fn bridge_length(&self) -> usize {
        self.held
            .iter()
            .rev()
            .take_while(|held| bridge(held.folded) || matches!(held.folded, '-' | INVISIBLE))
            .count()
    }

    /// A digit stands before the spaces and hyphens at the end, as in `138 - `.
    fn bridged_digits(&self) -> bool {
        let before = self.held.len() - self.bridge_length();
        self.held[..before].last().is_some_and(|held| digit_like(held.folded))
    }

    /// The first letter of a plate, which a space may follow, or that letter and the space.
    fn plate_letter(&self) -> bool {
        let [letter, rest @ ..] = self.held.as_slice() else { return false };
        letter.folded.is_ascii_alphabetic()
            && rest.iter().map(|held| held.folded).eq(std::iter::repeat_n(' ', rest.len().min(1)))
            && self.context.province().is_some()
    }

    fn in_pem_label(&self) -> bool {
        let mut visible = self.held.iter().map(|held| held.folded).filter(|c| *c != INVISIBLE);
        PEM_BEGIN.chars().all(|c| visible.next() == Some(c))
    }

    /// Decides the whole stretch; `after` is the character that ended it.
    fn settle(&mut self, after: Option<char>, out: &mut String) {
        let held = std::mem::take(&mut self.held);
        let end = match self.value.take() {
            Some(kind) => self.settle_value(kind, &held, after, out),
            None => {
                let matches = self.find(&held, after, false);
                let end = self.write(&held, &matches, held.len(), out);
                self.remember(&held[..end]);
                end
            }
        };
        self.glued = false;
        held[end..].iter().for_each(|rest| self.feed(rest.raw, out));
    }

    /// Masks a name or an address, or leaves what was held to the other detectors.
    fn settle_value(&mut self, kind: Kind, held: &[Held], after: Option<char>, out: &mut String) -> usize {
        let mut text: Vec<char> = held.iter().map(|held| held.folded).collect();
        // What a star cuts short is the head of a masked identifier, and no house number.
        while after == Some('*') && text.last().is_some_and(label::signs) {
            text.pop();
        }
        let Some(found) = label::find(kind, &text) else {
            self.no_value = true;
            return 0;
        };
        let end = self.write(held, &[found], 0, out);
        // Letters and digits count as the stretch that they are when the masked text is read again.
        let masked: Vec<char> = redact(kind, &text[..end]).chars().collect();
        let latin = masked.iter().take_while(|c| c.is_ascii_alphanumeric() || **c == '*').count();
        let latin = if masked.first() == Some(&'*') { 0 } else { latin };
        self.context.push_stretch(masked[..latin].iter().copied());
        masked[latin..].iter().for_each(|c| self.context.push(*c));
        end
    }

    /// Decides the first half of a stretch that has grown to `HELD_MAX`, and keeps the second.
    fn settle_half(&mut self, out: &mut String) {
        let held = std::mem::take(&mut self.held);
        let mut matches = self.find(&held, None, true);
        let (half, glyphs) = (HELD_MAX / 2, glyphs(&held));
        matches.retain(|found| glyphs[found.start].place < half);
        let end = self.write(&held, &matches, half, out);
        self.remember(&held[..end]);
        self.glued = held[end - 1].folded.is_ascii_alphanumeric();
        if self.swallow.is_some() {
            return held[end..].iter().for_each(|rest| self.feed(rest.raw, out));
        }
        self.held = held[end..].to_vec();
    }

    fn find(&self, held: &[Held], after: Option<char>, cut: bool) -> Vec<Match> {
        let glyphs = glyphs(held);
        let matches =
            find(&Stretch { glyphs: &glyphs, before: &self.context, after, cut, glued: self.glued });
        matches.into_iter().filter(|found| found.start < found.end).collect()
    }

    /// Writes the held characters up to `limit`, or to the end of a match that begins before it, or to the
    /// end of a secret; returns how many.
    fn write(&mut self, held: &[Held], matches: &[Match], limit: usize, out: &mut String) -> usize {
        let glyphs = glyphs(held);
        let mut at = 0;
        for found in matches {
            let (start, end) = (glyphs[found.start].place, glyphs[found.end - 1].place + 1);
            out.extend(held[at..start].iter().map(|held| held.raw));
            self.write_match(found, &held[start..end], &glyphs[found.start..found.end], start, out);
            at = end;
            if self.swallow.is_some() {
                self.settled += at;
                return at;
            }
        }
        let end = at.max(limit);
        out.extend(held[at..end].iter().map(|held| held.raw));
        self.settled += end;
        end
    }

    fn write_match(&mut self, found: &Match, held: &[Held], glyphs: &[Glyph], at: usize, out: &mut String) {
        let start = self.settled + at;
        let span =
            Span { kind: found.kind, start: start - found.back, end: start + held.len() + found.beyond };
        if self.keep_spans {
            self.spans.push(span);
        }
        let text: Vec<char> = glyphs.iter().map(|glyph| glyph.c).collect();
        let public = self.public.shows(found.kind, held.iter().map(|held| held.raw));
        if self.policy.masks(found.kind) && !public {
            out.push_str(&redact(found.kind, &text));
        } else {
            out.extend(held.iter().map(|held| held.raw));
        }
        if found.kind == Kind::Secret {
            self.swallow = Some(Swallow::after(&text));
        }
    }

    /// Offers `next` to the secret in progress; true if it was part of it.
    fn swallowed(&mut self, next: Held, out: &mut String) -> bool {
        let Some(swallow) = self.swallow.as_mut() else { return false };
        let taken = if next.folded == INVISIBLE { Taken::More } else { swallow.take(next.folded) };
        if taken != Taken::More {
            self.swallow = None;
        }
        if taken == Taken::No {
            return false;
        }
        self.settled += 1;
        if let Some(span) = self.spans.last_mut().filter(|_| self.keep_spans) {
            span.end = self.settled;
        }
        if !self.policy.masks(Kind::Secret) {
            out.push(next.raw);
        }
        true
    }

    fn pass(&mut self, held: Held, out: &mut String) {
        out.push(held.raw);
        self.settled += 1;
        match held.folded {
            INVISIBLE => self.context.push_invisible(),
            c => self.context.push(c),
        }
    }

    fn remember(&mut self, held: &[Held]) {
        // The masked form of a secret is no word, so neither is a secret of letters.
        if self.swallow.is_some() {
            return self.context.push_stretch(std::iter::once('*'));
        }
        self.context.push_stretch(held.iter().map(|held| held.folded).filter(|c| *c != INVISIBLE));
    }
}

fn glyphs(held: &[Held]) -> Vec<Glyph> {
    let visible = held.iter().enumerate().filter(|(_, held)| held.folded != INVISIBLE);
    let glyph = |(place, held): (usize, &Held)| {
        let digit = spoken(held.folded);
        Glyph { c: digit.unwrap_or(held.folded), spoken: digit.is_some(), place }
    };
    visible.map(glyph).collect()
}

fn starts_stretch(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '_' | '%' | '+' | '-') || spoken(c).is_some()
}

fn digit_like(c: char) -> bool {
    c.is_ascii_digit() || spoken(c).is_some()
}

fn bridge(c: char) -> bool {
    matches!(c, ' ' | '(' | ')')
}
