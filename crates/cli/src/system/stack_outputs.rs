use std::collections::BTreeMap;

use anyhow::{anyhow, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::terminal::shown_url;

/// An output of the stack that a command needs. The template has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum StackOutput {
    WebSocketUrl,
    ManagementEndpoint,
    EventBus,
    TableName,
    HistoryTableName,
    ApiKeysTableName,
    DeadLetterQueueUrl,
    BroadcastFunctionName,
    SigningSecretArn,
}

impl StackOutput {
    pub(crate) const ALL: [Self; 9] = [
        Self::WebSocketUrl,
        Self::ManagementEndpoint,
        Self::EventBus,
        Self::TableName,
        Self::HistoryTableName,
        Self::ApiKeysTableName,
        Self::DeadLetterQueueUrl,
        Self::BroadcastFunctionName,
        Self::SigningSecretArn,
    ];

    /// The name of the output.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::WebSocketUrl => "WebSocketUrl",
            Self::ManagementEndpoint => "ManagementEndpoint",
            Self::EventBus => "EventBus",
            Self::TableName => "TableName",
            Self::HistoryTableName => "HistoryTableName",
            Self::ApiKeysTableName => "ApiKeysTableName",
            Self::DeadLetterQueueUrl => "DeadLetterQueueUrl",
            Self::BroadcastFunctionName => "BroadcastFunctionName",
            Self::SigningSecretArn => "SigningSecretArn",
        }
    }

    /// The thing that the output names.
    pub(super) fn thing(self) -> &'static str {
        match self {
            Self::WebSocketUrl => "the URL of the stream",
            Self::ManagementEndpoint => "the `@connections` endpoint",
            Self::EventBus => "the event bus",
            Self::TableName => "the table of connections",
            Self::HistoryTableName => "the table of the history",
            Self::ApiKeysTableName => "the table of API keys",
            Self::DeadLetterQueueUrl => "the dead-letter queue",
            Self::BroadcastFunctionName => "the broadcast function",
            Self::SigningSecretArn => "the secret that signs tokens",
        }
    }

    /// The parameter of the template without which a stack lacks the output.
    pub(super) fn requirement(self) -> &'static str {
        match self {
            Self::HistoryTableName => "HistoryMinutes or EntityState",
            Self::SigningSecretArn => "JwtSecretArn, or without JwtJwksUrl",
            _ => "EventStreamingEnabled=true",
        }
    }
}

/// The outputs of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct StackOutputs(BTreeMap<StackOutput, String>);

/// The answer of CloudFormation.
#[derive(Deserialize)]
#[serde(untagged)]
enum OutputsDocument {
    /// `sam list stack-outputs --output json`, or the part `Stacks[0].Outputs`.
    List(Vec<OutputFields>),
    /// `aws cloudformation describe-stacks`.
    Stacks {
        #[serde(rename = "Stacks")]
        stacks: Vec<StackFields>,
    },
}

#[derive(Deserialize)]
struct StackFields {
    #[serde(rename = "StackId", default)]
    id: String,
    #[serde(rename = "Outputs", default)]
    outputs: Vec<OutputFields>,
}

#[derive(Deserialize)]
struct OutputFields {
    #[serde(rename = "OutputKey")]
    key: String,
    #[serde(rename = "OutputValue")]
    value: String,
}

impl StackOutputs {
    /// Reads the outputs as `sam` and `aws` print them, and the region of the stack if the document names it.
    pub(crate) fn parse(json: &str) -> anyhow::Result<(Self, Option<String>)> {
        let document: OutputsDocument = serde_json::from_str(json).map_err(|_| {
            anyhow!(
                "expected the outputs of a stack as JSON, as `sam list stack-outputs --stack-name NAME --output json` or \
                 `aws cloudformation describe-stacks --stack-name NAME` prints them"
            )
        })?;
        let (fields, region) = match document {
            OutputsDocument::List(fields) => (fields, None),
            OutputsDocument::Stacks { mut stacks } => {
                ensure!(stacks.len() < 2, "the input has {} stacks; pass --stack-name NAME to aws", stacks.len());
                let Some(stack) = stacks.pop() else { bail!("the input has no stack") };
                (stack.outputs, region_of_arn(&stack.id).map(str::to_owned))
            }
        };
        let known = |key: &str| StackOutput::ALL.into_iter().find(|output| output.as_str() == key);
        let outputs: BTreeMap<_, _> =
            fields.into_iter().filter_map(|field| Some((known(&field.key)?, field.value))).collect();
        ensure!(
            outputs.contains_key(&StackOutput::WebSocketUrl),
            "the output WebSocketUrl is missing: this is another stack, or it was deployed with EventStreamingEnabled=false"
        );
        let outputs = Self(outputs);
        let url = outputs.get(StackOutput::WebSocketUrl).unwrap_or_default();
        ensure!(
            url.starts_with("wss://"),
            "the output WebSocketUrl must be a URL such as wss://HOST/STAGE; found `{}`",
            shown_url(url)
        );
        let region = region.or_else(|| outputs.region());
        Ok((outputs, region))
    }

