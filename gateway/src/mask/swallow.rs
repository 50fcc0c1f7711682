//! The rest of a secret that was recognised by its beginning: taken in without limit, nothing kept.

use super::detect::key_char;

/// A secret whose end has not been seen.
#[derive(Debug, Clone)]
pub(super) enum Swallow {
    /// A key or token: ends with the first character that keys do not hold.
    Key {
        /// How many more parts of a token, each after a dot, may follow.
        parts: usize,
    },
    /// A PEM block: ends after its END line, or with the first character that PEM does not hold.
    Pem {
        /// The line so far, at most `LINE_MAX` characters.
        line: String,
    },
}

/// Longer than the END line of any label in use.
const LINE_MAX: usize = 80;

/// Whether a character belonged to the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Yes, and more may follow.
    More,
    /// Yes, it was the last.
    Last,
    /// No: it is the first character after the secret.
    No,
}

impl Swallow {
    fn pem() -> Self {
        Self::Pem { line: String::new() }
    }

    /// What follows `beginning`, the part of a secret that was recognised.
    pub(super) fn after(beginning: &[char]) -> Self {
        let token = beginning.starts_with(&['e', 'y', 'J']);
        let dots = beginning.iter().filter(|c| **c == '.').count();
        match beginning.first() {
            Some('-') => Self::pem(),
            // header.payload.signature
            _ => Self::Key { parts: if token { 2_usize.saturating_sub(dots) } else { 0 } },
        }
    }

    /// Offers the next folded character.
    pub(super) fn take(&mut self, c: char) -> Taken {
        match self {
            Self::Key { .. } if key_char(c) => Taken::More,
            Self::Key { parts: parts @ 1.. } if c == '.' => {
                *parts -= 1;
                Taken::More
            }
            Self::Key { .. } => Taken::No,
            Self::Pem { line } => take_pem(line, c),
        }
    }
}

fn take_pem(line: &mut String, c: char) -> Taken {
    let held = c.is_ascii_alphanumeric() || "+/=-:, \\\r\n".contains(c);
    if !held {
        return Taken::No;
    }
    if c == '\n' {
        line.clear();
    } else if line.len() < LINE_MAX {
        line.push(c);
    }
    let end = line.find("-----END").is_some_and(|at| line.len() > at + 13 && line.ends_with("-----"));
    if end { Taken::Last } else { Taken::More }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(mut swallow: Swallow, text: &str) -> usize {
        let last = text.chars().position(|c| swallow.take(c) != Taken::More);
        last.unwrap_or(text.len())
    }

    #[test]
    fn a_key_ends_with_its_characters_and_a_block_with_its_end_line() {
        assert_eq!(taken(Swallow::Key { parts: 0 }, "abc-1_2.then"), 7);
        assert_eq!(taken(Swallow::Key { parts: 1 }, "a.b.c"), 3);
        let block = "\nMIIB/w==\n-----END KEY-----\nafter";
        assert_eq!(taken(Swallow::pem(), block), block.len() - 7);
        assert_eq!(taken(Swallow::pem(), "\nabc。"), 4);
    }
}
