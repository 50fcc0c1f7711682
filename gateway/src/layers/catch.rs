//! A panic becomes a 500 in the envelope: a fault of ours costs one request.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::openai::ApiError;

/// What `work` resolves to, or 500 if it panics. The panic's message stays out of the answer.
pub async fn panics<T>(work: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(_) => {
            tracing::error!("a request panicked; please report this with the message above");
            Err(ApiError::internal("The server failed on this request. It is not your fault."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_500_without_its_message() {
        let outcome: Result<(), _> = panics(async { panic!("secret detail") }).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.status, 500);
        assert!(!error.message.contains("secret"));
    }
}
