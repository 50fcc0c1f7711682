//! Hand-written customer messages with the spans that a careful reader would mark: `cases.jsonl`, one a line.

use serde::Deserialize;

use super::super::*;

#[derive(Deserialize)]
struct Case {
    text: String,
    spans: Vec<Expected>,
}

#[derive(Debug, Deserialize)]
struct Expected {
    kind: Kind,
    start: usize,
    end: usize,
}

fn cases() -> impl Iterator<Item = Case> {
    include_str!("cases.jsonl").lines().map(|line| serde_json::from_str(line).unwrap())
}

#[test]
fn every_message_is_read_as_a_careful_reader_would() {
    let mut wrong = Vec::new();
    for case in cases() {
        let found = Masker::default().scan(&case.text);
        let same = |(found, expected): (&Span, &Expected)| {
            (found.kind, found.start, found.end) == (expected.kind, expected.start, expected.end)
        };
        if found.len() != case.spans.len() || !found.iter().zip(&case.spans).all(same) {
            wrong.push(format!("{}\n  expected {:?}\n  found {found:?}", case.text, case.spans));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_message_masks_to_a_fixed_point_and_streams_to_the_same() {
    let masker = Masker::new(Policy::of(Kind::ALL));
    for case in cases() {
        let once = masker.mask(&case.text);
        assert_eq!(masker.mask(once.as_str()), once, "{}", case.text);
        let (mut stream, mut joined) = (masker.stream(), Masked::default());
        for c in case.text.chars() {
            joined.append(&stream.push(c.encode_utf8(&mut [0; 4])));
        }
        joined.append(&stream.finish());
        assert_eq!(joined, once, "{}", case.text);
    }
}
