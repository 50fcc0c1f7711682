//! Which values a request may hold: asked once, before anything is queued or computed.

use super::{Rejected, Request, Sampling, TokenId};

/// The most tokens with log-probabilities beside each generated token (the OpenAI API's limit).
pub const TOP_LOGPROBS_MAX: u8 = 20;
/// The most entries of `Sampling::logit_bias`.
pub const LOGIT_BIAS_MAX: usize = 1024;
/// The most tokens of `Request::stop`.
pub const STOP_MAX: usize = 256;

impl Request {
    /// Checks every value against its range. `vocabulary_size`: tokens are below it.
    ///
    /// # Errors
    /// [`Rejected::Invalid`], naming the value, what was found and what is expected.
    pub fn check(&self, vocabulary_size: usize) -> Result<(), Rejected> {
        require(!self.prompt.is_empty(), || "prompt is empty: it needs at least one token".into())?;
        require(self.max_tokens >= 1, || "max_tokens is 0: it needs to be at least 1".into())?;
        require(self.stop.len() <= STOP_MAX, || {
            format!("stop has {} tokens: at most {STOP_MAX} are allowed", self.stop.len())
        })?;
        require(self.logprobs.is_none_or(|top| top <= TOP_LOGPROBS_MAX), || {
            format!("logprobs is {}: at most {TOP_LOGPROBS_MAX}", self.logprobs.unwrap_or_default())
        })?;
        let foreign = |token: &TokenId| *token as usize >= vocabulary_size;
        if let Some(at) = self.prompt.iter().position(foreign) {
            let token = self.prompt[at];
            return Err(Rejected::Invalid(format!(
                "prompt[{at}] is {token}: the vocabulary holds {vocabulary_size} tokens"
            )));
        }
        self.sampling.check(vocabulary_size)
    }
}

impl Sampling {
    fn check(&self, vocabulary_size: usize) -> Result<(), Rejected> {
        within("temperature", self.temperature, 0.0, f32::MAX)?;
        within("top_p", self.top_p, 0.0, 1.0)?;
        within("min_p", self.min_p, 0.0, 1.0)?;
        within("frequency_penalty", self.frequency_penalty, f32::MIN, f32::MAX)?;
        within("presence_penalty", self.presence_penalty, f32::MIN, f32::MAX)?;
        require(self.logit_bias.len() <= LOGIT_BIAS_MAX, || {
            format!("logit_bias has {} entries: at most {LOGIT_BIAS_MAX} are allowed", self.logit_bias.len())
        })?;
        self.logit_bias.iter().try_for_each(|&(token, bias)| {
            require((token as usize) < vocabulary_size, || {
                format!("logit_bias names the token {token}: the vocabulary holds {vocabulary_size} tokens")
            })?;
            within(&format!("logit_bias[{token}]"), bias, f32::MIN, f32::MAX)
        })
    }
}

/// NaN is in no range.
fn within(name: &str, value: f32, low: f32, high: f32) -> Result<(), Rejected> {
    require((low..=high).contains(&value), || match (low, high) {
        (f32::MIN, f32::MAX) => format!("{name} is {value}: it needs to be a finite number"),
        (_, f32::MAX) => format!("{name} is {value}: it needs to be a finite number of at least {low}"),
        _ => format!("{name} is {value}: it needs to be between {low} and {high}"),
    })
}

fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Rejected> {
    if holds { Ok(()) } else { Err(Rejected::Invalid(otherwise())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(change: impl FnOnce(&mut Request)) -> Result<(), Rejected> {
        let mut request = Request {
            prompt: vec![1, 2],
            sampling: Sampling::default(),
            max_tokens: 1,
            stop: vec![],
            logprobs: None,
        };
        change(&mut request);
        request.check(10)
    }

    #[test]
    fn each_value_out_of_range_is_named() {
        assert_eq!(request(|_| ()), Ok(()));
        type Change = fn(&mut Request);
        let cases: [(&str, Change); 12] = [
            ("prompt is empty", |r| r.prompt.clear()),
            ("prompt[1] is 10", |r| r.prompt[1] = 10),
            ("max_tokens is 0", |r| r.max_tokens = 0),
            ("stop has 257", |r| r.stop = vec![0; 257]),
            ("logprobs is 21", |r| r.logprobs = Some(21)),
            ("temperature is NaN", |r| r.sampling.temperature = f32::NAN),
            ("temperature is -1", |r| r.sampling.temperature = -1.0),
            ("top_p is 1.5", |r| r.sampling.top_p = 1.5),
            ("min_p is -0.1", |r| r.sampling.min_p = -0.1),
            ("frequency_penalty is inf", |r| r.sampling.frequency_penalty = f32::INFINITY),
            ("logit_bias[3] is NaN", |r| r.sampling.logit_bias = vec![(3, f32::NAN)]),
            ("logit_bias names the token 10", |r| r.sampling.logit_bias = vec![(10, 1.0)]),
        ];
        for (start, change) in cases {
            let message = request(change).unwrap_err().to_string();
            assert!(message.starts_with(start), "{message:?} should start with {start:?}");
        }
    }
}
