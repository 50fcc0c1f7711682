//! Finds identifiers in one stretch of identifier characters; the longest valid reading wins.

use super::atoms::{Atom, Class, Gap, split};
use super::chain::numeric_matches;
use super::context::{Context, Cue, Hint};
use super::kind::Kind;
use super::{checks, glyph};

/// One visible character of a stretch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glyph {
    /// Folded; spoken numerals are digits.
    pub(super) c: char,
    /// Whether it was written as a Chinese numeral.
    pub(super) spoken: bool,
    /// Its place among the held characters, invisible ones included.
    pub(super) place: usize,
}

/// A stretch and what is known around it.
pub(super) struct Stretch<'a> {
    pub(super) glyphs: &'a [Glyph],
    /// What came before.
    pub(super) before: &'a Context,
    /// The folded character after it; none at the end of the text.
    pub(super) after: Option<char>,
    /// It goes on beyond what is held: its last word is not whole.
    pub(super) cut: bool,
    /// It continues one that was cut inside a word: its first word is not whole.
    pub(super) glued: bool,
}

/// A recognised identifier, in glyphs of the stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Characters before the stretch that belong to it (the province of a plate).
    pub(super) back: usize,
    /// Characters after the stretch that belong to it (the suffix of a plate).
    pub(super) beyond: usize,
}

impl Match {
    pub(super) fn new(kind: Kind, start: usize, end: usize) -> Self {
        Self { kind, start, end, back: 0, beyond: 0 }
    }

