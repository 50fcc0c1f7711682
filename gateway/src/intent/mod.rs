//! What the customer wants: eight classes, or an abstention.
//!
//! A linear model over hashed character n-grams, words and the lexicon's concepts, trained and measured by
//! `gateway/intent/train.py` (figures in `gateway/intent/README.md`). It is small enough to be part of the program.

mod features;
mod weights;

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub use weights::InvalidWeights;
use weights::Weights;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Products, prices, policies, hours: before an order or without one.
    Consultation,
    /// Where an order or delivery is; changing or cancelling it.
    OrderQuery,
    /// Returns, exchanges, repairs, refunds, warranty, defects.
    AfterSales,
    /// Paying, failed payments, deductions, invoices.
    PaymentInvoice,
    /// Login, password, registration, personal data, membership account.
    Account,
    /// Dissatisfaction with how one was treated, and escalation.
    Complaint,
    /// An improvement is proposed.
    Suggestion,
    /// Small talk and everything that is no business of the shop.
    Other,
}

impl Intent {
    /// Every intent, in the order of the classifier's classes.
    pub const ALL: [Self; 8] = [
        Self::Consultation,
        Self::OrderQuery,
        Self::AfterSales,
        Self::PaymentInvoice,
        Self::Account,
        Self::Complaint,
        Self::Suggestion,
        Self::Other,
    ];

    /// The snake_case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Consultation => "consultation",
            Self::OrderQuery => "order_query",
            Self::AfterSales => "after_sales",
            Self::PaymentInvoice => "payment_invoice",
            Self::Account => "account",
            Self::Complaint => "complaint",
            Self::Suggestion => "suggestion",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Intent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What the classifier thinks of one message.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prediction {
    /// The most probable intent, also when abstaining.
    pub intent: Intent,
    /// Its calibrated probability, 0 to 1.
    pub probability: f32,
    /// The probability is too low to act on.
    pub abstained: bool,
}

/// The trained classifier.
#[derive(Debug)]
pub struct Classifier {
    weights: Weights,
}

impl Classifier {
    /// The classifier that is part of this program.
    pub fn embedded() -> &'static Self {
        static EMBEDDED: LazyLock<Classifier> = LazyLock::new(|| {
            #[expect(
                clippy::expect_used,
                reason = "compiled in and loaded by tests: no user can see it fail"
            )]
            Classifier::load(include_bytes!("../../intent/weights.bin"))
                .expect("the embedded weights are tested")
        });
        &EMBEDDED
    }

    /// A classifier from a weights file that `gateway/intent/train.py` wrote.
    pub fn load(file: &[u8]) -> Result<Self, InvalidWeights> {
        Ok(Self { weights: Weights::parse(file)? })
    }

    /// What the customer who wrote `text` wants.
    pub fn predict(&self, text: &str) -> Prediction {
        let found = features::features(text, self.weights.buckets, self.weights.concept_buckets);
        let probabilities = self.weights.probabilities(&found);
        let best = |best: (Intent, f32), next: (Intent, f32)| if next.1 > best.1 { next } else { best };
        let (intent, probability) =
            Intent::ALL.into_iter().zip(probabilities).fold((Intent::Other, 0.0), best);
        Prediction { intent, probability, abstained: probability < self.weights.threshold }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        text: String,
        intent: Intent,
        probability: f32,
        abstained: bool,
    }

    #[test]
    fn predictions_equal_those_of_the_training_script() {
        let golden: Vec<Golden> = serde_json::from_str(include_str!("../../intent/golden.json")).unwrap();
        assert!(golden.len() > 20);
        for golden in golden {
            let found = Classifier::embedded().predict(&golden.text);
            assert_eq!((found.intent, found.abstained), (golden.intent, golden.abstained), "{}", golden.text);
            assert!((found.probability - golden.probability).abs() < 1e-3, "{}: {found:?}", golden.text);
        }
    }

    #[test]
    fn plain_messages_are_understood_in_both_languages() {
        for (text, intent) in [
            ("我要退货", "after_sales"),
            ("I want to return this", "after_sales"),
            ("我的快递到哪了", "order_query"),
            ("where is my order", "order_query"),
            ("忘记密码了怎么办", "account"),
            ("怎么开发票", "payment_invoice"),
            ("我要投诉你们客服", "complaint"),
            ("建议增加夜间模式", "suggestion"),
            ("你们几点开门", "consultation"),
            ("讲个笑话", "other"),
        ] {
            assert_eq!(Classifier::embedded().predict(text).intent.as_str(), intent, "{text}");
        }
    }

    #[test]
    fn held_out_messages_are_mostly_right_and_surer_when_answered() {
        let (mut right, mut answered, mut answered_right, mut all) = (0, 0, 0, 0);
        for line in include_str!("../../intent/data/heldout.tsv").lines() {
            let (intent, text) = line.split_once('\t').unwrap();
            let found = Classifier::embedded().predict(text);
            let hit = found.intent.as_str() == intent;
            all += 1;
            right += usize::from(hit);
            answered += usize::from(!found.abstained);
            answered_right += usize::from(hit && !found.abstained);
        }
        assert!(right * 100 >= all * 70, "{right} of {all}");
        assert!(answered_right * 100 >= answered * 80, "{answered_right} of {answered}");
    }

    #[test]
    fn nothing_and_nonsense_are_answered_without_failing() {
        let long = "退款".repeat(100_000);
        for text in ["", "   ", "？？", "\u{0}\u{1f600}", &long] {
            let found = Classifier::embedded().predict(text);
            assert!((0.0..=1.0).contains(&found.probability), "{found:?}");
        }
        let json = serde_json::to_value(Classifier::embedded().predict("我要退货")).unwrap();
        assert_eq!(json["intent"], "after_sales");
    }
}
