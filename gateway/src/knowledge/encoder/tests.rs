//! The encoder against its twin in Python, and what any text may do to it.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Golden {
    vectors: Vec<GoldenVector>,
    told: Vec<GoldenTold>,
}

#[derive(Deserialize)]
struct GoldenTold {
    question: String,
    heading: String,
    /// Logarithms: of all that is asked, and of what is told worst.
    told: (f32, f32),
}

#[derive(Deserialize)]
struct GoldenVector {
    text: String,
    /// Every eighth number of the vector.
    vector: Vec<f32>,
}

fn likeness(one: &str, other: &str) -> f32 {
    dot(&Encoder::embedded().encode(one), &Encoder::embedded().encode(other))
}

#[test]
fn the_training_script_gives_the_same_numbers() {
    let golden: Golden = serde_json::from_str(include_str!("../../../encoder/golden.json")).unwrap();
    assert!(golden.vectors.len() >= 6 && golden.told.len() >= 4);
    for GoldenTold { question, heading, told: (all, worst) } in golden.told {
        let read = |text: &str, role| Encoder::embedded().read(text, role);
        let heading = read(&heading, Role::Heading);
        let ours = Encoder::embedded().told(&read(&question, Role::Question), &[&heading]);
        // Rust keeps claims in 127ths.
        assert!((ours.all - all).abs() < 0.2 && (ours.worst - worst).abs() < 0.1, "{question}: {ours:?}");
    }
    for GoldenVector { text, vector } in golden.vectors {
        let ours = Encoder::embedded().encode(&text);
        for (place, expected) in vector.into_iter().enumerate() {
            assert!((ours[place * 8] - expected).abs() < 1e-4, "{text}: {place}");
        }
    }
}

#[test]
fn vectors_have_length_one_or_zero() {
    for text in ["退货", "return", "魑魅魍魉", "zqxv"] {
        assert!((likeness(text, text) - 1.0).abs() < 1e-4, "{text}");
    }
    assert_eq!(Encoder::embedded().encode("？！"), [0.0; DIMENSIONS]);
}

#[test]
fn words_never_seen_match_themselves_and_not_each_other() {
    let (one, other) = ("Zyglophant XQ-77", "Brumbleforth WJ-31");
    assert!(likeness(one, "Zyglophant XQ-77 price") > 0.5);
    assert!(likeness(one, other) < 0.4);
}

#[test]
fn two_ways_of_asking_are_nearer_than_two_questions() {
    let asked = "买回来不喜欢还能退吗";
    assert!(likeness(asked, "收到货后多久可以退货？") > likeness(asked, "怎么开发票？"));
    assert!(likeness("Can I get my money back?", "退款") > likeness("Can I get my money back?", "停车场"));
}

#[test]
fn each_place_holds_its_word_its_neighbours_and_what_the_phrase_means() {
    let found = places("退款要3天", Role::Question);
    let has = |place: usize, kind, text: &str| found[place].contains(&Feature::new(kind, text));
    assert_eq!(found.len(), 5);
    assert!(has(0, Kind::Gram1, "退") && has(0, Kind::Gram2, "退款") && has(1, Kind::Gram2, "退款"));
    assert!(
        has(0, Kind::Concept, "refund")
            && has(1, Kind::Concept, "refund")
            && !has(2, Kind::Concept, "refund")
    );
    assert!(has(3, Kind::Word, "3") && has(3, Kind::Word, "#") && !has(2, Kind::Word, "#"));
    assert!(places(&"很长".repeat(500), Role::Question).len() < 100);
}

#[test]
fn each_place_must_be_met_for_a_full_mean() {
    let read = |text: &str, role| Encoder::embedded().read(text, role);
    let compared = |question: &str, heading: &str| {
        let heading = read(heading, Role::Heading);
        mean_and_worst(read(question, Role::Question).met(&[&heading]))
    };
    let (same, _) = compared("coffee grinder", "a coffee grinder");
    let (more, worst) = compared("coffee grinder zyglophant", "a coffee grinder");
    let (other, _) = compared("zyglophant", "退货");
    assert!(same > 0.7 && more < same && worst > 0.0 && other < more, "{same} {more} {worst} {other}");
    assert_eq!(compared("", "coffee"), (0.0, 1.0));
}

#[test]
fn all_that_is_asked_must_be_told() {
    let read = |text: &str, role| Encoder::embedded().read(text, role);
    let told = |question: &str, others: &[&str]| {
        let others: Vec<Reading> = others.iter().map(|text| read(text, Role::Heading)).collect();
        Encoder::embedded().told(&read(question, Role::Question), &others.iter().collect::<Vec<_>>())
    };
    let heading = "收到货后多久可以退货？";
    let (same, more, other) = (
        told("多久可以退货", &[heading]),
        told("多久可以退货，可以带狗吗", &[heading]),
        told("停车场收费吗", &[heading]),
    );
    assert!(same.all > -1.0 && more.all < same.all && other.all < -2.0, "{same:?} {more:?} {other:?}");
    assert!(more.clause > more.all && other.clause == other.all, "one clause is told: {more:?} {other:?}");
    assert!(
        same.mean > more.mean && more.mean > other.mean && more.worst >= more.all,
        "{same:?} {more:?} {other:?}"
    );
    assert!(
        told("多久可以退货，可以带狗吗", &[heading, "可以带宠物狗进店吗"]).all > more.all,
        "texts add up"
    );
    let nothing = Told { all: 0.0, worst: 0.0, clause: 0.0, mean: 0.0 };
    assert_eq!(told("", &[heading]), nothing);
    assert!(told("zyglophant 退货", &[]).all >= -MOST_LACKING);
}

#[test]
fn a_place_is_met_by_the_best_of_all_texts() {
    let read = |text: &str, role| Encoder::embedded().read(text, role);
    let (question, one, other) =
        (read("退货运费", Role::Question), read("退货", Role::Heading), read("运费谁出", Role::Text));
    let met = |others: &[&Reading]| question.met(others).map(|(_, likeness)| likeness).collect::<Vec<_>>();
    let best: Vec<f32> = met(&[&one]).iter().zip(met(&[&other])).map(|(a, b)| a.max(b)).collect();
    assert_eq!(met(&[&one, &other]), best);
}

#[test]
fn a_changed_or_torn_file_is_refused() {
    let whole = WEIGHTS.to_vec();
    assert!(Encoder::from_bytes(&whole).is_ok());
    for end in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        assert!(Encoder::from_bytes(&whole[..end]).is_err(), "{end}");
    }
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert!(matches!(Encoder::from_bytes(&changed), Err(EncoderError::Metadata { name: "sha256", .. })));
}

#[test]
fn dot_products_equal_the_plain_sum() {
    for length in [0, 1, 15, 16, 17, 512, 515] {
        let (a, b): (Vec<f32>, Vec<f32>) =
            (0..length).map(|i| ((i % 7) as f32, (i % 5) as f32 - 2.0)).unzip();
        let plain: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        assert!((dot(&a, &b) - plain).abs() < 1e-2, "{length}");
    }
}