    fn length(&self) -> usize {
        self.back + self.end - self.start + self.beyond
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// Every identifier of the stretch, in order, none overlapping another.
pub(super) fn find(stretch: &Stretch<'_>) -> Vec<Match> {
    let glyphs = stretch.glyphs;
    if !glyphs.iter().any(|glyph| glyph.c.is_ascii_digit() || glyph.c == '@' || glyph.c == '-') {
        return letters_only(stretch);
    }
    let atoms = split(stretch);
    let mut found = secrets(stretch);
    found.extend(emails(glyphs));
    found.extend(plate(stretch, &atoms));
    let hint = stretch.before.hint();
    found.extend(atoms.iter().filter_map(|atom| code(stretch, atom, hint)));
    found.extend(addresses(stretch, &atoms));
    found.extend(numeric_matches(stretch, &atoms, hint));
    longest(found)
}

/// A word without digit or sign can only be the beginning of a token.
fn letters_only(stretch: &Stretch<'_>) -> Vec<Match> {
    longest(secrets(stretch))
}

fn longest(mut found: Vec<Match>) -> Vec<Match> {
    found.sort_by_key(|candidate| (usize::MAX - candidate.length(), candidate.kind, candidate.start));
    let mut chosen: Vec<Match> = Vec::new();
    for candidate in found {
        if !chosen.iter().any(|other| other.overlaps(&candidate)) {
            chosen.push(candidate);
        }
    }
    chosen.sort_by_key(|chosen| chosen.start);
    chosen
}

// --- e-mail -----------------------------------------------------------------------------------------------

/// RFC 5321 allows 64 characters before the @ and 254 in all.
const LOCAL_MAX: usize = 64;
const DOMAIN_MAX: usize = 189;

/// What ends the name of a picture, `logo@2x.png`, and is no top-level domain.
const PICTURES: [&str; 7] = ["png", "jpg", "jpeg", "gif", "svg", "webp", "bmp"];

fn emails(glyphs: &[Glyph]) -> impl Iterator<Item = Match> + '_ {
    let signs = glyphs.iter().enumerate().filter(|(_, glyph)| glyph.c == '@');
    signs.filter_map(|(at, _)| {
        let start = local_start(glyphs, at)?;
        let end = domain_end(glyphs, at + 1)?;
        Some(Match::new(Kind::Email, start, end))
    })
}

fn local_start(glyphs: &[Glyph], at: usize) -> Option<usize> {
    let local = |glyph: &&Glyph| {
        !glyph.spoken && (glyph.c.is_ascii_alphanumeric() || matches!(glyph.c, '.' | '_' | '%' | '+' | '-'))
    };
    let length = glyphs[..at].iter().rev().take(LOCAL_MAX).take_while(local).count();
    // What follows another @ is that one's domain.
    let domain = (at - length).checked_sub(1).is_some_and(|before| glyphs[before].c == '@');
    (at - length..at).filter(|_| !domain).find(|start| glyphs[*start].c.is_ascii_alphanumeric())
}

fn domain_end(glyphs: &[Glyph], start: usize) -> Option<usize> {
    let part = |glyph: &&Glyph| {
        !glyph.spoken && (glyph.c.is_ascii_alphanumeric() || matches!(glyph.c, '.' | '-' | '。'))
    };
    let mut domain: Vec<char> =
        glyphs[start..].iter().take(DOMAIN_MAX).take_while(part).map(|glyph| glyph.c).collect();
    // After a full stop the next address may begin.
    if glyphs.get(start + domain.len()).is_some_and(|glyph| glyph.c == '@') {
        domain.truncate(domain.iter().rposition(|c| *c == '。').unwrap_or(domain.len()));
    }
    let (mut end, mut label) = (None, 0);
    for (place, c) in domain.iter().chain(&['.']).enumerate() {
        if !matches!(c, '.' | '。') {
            continue;
        }
        let top = &domain[label..place];
        if top.is_empty() {
            break;
        }
        if masked_secret(top, &glyphs[start + place..]) {
            return None;
        }
        // A hyphen after the letters is a dash: `a@163.com-my mail`.
        let letters = top.iter().take_while(|c| c.is_ascii_alphabetic()).count();
        let whole = top.get(letters).is_none_or(|c| *c == '-');
        let picture = PICTURES.contains(&top.iter().collect::<String>().as_str());
        if label > 0 && letters >= 2 && whole && !picture {
            end = Some(start + label + letters);
        }
        label = place + 1;
    }
    end
}

/// A secret that was longer than the address it followed, and is masked: the address must not come back.
fn masked_secret(shown: &[char], rest: &[Glyph]) -> bool {
    let shown: String = shown.iter().collect();
    let secret = shown == "eyJ" || KEY_PREFIXES.iter().any(|(prefix, _)| prefix.get(..3) == Some(&shown));
    secret && rest.len() >= 3 && rest[..3].iter().all(|glyph| glyph.c == '*')
}

// --- secrets ----------------------------------------------------------------------------------------------

/// Prefixes of issued keys and how many key characters must follow.
const KEY_PREFIXES: &[(&str, usize)] = &[
    ("sk-", 20),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("pk_live_", 16),
    ("rk_live_", 16),
    ("AKIA", 16),
    ("LTAI", 12),
    ("AKID", 16),
    ("AIza", 30),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("hf_", 20),
];

/// How a PEM block begins; its label and five more hyphens follow.
pub(super) const PEM_BEGIN: &str = "-----BEGIN";

/// Characters of a key or token.
pub(super) fn key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn secrets(stretch: &Stretch<'_>) -> Vec<Match> {
    let glyphs = stretch.glyphs;
    let starts = (0..glyphs.len()).filter(|start| match start.checked_sub(1) {
        Some(previous) => !key_char(glyphs[previous].c) || glyphs[previous].spoken,
        None => !stretch.glued,
    });
    starts
        .filter_map(|start| {
            secret_end(&glyphs[start..]).map(|end| Match::new(Kind::Secret, start, start + end))
        })
        .collect()
}

fn secret_end(glyphs: &[Glyph]) -> Option<usize> {
    match glyphs.first()?.c {
        '-' => pem_end(glyphs),
        'e' if begins(glyphs, "eyJ") => token_end(glyphs),
        _ => key_end(glyphs),
    }
}

fn key_end(glyphs: &[Glyph]) -> Option<usize> {
    let (prefix, least) = KEY_PREFIXES.iter().find(|(prefix, _)| begins(glyphs, prefix))?;
    let end = glyphs.iter().take_while(|glyph| key_char(glyph.c) && !glyph.spoken).count();
    let key = &glyphs[prefix.len()..end];
    (key.len() >= *least && key.iter().any(|glyph| glyph.c.is_ascii_digit())).then_some(end)
}

/// A JSON Web Token: two or three base64url parts, the first of which is an object.
fn token_end(glyphs: &[Glyph]) -> Option<usize> {
    let part =
        |from: usize| glyphs[from..].iter().take_while(|glyph| key_char(glyph.c) && !glyph.spoken).count();
    let dot = part(0);
    let second = (glyphs.get(dot)?.c == '.').then(|| part(dot + 1))?;
    let end = dot + 1 + second;
    let third = glyphs.get(end).filter(|glyph| glyph.c == '.').map_or(0, |_| part(end + 1));
    let long = dot >= 12 && second >= 8;
    long.then_some(if third > 0 { end + 1 + third } else { end })
}

fn pem_end(glyphs: &[Glyph]) -> Option<usize> {
    let label = glyphs.get(PEM_BEGIN.len()..).filter(|_| begins(glyphs, PEM_BEGIN))?;
    let length =
        label.iter().take(40).take_while(|glyph| glyph.c == ' ' || glyph.c.is_ascii_uppercase()).count();
    (length > 1 && begins(&label[length..], "-----")).then_some(PEM_BEGIN.len() + length + 5)
}

fn begins(glyphs: &[Glyph], text: &str) -> bool {
    let mut letters = text.chars();
    letters.clone().count() <= glyphs.len()
        && letters.all({
            let mut glyphs = glyphs.iter();
            move |c| glyphs.next().is_some_and(|glyph| glyph.c == c && !glyph.spoken)
        })
}

// --- codes of letters and digits --------------------------------------------------------------------------

/// Credit codes, and passports after a cue: one word each.
fn code(stretch: &Stretch<'_>, atom: &Atom, hint: Hint) -> Option<Match> {
    let text = atom.text(stretch)?;
    // Digits alone may be an order that passes the check once in 31 times; a letter proves more.
    let ordered = hint.announces(Cue::Order) && text.iter().all(u8::is_ascii_digit);
    // A mistyped identity number passes the modulo 31 check once in 31 times.
    let kind = if checks::uscc(&text) && !ordered && !checks::resident_shape(&text) {
        Kind::Uscc
    } else if hint.is(Cue::Passport) && passport(&text, hint.announces(Cue::Passport)) {
        Kind::Passport
    } else {
        return None;
    };
    Some(Match::new(kind, atom.start, atom.end))
}

/// A letter and 7 to 10 digits; where the word leads straight to it also two letters, which may be a flight, or
/// 8 to 10 digits that are not a date.
fn passport(text: &[u8], announced: bool) -> bool {
    let letters = text.iter().take_while(|c| c.is_ascii_alphabetic()).count();
    let digits = &text[letters..];
    let date = digits.len() == 8 && matches!(digits[0..2], [b'1', b'9'] | [b'2', b'0']);
    digits.iter().all(u8::is_ascii_digit)
        && match letters {
            0 => announced && (8..=10).contains(&digits.len()) && !date,
            2 if !announced => false,
            1 | 2 => (7..=10).contains(&digits.len()),
            _ => false,
        }
}

/// A plate: its province is the character before the stretch.
fn plate(stretch: &Stretch<'_>, atoms: &[Atom]) -> Option<Match> {
    let back = stretch.before.province()?;
    let first = atoms.first().filter(|atom| atom.start == 0 && !stretch.glued)?;
    let text = first.text(stretch)?;
    let (letter, rest) = text.split_first()?;
    let (body, end) = match (rest, atoms.get(1)) {
        ([], Some(second)) if Gap::between(stretch.glyphs, first, second) != Gap::Other => {
            (second.text(stretch)?, second.end)
        }
        _ => (rest.to_vec(), first.end),
    };
    let suffix = end == stretch.glyphs.len() && stretch.after.is_some_and(glyph::plate_suffix);
    let issued = letter.is_ascii_alphabetic() && !matches!(letter.to_ascii_uppercase(), b'I' | b'O');
    let valid = issued && checks::plate_body(&body, suffix);
    valid.then(|| {
        let beyond = usize::from(suffix && body.len() == 4);
        Match { back, beyond, ..Match::new(Kind::Plate, 0, end) }
    })
}

// --- IPv4 -------------------------------------------------------------------------------------------------

fn addresses(stretch: &Stretch<'_>, atoms: &[Atom]) -> Vec<Match> {
    if stretch.before.versioned() {
        return Vec::new();
    }
    (0..atoms.len().saturating_sub(3)).filter_map(|first| address(stretch, atoms, first)).collect()
}

fn address(stretch: &Stretch<'_>, atoms: &[Atom], first: usize) -> Option<Match> {
    let parts = atoms.get(first..first + 4)?;
    let octet = |atom: &Atom| {
        atom.text(stretch).is_some_and(|text| {
            let padded = text.len() > 1 && text[0] == b'0';
            text.len() <= 3 && !padded && text.iter().all(u8::is_ascii_digit) && checks::number(&text) <= 255
        })
    };
    let glyphs = stretch.glyphs;
    let dotted = |a: &Atom, b: &Atom| b.start == a.end + 1 && glyphs[a.end].c == '.';
    let joined = |a: Option<&Atom>, b: Option<&Atom>| {
        a.zip(b).is_some_and(|(a, b)| (b.start == a.end && a.class != Class::Label) || dotted(a, b))
    };
    let (before, after) = (first.checked_sub(1).and_then(|i| atoms.get(i)), atoms.get(first + 4));
    let whole = !joined(before, parts.first()) && !joined(parts.last(), after);
    let valid = whole && parts.iter().all(octet) && parts.windows(2).all(|pair| dotted(&pair[0], &pair[1]));
    valid.then(|| Match::new(Kind::Ipv4, parts[0].start, parts[3].end))
}
