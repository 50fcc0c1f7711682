//! `frontdesk mask`: how personal data in a text is found and masked.

use super::{lines, say};
use crate::config::Config;
use crate::mask::Masker;

/// Masks each text.
pub fn run(config: &Config, input: &lines::Input) -> anyhow::Result<()> {
    let masker = Masker::new(config.mask);
    lines::each(input.text.as_deref(), |text| {
        let (masked, spans) = masker.mask_with_spans(text);
        match input.json {
            true => say::line(&serde_json::json!({ "masked": masked, "spans": spans }).to_string()),
            false => say::line(masked.as_str()),
        }
        Ok(())
    })
}
