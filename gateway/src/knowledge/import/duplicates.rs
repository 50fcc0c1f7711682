//! Which of several passages stays, where they say the same or answer the same question.

use std::collections::{HashMap, HashSet};

use super::super::features::normalise;
use crate::store::Passage;

/// Answers to one question that share this much of their wording are versions of one another.
const SAME_ANSWER: f32 = 0.5;

/// What became of one passage.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) enum Verdict {
    /// It stays.
    Kept,
    /// The one at this place says the same, or says it newer or more fully.
    ReplacedBy(usize),
    /// It stays beside the one at this place, which answers the same question otherwise; neither says which is newer.
    ConflictsWith(usize),
}

/// Judges passages in order (older sources first); a verdict each.
pub(in super::super) fn deduplicate(passages: &[&Passage]) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::Kept; passages.len()];
    let mut same_text: HashMap<(String, String), usize> = HashMap::new();
    let mut same_question: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, passage) in passages.iter().enumerate() {
        let key = (key(passage.question.as_deref().unwrap_or_default()), key(&passage.text));
        let question = key.0.clone();
        if let Some(first) = same_text.insert(key.clone(), at) {
            // The place of the first stays, unless this one is newer.
            let newer = passage.updated > passages.get(first).and_then(|first| first.updated.clone());
            let (loser, winner) = if newer { (first, at) } else { (at, first) };
            same_text.insert(key, winner);
            set(&mut verdicts, loser, Verdict::ReplacedBy(winner));
            if !newer {
                continue;
            }
        }
        if question.is_empty() {
            continue;
        }
        let rivals = same_question.entry(question).or_default();
        for rival in rivals.iter().copied() {
            let Some(other) =
                passages.get(rival).filter(|_| !matches!(verdicts.get(rival), Some(Verdict::ReplacedBy(_))))
            else {
                continue;
            };
            match compare(other, passage) {
                Winner::First => set(&mut verdicts, at, Verdict::ReplacedBy(rival)),
                Winner::Second => set(&mut verdicts, rival, Verdict::ReplacedBy(at)),
                Winner::Neither => set(&mut verdicts, at, Verdict::ConflictsWith(rival)),
            }
        }
        rivals.push(at);
    }
    verdicts
}

enum Winner {
    First,
    Second,
    Neither,
}

/// Two answers to one question: the newer wins; where dates do not tell, versions of one answer are told apart by length, then place.
fn compare(first: &Passage, second: &Passage) -> Winner {
    if let (Some(one), Some(other)) = (&first.updated, &second.updated)
        && one != other
    {
        return if one > other { Winner::First } else { Winner::Second };
    }
    if likeness(&first.text, &second.text) < SAME_ANSWER {
        return Winner::Neither;
    }
    if first.text.chars().count() > second.text.chars().count() { Winner::First } else { Winner::Second }
}

fn set(verdicts: &mut [Verdict], at: usize, verdict: Verdict) {
    if let Some(place) = verdicts.get_mut(at) {
        *place = verdict;
    }
}

/// Letters and digits only, without the particles that make no difference to a question.
fn key(text: &str) -> String {
    let plain = normalise(text);
    let plain = ["请问", "please ", "您好", "你好"].iter().fold(plain, |text, word| text.replace(word, ""));
    plain.chars().filter(|c| c.is_alphanumeric() && !matches!(c, '呢' | '吗' | '啊' | '呀' | '吧')).collect()
}

/// Jaccard likeness of the two texts' shingles of three characters.
fn likeness(one: &str, other: &str) -> f32 {
    let shingles = |text: &str| -> HashSet<[char; 3]> {
        let letters: Vec<char> = key(text).chars().collect();
        letters.windows(3).filter_map(|three| three.try_into().ok()).collect()
    };
    let (one, other) = (shingles(one), shingles(other));
    let common = one.intersection(&other).count() as f32;
    common / (one.len() as f32 + other.len() as f32 - common).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(question: &str, text: &str, updated: Option<&str>) -> Passage {
        Passage {
            id: format!("{question}{text}{updated:?}"),
            source: "a.csv".into(),
            title: question.into(),
            question: Some(question.into()),
            similar: Vec::new(),
            text: text.into(),
            updated: updated.map(Into::into),
        }
    }

    fn judge(passages: &[Passage]) -> Vec<Verdict> {
        deduplicate(&passages.iter().collect::<Vec<_>>())
    }

    #[test]
    fn the_same_words_stay_once() {
        let all =
            [passage("几天发货？", "48小时内发货。", None), passage("请问几天发货呢", "48小时内发货", None)];
        assert_eq!(judge(&all), [Verdict::Kept, Verdict::ReplacedBy(0)]);
    }

    #[test]
    fn a_newer_answer_supersedes_an_older_one_in_either_order() {
        let old = passage("运费多少？", "运费10元。", Some("2025-01-01"));
        let new = passage("运费多少", "满99元包邮，否则12元。", Some("2026-03-01"));
        assert_eq!(judge(&[old.clone(), new.clone()]), [Verdict::ReplacedBy(1), Verdict::Kept]);
        assert_eq!(judge(&[new, old]), [Verdict::Kept, Verdict::ReplacedBy(0)]);
    }

    #[test]
    fn without_dates_the_fuller_version_wins_and_real_conflicts_stay() {
        let short = passage("运费多少？", "全国统一运费12元，满99元包邮。", None);
        let long = passage("运费多少？", "全国统一运费12元，满99元包邮，偏远地区除外。", None);
        let other = passage("运费多少？", "请看结算页。", None);
        assert_eq!(judge(&[long.clone(), short.clone()]), [Verdict::Kept, Verdict::ReplacedBy(0)]);
        assert_eq!(judge(&[short, long]), [Verdict::ReplacedBy(1), Verdict::Kept]);
        assert_eq!(
            judge(&[passage("运费多少？", "满99元包邮。", None), other]),
            [Verdict::Kept, Verdict::ConflictsWith(0)]
        );
    }

    #[test]
    fn different_questions_never_meet() {
        let all = [passage("KX-200多少钱？", "899元。", None), passage("KX-300多少钱？", "899元。", None)];
        assert_eq!(judge(&all), [Verdict::Kept, Verdict::Kept]);
    }
}
