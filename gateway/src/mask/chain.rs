//! Digits that separators break into pieces, and what such a chain of pieces can be.

use super::atoms::{Atom, Class, Gap};
use super::checks;
use super::context::{Cue, Hint};
use super::detect::{Match, Stretch};
use super::kind::Kind;

/// The longest identifier anyone writes in pieces: 00 86 and 11 digits, 19 of a card; with room to spare.
const DIGITS_MAX: usize = 22;

/// In more pieces than this only a number that begins its chain is read, as when spelled digit by digit: so a
/// table of small numbers costs little.
const PIECES_MAX: usize = 6;

/// The shortest: an area code and seven digits.
const DIGITS_MIN: usize = 10;

/// Every reading of neighbouring atoms as one number.
pub(super) fn numeric_matches(stretch: &Stretch<'_>, atoms: &[Atom], hint: Hint) -> Vec<Match> {
    let starts =
        (0..atoms.len()).filter(|first| matches!(atoms[*first].class, Class::Digits | Class::DigitsX));
    starts.flat_map(|first| matches_from(stretch, atoms, first, hint)).collect()
}

fn matches_from(stretch: &Stretch<'_>, atoms: &[Atom], first: usize, hint: Hint) -> Vec<Match> {
    let mut chain = Chain::new(stretch, atoms, first, hint);
    let mut found = Vec::new();
    for last in first..atoms.len() {
        if !chain.extend(stretch, atoms, last) {
            break;
        }
        let (start, end) = (atoms[first].start, atoms[last].end);
        if let Some(kind) = chain.kind() {
            found.push(Match::new(kind, start, end));
        } else if chain.is_crossed_id() {
            found.push(Match { beyond: 1, ..Match::new(Kind::IdCard, start, end) });
        }
    }
    found
}

/// What touches a chain on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Open,
    Digits(Gap),
    Word(Gap),
    /// A currency sign or unit.
    Money,
}

/// Consecutive atoms read as one number.
struct Chain {
    first: usize,
    digits: Vec<u8>,
    /// Digits in each piece.
    pieces: Vec<usize>,
    /// The gaps between the pieces.
    gaps: Vec<Gap>,
    left: Edge,
    right: Edge,
    /// A plus sign stands before it.
    plus: bool,
    /// A multiplication sign or a Roman ten stands after it.
    crossed: bool,
    hint: Hint,
}

impl Chain {
    fn new(stretch: &Stretch<'_>, atoms: &[Atom], first: usize, hint: Hint) -> Self {
        let start = atoms[first].start;
        let currency = start == 0 && stretch.before.last().is_some_and(|c| "¥￥$€£".contains(c));
        let left = match first.checked_sub(1) {
            _ if currency => Edge::Money,
            Some(before) if numbering(stretch, &atoms[before]) => Edge::Open,
            before => edge(stretch, atoms, before, Some(first)),
        };
        let plus = start > 0 && stretch.glyphs[start - 1].c == '+';
        // `3+12` is a sum.
        let plus = plus
            && start.checked_sub(2).is_none_or(|before| !stretch.glyphs[before].c.is_ascii_alphanumeric());
        Self {
            first,
            digits: Vec::new(),
            pieces: Vec::new(),
            gaps: Vec::new(),
            left,
            right: Edge::Open,
            plus,
            crossed: false,
            hint,
        }
    }

    /// Takes in atom `last`; false when nothing longer can be read.
    fn extend(&mut self, stretch: &Stretch<'_>, atoms: &[Atom], last: usize) -> bool {
        let atom = &atoms[last];
        let readable = matches!(atom.class, Class::Digits | Class::DigitsX);
        if !readable || self.digits.last().is_some_and(|digit| !digit.is_ascii_digit()) {
            return false;
        }
        if last > self.first {
            self.gaps.push(Gap::between(stretch.glyphs, &atoms[last - 1], atom));
        }
        self.digits.extend(stretch.glyphs[atom.start..atom.end].iter().map(|glyph| glyph.c as u8));
        self.pieces.push(atom.end - atom.start);
        self.right = edge(stretch, atoms, Some(last), Some(last + 1));
        let last_glyph = atom.end == stretch.glyphs.len();
        self.crossed = last_glyph && matches!(stretch.after, Some('×' | 'Ⅹ'));
        let unit = stretch.glyphs.get(atom.end).is_some_and(|glyph| glyph.c == '元');
        // 元旦, 元宵 and 元月 are dates, and a number before them is no price.
        if unit && !stretch.after.is_some_and(|c| "旦宵月芳".contains(c)) {
            self.right = Edge::Money;
        }
        let spelled = !matches!(self.left, Edge::Digits(_));
        self.digits.len() <= DIGITS_MAX
            && (spelled || self.pieces.len() < PIECES_MAX)
            && self.gaps.last() != Some(&Gap::Other)
    }

