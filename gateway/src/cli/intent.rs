//! `frontdesk intent`: what a customer wants.

use super::{lines, say};
use crate::intent::Classifier;

/// Classifies each text.
pub fn run(input: &lines::Input) -> anyhow::Result<()> {
    let classifier = Classifier::embedded();
    lines::each(input.text.as_deref(), |text| {
        let found = classifier.predict(text);
        match input.json {
            true => say::line(&serde_json::to_string(&found)?),
            false if found.abstained => say::line(&format!("unclear ({:.2})", found.probability)),
            false => say::line(&format!("{} ({:.2})", found.intent.as_str(), found.probability)),
        }
        Ok(())
    })
}
