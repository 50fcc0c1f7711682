//! A batch becomes a step: one list of tokens, with everything checked that the kernels rely on.

use crate::model::Step;
use crate::scheduler::batch::{Batch, ExecuteError, Work};
use crate::weights::Config;

/// The batch as a step, if its tokens, positions and blocks exist.
pub(super) fn checked(
    batch: &Batch,
    config: &Config,
    block_size: usize,
    block_count: usize,
) -> Result<Step, ExecuteError> {
    let mut step = Step::default();
    for work in &batch.work {
        check(work, config, block_size, block_count)
            .map_err(|problem| ExecuteError(format!("sequence {}: {problem}", work.sequence)))?;
        let start = step.tokens.len();
        step.tokens.extend_from_slice(&work.tokens);
        step.positions.extend(work.position..work.position + work.tokens.len());
        step.sequences.push((start..step.tokens.len(), work.blocks.clone()));
        if work.sample.is_some() {
            step.wanted.push(step.tokens.len() - 1);
        }
    }
    Ok(step)
}

fn check(work: &Work, config: &Config, block_size: usize, block_count: usize) -> Result<(), String> {
    if work.tokens.is_empty() {
        return Err("expected at least one token, found none".to_owned());
    }
    let end = work.position.saturating_add(work.tokens.len());
    if end > config.context_length {
        return Err(format!("expected at most {} tokens, found {end}", config.context_length));
    }
    if let Some(token) = work.tokens.iter().find(|&&token| token as usize >= config.vocab_size) {
        return Err(format!("expected tokens below {}, found {token}", config.vocab_size));
    }
    if work.blocks.len() < end.div_ceil(block_size) {
        let (needed, found) = (end.div_ceil(block_size), work.blocks.len());
        return Err(format!("expected {needed} blocks for {end} tokens, found {found}"));
    }
    if let Some(block) = work.blocks.iter().find(|&&block| block as usize >= block_count) {
        return Err(format!("expected blocks below {block_count}, found {block}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_computed_is_refused_with_the_reason() {
        let config = Config::tiny();
        let work = |tokens: &[u32], position, blocks: &[u32]| Work {
            sequence: 7,
            tokens: tokens.to_vec(),
            position,
            blocks: blocks.to_vec(),
            sample: None,
        };
        let error =
            |work: Work| checked(&Batch { work: vec![work] }, &config, 16, 4).unwrap_err().to_string();
        assert!(error(work(&[], 0, &[0])).contains("at least one token"));
        assert!(error(work(&[1], config.context_length, &[0])).contains("at most"));
        assert!(error(work(&[config.vocab_size as u32], 0, &[0])).contains("tokens below"));
        assert!(error(work(&[1, 1], 15, &[0])).contains("2 blocks for 17 tokens, found 1"));
        assert!(error(work(&[1], 0, &[4])).contains("blocks below 4, found 4"));
        assert!(checked(&Batch { work: vec![work(&[1, 2], 15, &[3, 0])] }, &config, 16, 4).is_ok());
    }
}