    fn kind(&self) -> Option<Kind> {
        // Most chains are tables of small numbers: leave before any check that costs.
        if self.digits.len() < DIGITS_MIN {
            return (self.is_foreign() && !self.blocked()).then_some(Kind::Phone);
        }
        if self.is_resident_id() {
            return Some(Kind::IdCard);
        }
        let plain = self.digits.iter().all(u8::is_ascii_digit) && !self.blocked();
        if !plain {
            None
        } else if self.is_old_id() {
            Some(Kind::IdCard)
        } else if self.is_card() {
            Some(Kind::BankCard)
        } else if self.is_mobile() {
            Some(Kind::Phone)
        } else if self.is_landline() {
            Some(Kind::Landline)
        } else {
            self.is_foreign().then_some(Kind::Phone)
        }
    }

    fn is_resident_id(&self) -> bool {
        // A mistyped number that is called an identity number is still one: its shape suffices.
        let mistyped = || {
            self.hint.is(Cue::IdCard)
                && self.shaped(&[&[18], &[6, 8, 4]])
                && checks::resident_shape(&self.digits)
        };
        checks::resident_id(&self.digits) || mistyped()
    }

    /// An identity number whose X was typed as a sign that looks like it.
    fn is_crossed_id(&self) -> bool {
        self.crossed && self.digits.len() == 17 && checks::resident_id(&[&self.digits[..], b"X"].concat())
    }

    fn is_old_id(&self) -> bool {
        !self.hint.is(Cue::Order)
            && self.shaped(&[&[15], &[6, 6, 3]])
            && checks::old_resident_id(&self.digits)
    }

    fn is_card(&self) -> bool {
        if self.digits.len() < 13 || self.hint.announces(Cue::Order) {
            return false;
        }
        let named = self.hint.is(Cue::BankCard) && self.digits.len() <= 19;
        let (issued, proven) = (checks::issuer(&self.digits), checks::luhn(&self.digits));
        let uniform = self.uniform() && !self.gaps.contains(&Gap::Dot);
        let written = match self.pieces.as_slice() {
            [_] => true,
            // Issuer, check digit and shape together leave no doubt, whatever digits stand beside them.
            pieces if issued && proven && as_printed(pieces) => self.uniform(),
            // Any other even grouping, if it is the whole number.
            _ if issued && proven => uniform && self.alone(),
            pieces => uniform && self.alone() && (as_printed(pieces) || matches!(pieces, [6, 10..=13])),
        };
        // As with identity numbers, a mistyped card that is called a card is still one.
        written && [named, issued, proven].iter().filter(|sign| **sign).count() >= 2
    }

    fn is_mobile(&self) -> bool {
        let prefix = match self.digits.len() {
            11 => 0,
            13 if self.digits.starts_with(b"86") => 2,
            15 if self.digits.starts_with(b"0086") => 4,
            _ => return false,
        };
        let usual =
            |pieces: &[usize]| matches!(pieces, [11] | [3, 4, 4] | [3, 8] | [3, 3, 5] | [4, 3, 4] | [7, 4]);
        let split = prefix > 0 && self.pieces.first() == Some(&prefix);
        let written = if split {
            usual(&self.pieces[1..])
        } else {
            prefix > 0 && self.pieces.len() == 1 || usual(&self.pieces)
        };
        // One of several numbers of an order, as in `单号 138 1234 5678 9012`, is no telephone.
        let part = self.hint.announces(Cue::Order) && self.pieces.len() > 1 && !self.alone();
        checks::mobile(&self.digits[prefix..]) && !part && (written || self.spelled())
    }

    /// Written in pieces of any length, but not like a table of sizes: `168 50 84 62 88`.
    fn spelled(&self) -> bool {
        let together = self.gaps.iter().all(|gap| *gap == Gap::None);
        let single = self.pieces.iter().all(|piece| *piece == 1);
        let meant = together || single || self.pieces.len() <= 2 || self.hint.is(Cue::Phone);
        // Dotted pieces are an IP address or a date.
        let joined = self.gaps.iter().all(|gap| !matches!(gap, Gap::Dot | Gap::Pause));
        meant && joined && self.alone() && self.uniform()
    }

