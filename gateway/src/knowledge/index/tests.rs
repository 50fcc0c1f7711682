//! The graph against the scan, and the index against a naive model of its history.

use super::vectors::{Vectors, scan};
use super::*;
use crate::knowledge::features::{features, mix};

fn entry(id: usize, question: &str, text: &str) -> Arc<Indexed> {
    let (source, title) = ("a.csv".to_owned(), question.to_owned());
    let passage = Passage {
        similar: Vec::new(),
        id: format!("{id:05}"),
        source,
        question: Some(title.clone()),
        title,
        text: text.to_owned(),
        updated: None,
    };
    Arc::new(Indexed::new(passage, Encoder::embedded()))
}

/// Distinct sentences of shop words, the same in every run.
fn sentence(number: usize) -> String {
    const WORDS: [&str; 24] = [
        "退货",
        "运费",
        "发票",
        "咖啡机",
        "保修",
        "会员",
        "积分",
        "地址",
        "付款",
        "安装",
        "水壶",
        "门店",
        "return",
        "invoice",
        "warranty",
        "coffee",
        "parking",
        "refund",
        "几天",
        "多少钱",
        "怎么",
        "可以",
        "where",
        "how long",
    ];
    let mut state = number as u64 + 1;
    let words = (0..6).map(|_| {
        state = mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
        WORDS[(state % 24) as usize]
    });
    format!("{} {number}", words.collect::<Vec<_>>().join(" "))
}

fn entries(count: usize) -> Vec<Arc<Indexed>> {
    (0..count).map(|i| entry(i, &sentence(i), &sentence(i + 100_000))).collect()
}

fn places(snapshot: &Snapshot, text: &str) -> Vec<String> {
    let all = features(text);
    let found = snapshot.candidates(&Encoder::embedded().encode(text), &all, 5);
    found.into_iter().map(|candidate| candidate.entry.passage.id.clone()).collect()
}

#[test]
fn the_graph_finds_what_the_scan_finds() {
    let entries = entries(300);
    let graph = Vectors::graph(&entries);
    let everything = |_: usize| true;
    let (mut same, mut all) = (0, 0);
    for number in 0..100 {
        let query = Encoder::embedded().encode(&sentence(number + 7_000));
        let exact = scan(&entries, &query, 3, &everything);
        let found = graph.nearest(&entries, &query, 3, &everything);
        all += exact.len();
        same += exact.iter().filter(|place| found.contains(place)).count();
    }
    assert!(same * 100 >= all * 99, "recall {same} of {all}");
}

#[test]
fn the_graph_never_returns_what_is_gone_and_falls_back_to_the_scan() {
    let entries = entries(150);
    let graph = Vectors::graph(&entries);
    let alive = |at: usize| at.is_multiple_of(50);
    let query = Encoder::embedded().encode(&sentence(5));
    assert_eq!(graph.nearest(&entries, &query, 4, &alive), scan(&entries, &query, 4, &alive));
}

#[test]
fn any_history_of_changes_gives_the_state_it_should() {
    let mut state = 3_u64;
    let mut next = |bound: u64| {
        state = mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
        state % bound
    };
    let mut live = Live::new();
    let mut snapshot = Snapshot::default();
    for version in 1..100 {
        let number = next(15) as usize;
        if next(3) == 0 {
            live.remove(&format!("{number:05}"));
        } else {
            let entry = entry(number, &sentence(number), &format!("第{version}版"));
            live.insert(entry.passage.id.clone(), entry);
        }
        let base = if next(10) == 0 {
            Arc::new(Segment::new(live.values().cloned().collect()))
        } else {
            snapshot.base().clone()
        };
        snapshot = Snapshot::new(version, Arc::new(live.clone()), base);
        for number in 0..15 {
            let id = format!("{number:05}");
            let found = snapshot.candidates(
                &Encoder::embedded().encode(&sentence(number)),
                &features(&sentence(number)),
                3,
            );
            let hit = found.iter().find(|candidate| candidate.entry.passage.id == id);
            assert_eq!(
                hit.map(|hit| &hit.entry.passage),
                live.get(&id).map(|entry| &entry.passage),
                "version {version}"
            );
            assert!(found.iter().all(|candidate| live.contains_key(&candidate.entry.passage.id)));
        }
    }
}

#[test]
fn rare_words_count_more_than_common_ones() {
    let all =
        vec![entry(0, "HC-K1水壶", "水壶"), entry(1, "水壶怎么洗", "水壶"), entry(2, "水壶保温", "水壶")];
    let live = all.iter().map(|entry| (entry.passage.id.clone(), entry.clone())).collect();
    let snapshot = Snapshot::new(1, Arc::new(live), Arc::new(Segment::new(all)));
    assert_eq!(places(&snapshot, "HC-K1水壶").len(), 3);
    let found = snapshot.candidates(&Encoder::embedded().encode("HC-K1水壶"), &features("HC-K1水壶"), 5);
    let best = found.iter().max_by(|a, b| a.keywords.total_cmp(&b.keywords)).unwrap();
    assert_eq!(best.entry.passage.id, "00000");
}
