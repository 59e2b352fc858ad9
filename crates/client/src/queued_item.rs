use crate::error::ClientError;
use crate::item::StreamItem;
use crate::resumption::BookmarkStep;

/// An item that waits to be handed out, and the step of the bookmark that comes with it.
#[derive(Debug)]
pub(crate) struct QueuedItem {
    pub(crate) item: Option<Result<StreamItem, ClientError>>,
    pub(crate) step: Option<BookmarkStep>,
}