    fn is_landline(&self) -> bool {
        let ordered = self.hint.announces(Cue::Order) && self.pieces.len() == 1;
        if ordered || self.pieces.len() > 5 || !matches!(self.digits.first(), Some(b'0' | b'8')) {
            return false;
        }
        let hyphens = self.pieces.len() > 2 && self.gaps.iter().all(|gap| *gap == Gap::Hyphen);
        let (prefix, abroad) = match () {
            () if self.digits.starts_with(b"0086") => (4, true),
            () if self.plus && self.digits.starts_with(b"86") => (2, true),
            () if hyphens && self.pieces[0] == 2 && self.digits.starts_with(b"86") => (2, true),
            () => (0, false),
        };
        // From abroad the zero of the area code falls away, but many write it all the same.
        let zero = if abroad && self.digits.get(prefix) != Some(&b'0') { &b"0"[..] } else { b"" };
        let digits = [zero, &self.digits[prefix..]].concat();
        let borders: Vec<usize> =
            self.borders().map(|border| (border + zero.len()).saturating_sub(prefix)).collect();
        let few = self.pieces.len() <= 3 + 2 * usize::from(abroad) && !self.gaps.contains(&Gap::Dot);
        few && [3, 4].into_iter().any(|area| {
            digits.len() > area + 6
                && (self.pieces.len() == 1 || borders.contains(&area))
                && checks::area_code(&digits[..area])
                && checks::subscriber(&digits[..area], &digits[area..])
        })
    }

    /// A number of another country, after a plus sign: in pieces, because `+20241123` may be anything.
    fn is_foreign(&self) -> bool {
        let pieces = (2..=5).contains(&self.pieces.len()) && self.pieces[0] <= 3;
        let called = self.pieces.len() == 1 && self.hint.is(Cue::Phone);
        self.plus
            && (pieces || called)
            && (8..=15).contains(&self.digits.len())
            && self.digits.iter().all(u8::is_ascii_digit)
            && !self.digits.starts_with(b"0")
            && !self.digits.starts_with(b"86")
            && !self.gaps.iter().any(|gap| matches!(gap, Gap::None | Gap::Dot | Gap::Pause))
    }

    /// Part of a longer code, a decimal or a price: no weak reading holds.
    fn blocked(&self) -> bool {
        let part = |edge: Edge| {
            matches!(edge, Edge::Money | Edge::Word(Gap::None | Gap::Hyphen) | Edge::Digits(Gap::Dot))
        };
        part(self.left) || part(self.right)
    }

    /// No digits next to it: the pieces are the whole number.
    fn alone(&self) -> bool {
        !matches!(self.left, Edge::Digits(_)) && !matches!(self.right, Edge::Digits(_))
    }

    fn uniform(&self) -> bool {
        self.gaps.windows(2).all(|pair| pair[0] == pair[1])
    }

    fn shaped(&self, shapes: &[&[usize]]) -> bool {
        shapes.contains(&self.pieces.as_slice())
    }

    fn borders(&self) -> impl Iterator<Item = usize> + '_ {
        self.pieces.iter().scan(0, |sum, piece| {
            *sum += piece;
            Some(*sum)
        })
    }
}

/// Pieces as they stand on a card: in fours, or as American Express and Diners Club print them.
fn as_printed(pieces: &[usize]) -> bool {
    match pieces {
        [4, 6, 4 | 5] => true,
        [fours @ .., last] => fours.len() >= 3 && fours.iter().all(|piece| *piece == 4) && *last <= 4,
        [] => false,
    }
}

/// The number of an item in a list, `1.` to `9.`, and no part of a decimal.
fn numbering(stretch: &Stretch<'_>, atom: &Atom) -> bool {
    let glyphs = stretch.glyphs;
    let number = matches!(glyphs[atom.start..atom.end], [digit] if matches!(digit.c, '1'..='9'));
    let dot = glyphs.get(atom.end).is_some_and(|glyph| glyph.c == '.');
    let begins = match atom.start.checked_sub(1) {
        Some(before) => glyphs[before].c == ' ',
        None => !stretch.glued && !stretch.before.last().is_some_and(|c| "¥￥$€£".contains(c)),
    };
    number && dot && begins
}

fn edge(stretch: &Stretch<'_>, atoms: &[Atom], left: Option<usize>, right: Option<usize>) -> Edge {
    let pair = left.and_then(|i| atoms.get(i)).zip(right.and_then(|i| atoms.get(i)));
    let Some((left_atom, right_atom)) = pair else { return Edge::Open };
    let gap = Gap::between(stretch.glyphs, left_atom, right_atom);
    // The neighbour's near character decides, because masking keeps the ends of a number.
    let (near, neighbour) =
        if right.is_some_and(|right| right < atoms.len()) && !matches!(gap, Gap::Other | Gap::Pause) {
            (stretch.glyphs[left_atom.end - 1].c, stretch.glyphs[right_atom.start].c)
        } else {
            return Edge::Open;
        };
    let proven = left_atom.class == Class::DigitsX && gap == Gap::None;
    if left_atom.class == Class::Label || right_atom.class == Class::Label || proven {
        Edge::Open
    } else if near.is_ascii_digit() && neighbour.is_ascii_digit() {
        Edge::Digits(gap)
    } else {
        Edge::Word(gap)
    }
}