    /// The outputs that the URL of a stream tells.
    pub(super) fn of_url(url: &str) -> Self {
        let mut outputs = BTreeMap::from([(StackOutput::WebSocketUrl, url.to_owned())]);
        if region_of_api(url).is_some() {
            let endpoint = url.replacen("wss://", "https://", 1);
            outputs.insert(StackOutput::ManagementEndpoint, endpoint);
        }
        Self(outputs)
    }

    /// The value of an output.
    pub(crate) fn get(&self, output: StackOutput) -> Option<&str> {
        self.0.get(&output).map(String::as_str)
    }

    /// The region in the URLs and ARNs.
    pub(super) fn region(&self) -> Option<String> {
        let of_api = [StackOutput::ManagementEndpoint, StackOutput::WebSocketUrl]
            .into_iter()
            .find_map(|output| region_of_api(self.get(output)?));
        let region = of_api.or_else(|| region_of_arn(self.get(StackOutput::SigningSecretArn)?));
        region.map(str::to_owned)
    }
}

/// The region in an ARN.
fn region_of_arn(arn: &str) -> Option<&str> {
    arn.split(':').nth(3).filter(|region| arn.starts_with("arn:") && !region.is_empty())
}

/// The region in a URL of API Gateway. `None` for a custom domain.
fn region_of_api(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', ':']).next()?;
    let (_, rest) = host.split_once(".execute-api.")?;
    rest.split_once('.').map(|(region, _)| region)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "wss://a1b2.execute-api.eu-west-1.amazonaws.com/prod";

    fn refused(json: &str) -> String {
        StackOutputs::parse(json).unwrap_err().to_string()
    }

    #[test]
    fn the_template_has_each_output() {
        let template = include_str!("../../../../template.yaml");
        let (_, outputs) = template.split_once("\nOutputs:\n").unwrap();
        for output in StackOutput::ALL {
            assert!(
                outputs.contains(&format!("\n  {}:\n", output.as_str()))
                    || outputs.starts_with(&format!("  {}:\n", output.as_str())),
                "{output:?}"
            );
        }
    }

    #[test]
    fn both_documents_are_read() {
        let list = format!(
            r#"[{{"OutputKey":"WebSocketUrl","OutputValue":"{URL}","Description":"x"}},{{"OutputKey":"Other","OutputValue":"y"}}]"#
        );
        let (outputs, region) = StackOutputs::parse(&list).unwrap();
        assert_eq!((outputs.get(StackOutput::WebSocketUrl), region.as_deref()), (Some(URL), Some("eu-west-1")));
        assert_eq!(outputs.0.len(), 1, "other outputs are not kept");
        let custom = list.replace(URL, "wss://stream.example.com");
        let stacks = format!(
            r#"{{"Stacks":[{{"StackId":"arn:aws:cloudformation:ap-northeast-1:1:stack/s/1","Outputs":{custom}}}]}}"#
        );
        let (_, region) = StackOutputs::parse(&stacks).unwrap();
        assert_eq!(region.as_deref(), Some("ap-northeast-1"));
    }

    #[test]
    fn another_document_is_refused() {
        assert!(refused("").contains("sam list stack-outputs"));
        assert!(refused("[]").contains("the output WebSocketUrl is missing"));
        assert!(refused(r#"{"Stacks":[]}"#).contains("no stack"));
        assert!(refused(r#"{"Stacks":[{},{}]}"#).contains("the input has 2 stacks; pass --stack-name"));
        assert!(
            refused(r#"[{"OutputKey":"WebSocketUrl","OutputValue":"http://x"}]"#)
                .contains("must be a URL such as wss://")
        );
    }

    #[test]
    fn a_region_is_read_from_urls_and_arns() {
        assert_eq!(region_of_api(URL), Some("eu-west-1"));
        assert_eq!(region_of_api("https://a.execute-api.cn-north-1.amazonaws.com.cn:443/x"), Some("cn-north-1"));
        assert_eq!(region_of_api("wss://stream.example.com/a.execute-api.x.y"), None);
        assert_eq!(region_of_arn("arn:aws:secretsmanager:eu-west-1:1:secret:x"), Some("eu-west-1"));
        assert_eq!(region_of_arn("a:b:c:d"), None);
    }
}
