//! Stop strings over streamed text.

/// What may be sent on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Released {
    /// Text that no stop string can reach any more.
    pub text: String,
    /// A stop string is complete: this is the last text, the generation should be cancelled.
    pub stopped: bool,
}

/// Cuts a text before the first stop string that completes in it, however the text is chunked.
#[derive(Debug, Clone, Default)]
pub struct StopStrings {
    stops: Vec<String>,
    /// A suffix of the text that may begin a stop string.
    held: String,
    stopped: bool,
}

impl StopStrings {
    /// Watches for these strings; empty ones are ignored.
    pub fn new(stops: impl IntoIterator<Item = String>) -> Self {
        let stops = stops.into_iter().filter(|stop| !stop.is_empty()).collect();
        Self { stops, ..Self::default() }
    }

    /// Takes the next text.
    pub fn push(&mut self, text: &str) -> Released {
        if self.stopped {
            return Released { text: String::new(), stopped: true };
        }
        let mut text = std::mem::take(&mut self.held) + text;
        if let Some(start) = self.first_complete(&text) {
            text.truncate(start);
            self.stopped = true;
        } else {
            let sure = text.len() - self.longest_beginning(&text);
            self.held = text.split_off(sure);
        }
        Released { text, stopped: self.stopped }
    }

    /// The text is over: releases what was held back.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Where the stop string begins that is the first to end; of two that end together the longer.
    fn first_complete(&self, text: &str) -> Option<usize> {
        let places = self.stops.iter().filter_map(|stop| text.find(stop).map(|at| (at + stop.len(), at)));
        places.min().map(|(_, start)| start)
    }

    /// Length of the longest suffix of `text` that begins a stop string without completing it.
    fn longest_beginning(&self, text: &str) -> usize {
        let lengths = |stop: &str| {
            let mut ends = stop.char_indices().map(|(at, _)| at).rev();
            ends.find(|&at| text.as_bytes().ends_with(&stop.as_bytes()[..at])).unwrap_or(0)
        };
        self.stops.iter().map(|stop| lengths(stop)).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::{Detokeniser, small::Random};

    /// The definition, on the whole text: at the first place where a stop string ends, cut before it.
    fn naive(text: &str, stops: &[String]) -> (String, bool) {
        for (at, c) in text.char_indices() {
            let so_far = &text[..at + c.len_utf8()];
            let ended = stops.iter().filter(|stop| so_far.ends_with(stop.as_str()));
            if let Some(longest) = ended.map(|stop| stop.len()).max() {
                return (so_far[..so_far.len() - longest].to_owned(), true);
            }
        }
        (text.to_owned(), false)
    }

    /// Bytes in chunks through detokeniser and stop strings.
    fn streamed(chunks: &[&[u8]], stops: &[String]) -> (String, bool) {
        let mut detokeniser = Detokeniser::default();
        let mut strings = StopStrings::new(stops.to_vec());
        let mut text = String::new();
        for chunk in chunks {
            let released = strings.push(&detokeniser.push(chunk));
            text += &released.text;
            if released.stopped {
                return (text, true);
            }
        }
        (text + &strings.finish(), false)
    }

    /// All ways to cut `bytes` in chunks.
    fn chunkings(bytes: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
        (0..1_u32 << bytes.len().saturating_sub(1)).map(move |cuts| {
            let mut chunks = Vec::new();
            let mut from = 0;
            for at in 1..=bytes.len() {
                if at == bytes.len() || cuts >> (at - 1) & 1 == 1 {
                    chunks.push(&bytes[from..at]);
                    from = at;
                }
            }
            chunks
        })
    }

    #[test]
    fn every_chunking_equals_the_cut_of_the_whole() {
        let letters = ["a", "b", "货"];
        for seed in 0..400 {
            let mut random = Random(seed);
            let mut word = |most| -> String {
                let length = 1 + random.below(most);
                (0..length).map(|_| letters[random.below(3)]).collect()
            };
            let text = word(5);
            let stops = vec![word(3), word(2)];
            for chunks in chunkings(text.as_bytes()) {
                assert_eq!(streamed(&chunks, &stops), naive(&text, &stops), "{text} {stops:?} {chunks:?}");
            }
        }
    }

    #[test]
    fn only_a_beginning_of_a_stop_string_is_held() {
        let mut strings = StopStrings::new(["</end>".to_owned()]);
        assert_eq!(strings.push("好的 <").text, "好的 ");
        assert_eq!(strings.push("/en").text, "");
        assert_eq!(strings.push("t").text, "</ent");
        assert_eq!(strings.push("a</end>b"), Released { text: "a".to_owned(), stopped: true });
        assert_eq!(strings.push("more"), Released { text: String::new(), stopped: true });
        assert_eq!(strings.finish(), "");
    }

    #[test]
    fn an_unfinished_stop_string_is_released_at_the_end() {
        let mut strings = StopStrings::new(["END".to_owned(), String::new()]);
        assert_eq!(strings.push("the EN").text, "the ");
        assert_eq!(strings.finish(), "EN");
    }
}
