use std::time::Duration;

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use backon::{BackoffBuilder, ExponentialBuilder};

/// Error codes of a server that failed. EventBridge documents `InternalFailure` for entries and `InternalException` for
/// requests.
const SERVER_ERRORS: [&str; 4] = ["InternalFailure", "InternalException", "InternalServerError", "ServiceUnavailable"];

/// The longest wait between two attempts.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The waits between attempts: jittered, exponential from 50 ms to [`LONGEST_WAIT`], and endless. A deadline ends them.
pub(crate) fn waits() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(LONGEST_WAIT)
        .with_jitter()
        .without_max_times()
        .build()
}

/// True if an error code stands for a temporary failure. Every other code is final.
pub(crate) fn is_passing(code: &str) -> bool {
    [THROTTLING_ERRORS, TRANSIENT_ERRORS, &SERVER_ERRORS].iter().any(|codes| codes.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_and_server_errors_pass_and_all_others_are_final() {
        for code in ["ThrottlingException", "InternalFailure", "InternalException", "ServiceUnavailable"] {
            assert!(is_passing(code), "{code}");
        }
        for code in
            ["MalformedDetail", "InvalidArgument", "NotAuthorizedForSourceException", "AccessDeniedException", ""]
        {
            assert!(!is_passing(code), "{code}");
        }
    }

    #[test]
    fn waits_grow_with_jitter_and_never_end() {
        let waits: Vec<_> = waits().take(100).collect();
        assert_eq!(waits.len(), 100);
        assert!(waits[0] >= Duration::from_millis(50) && waits[0] < Duration::from_millis(100), "{:?}", waits[0]);
        assert!(waits[99] >= LONGEST_WAIT && waits[99] <= LONGEST_WAIT * 2, "{:?}", waits[99]);
    }
}
