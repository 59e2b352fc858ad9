use anyhow::anyhow;

use crate::system::context_name::ContextName;
use crate::system::stack_outputs::{StackOutput, StackOutputs};
use crate::terminal::printable;

/// A deployed system, as far as its context or its URL describes it.
#[derive(Clone, Debug)]
pub(crate) struct DeployedSystem {
    /// The context that describes it. `None` if only its URL is known.
    pub(super) context: Option<ContextName>,
    pub(super) outputs: StackOutputs,
    pub(super) region: Option<String>,
    pub(super) profile: Option<String>,
}

impl DeployedSystem {
    /// The system of this URL, of which nothing else is known.
    pub(super) fn of_url(url: &str) -> Self {
        let outputs = StackOutputs::of_url(url);
        let region = outputs.region();
        Self { context: None, outputs, region, profile: None }
    }

    /// An output of the stack. `option` can replace it.
    pub(crate) fn need(&self, output: StackOutput, option: &str) -> anyhow::Result<&str> {
        self.outputs.get(output).ok_or_else(|| {
            let (name, thing) = (output.as_str(), output.thing());
            match &self.context {
                Some(context) => anyhow!(
                    "the context {context} has no output {name}, {thing}; a stack has it with {}. Pass {option}, or read the \
                     outputs again with `entity-stream context add {context} --from -`",
                    output.requirement()
                ),
                None => anyhow!(
                    "the URL {} does not tell {thing}; pass {option}, or keep the stack's outputs as a context: \
                     `sam list stack-outputs --stack-name STACK --output json | entity-stream context add NAME --from -`",
                    printable(self.outputs.get(StackOutput::WebSocketUrl).unwrap_or_default())
                ),
            }
        })
    }

    /// An output of the stack, if it is known.
    pub(crate) fn get(&self, output: StackOutput) -> Option<&str> {
        self.outputs.get(output)
    }

    /// The region of the system.
    pub(crate) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// The profile of the AWS configuration with the credentials for the system.
    pub(crate) fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }
}
