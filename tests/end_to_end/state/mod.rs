//! Entity state through sockets: versions, whole entities, entities that leave, snapshots, and resumes of subscriptions that follow
//! states.

mod availability;
mod events;
mod leaving;
mod restarts;
mod resumes;
mod snapshots;
