//! The second half of a layer: each token visits its experts, and each expert sees its tokens together.

use crate::device::{Choice, Device, Group, Rows};
use crate::weights::{Config, Expert, Moe, Shard};
use std::ops::Range;

/// Room for one step's activations.
#[derive(Debug)]
pub(super) struct MoeRows {
    logits: Rows,
    choices: Vec<Choice>,
    /// Inputs, sorted by expert: a row per (token, expert).
    inputs: Rows,
    gate_up: Rows,
    inner: Rows,
    outputs: Rows,
    mixed: Rows,
}

impl MoeRows {
    pub(super) fn new(config: &Config, shard: &Shard) -> Self {
        let (hidden, width) = (config.hidden_size, shard.expert_width.len());
        Self {
            logits: Rows::new(config.experts),
            choices: Vec::new(),
            inputs: Rows::new(hidden),
            gate_up: Rows::new(2 * width),
            inner: Rows::new(width),
            outputs: Rows::new(hidden),
            mixed: Rows::new(hidden),
        }
    }

    /// This rank's part of the experts' answers to normed rows; the ranks' parts are to be summed.
    pub(super) fn run<D: Device>(
        &mut self,
        device: &D,
        config: &Config,
        weights: &Moe,
        x: &Rows,
    ) -> &mut Rows {
        self.logits.resize(x.len());
        self.mixed.resize(x.len());
        let router = Group { rows: 0..x.len(), matrix: &weights.router, bias: &weights.router_bias };
        device.matmul(x, &[router], &mut self.logits);
        device.route(&self.logits, config.experts_per_token, &mut self.choices);

        let plan = Plan::new(&self.choices, config.experts, config.experts_per_token);
        for rows in [&mut self.inputs, &mut self.gate_up, &mut self.inner, &mut self.outputs] {
            rows.resize(self.choices.len());
        }
        device.gather(x, &plan.sources, &mut self.inputs);
        let groups = plan.groups(&weights.experts, |e| (&e.gate_up, &e.gate_up_bias));
        device.matmul(&self.inputs, &groups, &mut self.gate_up);
        device.swiglu(&self.gate_up, config.swiglu_alpha, config.swiglu_limit, &mut self.inner);
        let groups = plan.groups(&weights.experts, |e| (&e.down, &e.down_bias));
        device.matmul(&self.inner, &groups, &mut self.outputs);
        device.combine(&self.outputs, &plan.parts, config.experts_per_token, &mut self.mixed);
        &mut self.mixed
    }
}

/// Which token goes where.
struct Plan {
    /// Rows of each expert among the sorted inputs.
    experts: Vec<Range<usize>>,
    /// The token of each sorted input.
    sources: Vec<usize>,
    /// For each token its sorted inputs and their weights, in the order of the experts.
    parts: Vec<(usize, f32)>,
}

impl Plan {
    fn new(choices: &[Choice], experts: usize, per_token: usize) -> Self {
        let mut visitors = vec![Vec::new(); experts];
        for (i, choice) in choices.iter().enumerate() {
            visitors[choice.expert].push((i / per_token, choice.weight));
        }
        let mut parts = vec![Vec::with_capacity(per_token); choices.len() / per_token.max(1)];
        let (mut ranges, mut sources) = (Vec::with_capacity(experts), Vec::with_capacity(choices.len()));
        for visitors in visitors {
            let start = sources.len();
            for (token, weight) in visitors {
                parts[token].push((sources.len(), weight));
                sources.push(token);
            }
            ranges.push(start..sources.len());
        }
        Self { experts: ranges, sources, parts: parts.concat() }
    }

    /// One product for each expert that has visitors.
    fn groups<'a>(
        &self,
        experts: &'a [Expert],
        part: impl Fn(&'a Expert) -> (&'a crate::device::Matrix, &'a Vec<f32>),
    ) -> Vec<Group<'a>> {
        let busy = self.experts.iter().zip(experts).filter(|(rows, _)| !rows.is_empty());
        busy.map(|(rows, expert)| {
            let (matrix, bias) = part(expert);
            Group { rows: rows.clone(), matrix, bias }
        })
        .collect()
    }
}
