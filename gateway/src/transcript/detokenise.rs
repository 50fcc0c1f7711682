//! Bytes to text, piece by piece, without ever breaking a character.

/// Collects bytes and gives back whole characters.
///
/// A character split over tokens waits for its rest. Bytes that can never become one turn into
/// U+FFFD at once, exactly as `String::from_utf8_lossy` would on the whole, so nothing stalls. A character
/// whose rest never comes, because a limit cut the text there, is never given out.
#[derive(Debug, Clone, Default)]
pub struct Detokeniser {
    /// The beginning of a character: at most three bytes.
    held: Vec<u8>,
}

impl Detokeniser {
    /// Takes the next bytes; returns the text that is now certain.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let whole = std::mem::take(&mut self.held);
        let mut text = String::with_capacity(whole.len());
        let mut seen = 0;
        for chunk in whole.utf8_chunks() {
            text.push_str(chunk.valid());
            seen += chunk.valid().len() + chunk.invalid().len();
            let unfinished = seen == whole.len() && may_go_on(chunk.invalid());
            if unfinished {
                self.held.extend_from_slice(chunk.invalid());
            } else if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }
}

/// Whether these bytes are the beginning of a character.
fn may_go_on(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::small::Random;

    fn stream(pieces: &[&[u8]]) -> String {
        let mut detokeniser = Detokeniser::default();
        pieces.iter().map(|piece| detokeniser.push(piece)).collect()
    }

    #[test]
    fn a_split_character_waits_for_its_rest() {
        let mut detokeniser = Detokeniser::default();
        let [a, b, c, d] = [0xF0, 0x9F, 0x98, 0x80];
        assert_eq!(detokeniser.push(&[b'x', a]), "x");
        assert_eq!(detokeniser.push(&[b, c]), "");
        assert_eq!(detokeniser.push(&[d, b'y']), "😀y");
    }

    #[test]
    fn bytes_that_cannot_become_text_do_not_stall() {
        assert_eq!(stream(&[b"\xff", b"a"]), "\u{FFFD}a");
        assert_eq!(stream(&[b"\xe4\xbd", b"a"]), "\u{FFFD}a");
        assert_eq!(stream(&[b"\x80\x80ok"]), "\u{FFFD}\u{FFFD}ok");
    }

    #[test]
    fn every_chunking_equals_the_lossy_whole() {
        for seed in 0..3000 {
            let mut random = Random(seed);
            let mut bytes = Vec::new();
            for _ in 0..random.below(12) {
                match random.below(4) {
                    0 => bytes.extend("退😀é".as_bytes()),
                    1 => bytes.push(random.below(256) as u8),
                    2 => bytes.extend(&"😀".as_bytes()[..1 + random.below(3)]),
                    _ => bytes.extend(b"ab"),
                }
            }
            bytes.push(b'.');
            let mut pieces = Vec::new();
            let mut rest: &[u8] = &bytes;
            while !rest.is_empty() {
                let (piece, tail) = rest.split_at(1 + random.below(rest.len().min(3)));
                pieces.push(piece);
                rest = tail;
            }
            assert_eq!(stream(&pieces), String::from_utf8_lossy(&bytes), "seed {seed}");
        }
    }
}
