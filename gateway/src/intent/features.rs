//! Turns a message into what the classifier counts: hashed n-grams, the mirror of `grams` in `gateway/intent/train.py`, and the concepts
//! of the lexicon that retrieval reads by, which the script asks this program for. A change here needs new weights.

use std::collections::BTreeSet;

use crate::knowledge::content;

/// Characters of a message that are read; what a customer wants is said by then.
const TEXT_MAX: usize = 1000;

/// What its words and characters are, and what its phrases mean: each kind by the rows of the weights that it falls into.
pub(super) struct Found {
    pub(super) grams: BTreeSet<u32>,
    pub(super) concepts: BTreeSet<u32>,
}

/// What `text` holds, in `buckets` rows of n-grams and, after these, `concept_buckets` rows of concepts.
pub(super) fn features(text: &str, buckets: u32, concept_buckets: u32) -> Found {
    let read: String = text.chars().take(TEXT_MAX).collect();
    let rows = content::concepts(&read).into_iter().map(|concept| concept.hash % u64::from(concept_buckets));
    let concepts = rows.map(|row| buckets.saturating_add(u32::try_from(row).unwrap_or(0))).collect();
    Found { grams: grams(&read, buckets), concepts }
}

/// The buckets, below `buckets`, that the words and characters of `text` fall into.
fn grams(text: &str, buckets: u32) -> BTreeSet<u32> {
    let mut found = Features { buckets, set: BTreeSet::new() };
    let mut previous = String::new();
    for run in runs(text) {
        let edged: Vec<char> = format!("^{}$", run.text).chars().collect();
        match run.script {
            Script::Han => {
                run.text.chars().for_each(|c| found.add('z', &c.to_string()));
                found.add_grams('z', &edged, 2..=4);
            }
            Script::Word => {
                found.add('w', &run.text);
                found.add('b', &format!("{previous} {}", run.text));
                found.add_grams('c', &edged, 4..=5);
            }
            Script::Mark => found.add('p', &run.text),
        }
        previous = if run.script == Script::Word { run.text } else { String::new() };
    }
    found.set
}

struct Features {
    buckets: u32,
    set: BTreeSet<u32>,
}

impl Features {
    fn add(&mut self, class: char, text: &str) {
        self.set.insert(fnv1a(class, text) % self.buckets);
    }

    fn add_grams(&mut self, class: char, text: &[char], lengths: std::ops::RangeInclusive<usize>) {
        for window in lengths.flat_map(|length| text.windows(length)) {
            self.add(class, &window.iter().collect::<String>());
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Han,
    /// ASCII letters, digits and the stars of masked numbers.
    Word,
    /// A question or exclamation mark.
    Mark,
}

struct Run {
    script: Script,
    text: String,
}

fn runs(text: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut open = None;
    for c in text.chars().map(fold).filter(|c| !matches!(c, '\'' | '’')) {
        let script = script(c);
        match (script, runs.last_mut()) {
            (Some(now), Some(run)) if script == open && now != Script::Mark => run.text.push(c),
            (Some(script), _) => runs.push(Run { script, text: c.to_string() }),
            (None, _) => {}
        }
        open = script;
    }
    for run in runs.iter_mut().filter(|run| run.script == Script::Word) {
        run.text = numbers_to_marks(&run.text);
    }
    runs
}

fn fold(c: char) -> char {
    let narrow = match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    };
    narrow.to_ascii_lowercase()
}

fn script(c: char) -> Option<Script> {
    match c {
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' => Some(Script::Han),
        '*' => Some(Script::Word),
        '?' | '!' => Some(Script::Mark),
        _ if c.is_ascii_alphanumeric() => Some(Script::Word),
        _ => None,
    }
}

/// Each run of digits becomes `#`, or `##` from six digits on: an order number says more than its digits.
fn numbers_to_marks(word: &str) -> String {
    let (mut out, mut digits) = (String::new(), 0);
    for c in word.chars().map(Some).chain([None]) {
        if c.is_some_and(|c| c.is_ascii_digit() || c == '*') {
            digits += 1;
            continue;
        }
        out.push_str(match digits {
            0 => "",
            1..=5 => "#",
            _ => "##",
        });
        digits = 0;
        out.extend(c);
    }
    out
}

/// FNV-1a of 32 bits over the UTF-8 of `class` and `text`.
fn fnv1a(class: char, text: &str) -> u32 {
    let class = class as u8;
    let hash = |value: u32, byte: &u8| (value ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    [class].iter().chain(text.as_bytes()).fold(0x811c_9dc5, hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_split_by_script_and_numbers_become_marks() {
        let read = |text: &str| runs(text).into_iter().map(|run| run.text).collect::<Vec<_>>();
        assert_eq!(read("订单SO-１２３４５６７ 到哪了？Don't"), ["订单", "so", "##", "到哪了", "?", "dont"]);
        assert_eq!(read("138****5678!! a12b"), ["##", "!", "!", "a#b"]);
        assert!(read(" ，。").is_empty());
    }

    #[test]
    fn the_hash_is_the_published_fnv1a() {
        assert_eq!(fnv1a('a', ""), 0xe40c_292c);
        assert_eq!(fnv1a('f', "oobar"), 0xbf9c_f968);
    }
}
