//! Real sockets, the real clock, short time-outs: servers that hang, lie, hang up or have a bad
//! certificate. Waits poll with a deadline; nothing is asserted about time.

mod aws;
mod azure;
mod chats;
mod commands;
mod demo;
mod doubles;
mod http;
mod mail;
mod otlp;
mod patience;
mod program;
mod relay;
mod rig;
mod socket;
mod vendors;
mod whole;
