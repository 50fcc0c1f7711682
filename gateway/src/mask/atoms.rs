//! Cuts a stretch into runs of letters and digits, and says what stands between two of them.

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
                _ => Self::Other,
            },
            _ if gap.len() <= 3 && gap.iter().all(|g| matches!(g.c, ' ' | '-' | '(' | ')')) => Self::Bracket,
            _ => Self::Other,
        }
    }
}

/// Words that may be glued to the number they announce.
const LABELS: [&str; 14] =
    ["tel", "phone", "mobile", "mob", "cell", "call", "id", "no", "idno", "card", "wx", "vx", "wechat", "qq"];

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
        let label = label_end(&glyphs[at..end]);
        if label > 0 {
            atoms.push(Atom { start: at, end: at + label, class: Class::Label });
        }
        let broken = (at == 0 && stretch.glued) || (end == glyphs.len() && stretch.cut);
        let class = if broken { Class::Broken } else { classify(&glyphs[at + label..end]) };
        atoms.push(Atom { start: at + label, end, class });
        at = end;
    }
    atoms
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
    let letters: String =
        glyphs.iter().take_while(|g| g.c.is_ascii_alphabetic()).map(|g| g.c.to_ascii_lowercase()).collect();
    let announces = glyphs.get(letters.len()).is_some_and(|glyph| glyph.c.is_ascii_digit());
    if announces && LABELS.contains(&letters.as_str()) { letters.len() } else { 0 }
}

fn classify(glyphs: &[Glyph]) -> Class {
    let digits = glyphs.iter().take_while(|glyph| glyph.c.is_ascii_digit()).count();
    match &glyphs[digits..] {
        [] => Class::Digits,
        [x] if matches!(x.c, 'x' | 'X') => Class::DigitsX,
        rest if rest.iter().any(|glyph| glyph.c == '*') => Class::Broken,
        _ => Class::Word,
    }
}
