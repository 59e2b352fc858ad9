use aws_sdk_dynamodb::Client;

/// The table of connections and interests.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) page_size: Option<i32>,
}

impl Table {
    /// The table of this name or ARN, reached through this client.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into(), page_size: None }
    }

    /// Limits each page of interests to this many items. DynamoDB also ends a page at 1 MB.
    #[must_use]
    pub fn with_page_size(mut self, items: i32) -> Self {
        self.page_size = Some(items);
        self
    }

    /// The name or ARN of the table.
    pub fn name(&self) -> &str {
        &self.name
    }
}
