//! The items that the program has not taken yet.

use super::Machine;
use crate::error::ClientError;
use crate::item::StreamItem;
use crate::queued_item::QueuedItem;
use crate::resumption::BookmarkStep;

impl Machine {
    /// The next item to hand out.
    pub(crate) fn next_item(&mut self) -> Option<Result<StreamItem, ClientError>> {
        while let Some(QueuedItem { item, step }) = self.items.pop_front() {
            if let Some(step) = step {
                self.resumption.proceed(step);
            }
            if item.is_some() {
                return item;
            }
        }
        None
    }

    pub(super) fn hand_out(&mut self, item: StreamItem) {
        self.items.push_back(QueuedItem { item: Some(Ok(item)), step: None });
    }

    /// Hands out an item, if there is one, and moves the bookmark at that moment.
    pub(super) fn hand_out_with(&mut self, item: Option<StreamItem>, step: Option<BookmarkStep>) {
        if item.is_some() || step.is_some() {
            self.items.push_back(QueuedItem { item: item.map(Ok), step });
        }
    }

    /// Hands out an item and the verdict on the past, and moves the bookmark with the last of them.
    pub(super) fn hand_out_both(
        &mut self,
        item: Option<StreamItem>,
        verdict: Option<StreamItem>,
        step: Option<BookmarkStep>,
    ) {
        match verdict {
            None => self.hand_out_with(item, step),
            Some(_) => {
                self.hand_out_with(item, None);
                self.hand_out_with(verdict, step);
            }
        }
    }
}
