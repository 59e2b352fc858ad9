//! A function that panics if the event asks for it. The checks of the packages build it as they build the functions, and see
//! that a panic fails one invocation and not the process.

use std::convert::Infallible;
use std::process::ExitCode;

use entity_stream_runtime::run;
use lambda_runtime::{Error, LambdaEvent};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(
        |_| Ok(()),
        async |(), _| Ok::<_, Infallible>(()),
        async |(), event: LambdaEvent<Value>| {
            #[expect(clippy::panic, reason = "the purpose of this function")]
            if event.payload["panic"] == true {
                panic!("the event asks for a panic");
            }
            Ok::<_, Error>(json!({ "answered": true }))
        },
    )
    .await
}
