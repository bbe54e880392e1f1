//! Ingest: what cameras and sensors send becomes frames and observations.

pub mod broker;
pub mod ledger;
pub mod mqtt;
pub mod rtsp;
pub mod topic;
