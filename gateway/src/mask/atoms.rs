//! Cuts a stretch into runs of letters and digits, and says what stands between two of them.

use super::checks;
use super::detect::{Glyph, Stretch};

/// A run of letters and digits without a separator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Atom {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) class: Class,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Digits,
    /// Digits, possibly none, and one X: the end of an identity number.
    DigitsX,
    /// Says what follows: `tel`, `id`. As good as a space.
    Label,
    Word,
    /// Cut off or partly masked: no part of anything.
    Broken,
}

impl Atom {
    /// Its characters, unless it is broken.
    pub(super) fn text(&self, stretch: &Stretch<'_>) -> Option<Vec<u8>> {
        let glyphs = &stretch.glyphs[self.start..self.end];
        (self.class != Class::Broken).then(|| glyphs.iter().map(|glyph| glyph.c as u8).collect())
    }
}

/// What stands between two atoms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// Nothing: spoken numerals next to digits.
    None,
    Space,
    Hyphen,
    Dot,
    /// Up to three of space, hyphen and bracket, as around an area code.
    Bracket,
    /// A pause between spoken numerals: `幺三八，零零零零，...`.
    Pause,
    Other,
}

impl Gap {
    pub(super) fn between(glyphs: &[Glyph], left: &Atom, right: &Atom) -> Self {
        let gap = &glyphs[left.end..right.start];
        match gap {
            [] => Self::None,
            [one] => match one.c {
                ' ' => Self::Space,
                '-' | '_' => Self::Hyphen,
                '.' | '·' => Self::Dot,
                '(' | ')' => Self::Bracket,
                ',' | '、' if glyphs[left.end - 1].spoken && glyphs[right.start].spoken => Self::Pause,
                _ => Self::Other,
            },
            _ if gap.len() <= 3 && gap.iter().all(|g| matches!(g.c, ' ' | '-' | '(' | ')')) => Self::Bracket,
            _ => Self::Other,
        }
    }
}

/// Words that may be glued to the number they announce.
const LABELS: &[&str] = &[
    "tel",
    "phone",
    "mobile",
    "mob",
    "cell",
    "call",
    "id",
    "no",
    "idno",
    "card",
    "wx",
    "vx",
    "wechat",
    "qq",
    "dianhua",
    "shouji",
    "sfz",
    "sfzh",
    "idcard",
    "shenfenzheng",
    "yhk",
    "visa",
    "amex",
];

/// The same, but a passport may begin so: at least `LONG` digits must follow.
const SHORT_LABELS: &[&str] = &["ph", "dh", "sj", "sjh", "kh", "v", "m"];
const LONG: usize = 11;

/// Labels that a hyphen may join to the number: `tel-138...`. Not `no` or `id`, which begin codes of goods.
const JOINED_LABELS: &[&str] = &[
    "tel", "phone", "mobile", "mob", "cell", "call", "wx", "vx", "wechat", "dianhua", "shouji", "ph", "dh",
    "sj", "sjh", "sfz", "sfzh", "idcard", "yhk", "visa", "amex", "card",
];

/// Words that people type on right after their telephone number.
const TAILS: &[&str] =
    &["ok", "thx", "thanks", "pls", "please", "asap", "or", "and", "wechat", "wx", "vx", "qq", "tel"];

/// The atoms of a stretch, in order.
pub(super) fn split(stretch: &Stretch<'_>) -> Vec<Atom> {
    let glyphs = stretch.glyphs;
    let (mut atoms, mut at) = (Vec::new(), 0);
    while at < glyphs.len() {
        let end = atom_end(glyphs, at);
        if end == at {
            at += 1;
            continue;
        }
        let broken = (at == 0 && stretch.glued) || (end == glyphs.len() && stretch.cut);
        let label = label_end(&glyphs[at..end]);
        if label > 0 {
            atoms.push(Atom { start: at, end: at + label, class: Class::Label });
        }
        let start = at + label;
        let after_digits = atoms.last().is_some_and(|a: &Atom| a.end == start && a.class == Class::Digits);
        let (class, length) = match number(&glyphs[start..end]) {
            _ if broken => (Class::Broken, end - start),
            _ if after_digits && is_tail(&glyphs[start..end]) => (Class::Label, end - start),
            number => number,
        };
        atoms.push(Atom { start, end: start + length, class });
        at = start + length;
    }
    atoms
}

/// What a run of letters and digits begins with, and the length of that.
fn number(glyphs: &[Glyph]) -> (Class, usize) {
    let text: Vec<u8> = glyphs.iter().map(|glyph| glyph.c as u8).collect();
    let digits = digits(&text);
    if JOINED_LABELS.iter().any(|label| label.as_bytes().eq_ignore_ascii_case(&text)) {
        (Class::Label, text.len())
    } else if digits == 11 && checks::mobile(&text[..11]) && is_tail(&glyphs[11..]) {
        (Class::Digits, 11)
    } else if text.len() >= 20 && digits <= 18 && checks::resident_id(&text[..18]) {
        // The check digit proves where it ends, whatever is glued to it.
        (if digits == 18 { Class::Digits } else { Class::DigitsX }, 18)
    } else {
        (classify(&text), text.len())
    }
}

fn atom_end(glyphs: &[Glyph], start: usize) -> usize {
    let mut end = start;
    while let Some(glyph) = glyphs.get(end) {
        let stars = glyphs[end..].iter().take_while(|glyph| glyph.c == '*').count();
        let glued =
            stars >= 3 && end > start && glyphs.get(end + stars).is_some_and(|g| g.c.is_ascii_alphanumeric());
        if glued {
            end += stars;
        } else if glyph.c.is_ascii_alphanumeric() && (end == start || glyph.spoken == glyphs[end - 1].spoken)
        {
            end += 1;
        } else {
            break;
        }
    }
    end
}

fn label_end(glyphs: &[Glyph]) -> usize {
    let text: Vec<u8> = glyphs.iter().map(|glyph| glyph.c as u8).collect();
    let length = text.iter().take_while(|c| c.is_ascii_alphabetic()).count();
    let word = text[..length].to_ascii_lowercase();
    let is = |label: &&str| label.as_bytes() == word;
    let announces = match digits(&text[length..]) {
        0 => false,
        1..=3 if word == b"ip" => true,
        LONG.. if SHORT_LABELS.iter().any(is) => true,
        _ => LABELS.iter().any(is),
    };
    if announces { length } else { 0 }
}

fn is_tail(glyphs: &[Glyph]) -> bool {
    let word: String = glyphs.iter().map(|glyph| glyph.c.to_ascii_lowercase()).collect();
    TAILS.contains(&word.as_str())
}

fn classify(text: &[u8]) -> Class {
    match &text[digits(text)..] {
        [] => Class::Digits,
        [b'x' | b'X'] => Class::DigitsX,
        rest if rest.contains(&b'*') => Class::Broken,
        _ => Class::Word,
    }
}

/// How many digits a text begins with.
fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|c| c.is_ascii_digit()).count()
}
