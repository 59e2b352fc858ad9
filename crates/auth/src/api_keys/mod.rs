//! API keys, for services that run for longer than a token lives. They have a table of their own. No other module knows
//! its layout.

mod definition;
mod error;
mod item;
mod key;
mod name;
mod store;

pub use error::ApiKeyError;
pub use item::ApiKeyRecord;
pub use key::ApiKey;
pub use name::{ApiKeyName, InvalidApiKeyName};
pub use store::ApiKeys;
