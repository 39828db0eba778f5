//! Event Hubs by AMQP 1.0, its own protocol: the fastest way, and the default.

use super::message;
use crate::contract::{
    Amqp, AmqpConnection, AmqpMessage, AmqpRequest, Batch, Body, Event, Prefixed, Sink,
};

/// A hub as it is spoken to by AMQP.
#[derive(Debug)]
pub(super) struct ByAmqp {
    pub(super) connection: AmqpConnection,
    pub(super) partition_key: Option<Prefixed>,
    pub(super) envelope: bool,
}

impl Sink<Amqp> for ByAmqp {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        let key = message::key(self.partition_key.as_ref(), event);
        message::write_keyed(&key, body, self.envelope, record);
    }

    fn request(&self, batch: &Batch) -> AmqpRequest {
        let messages = batch.records().enumerate().map(|(index, record)| {
            let (key, before) = message::split(record.bytes);
            AmqpMessage {
                id: record.id.to_string(),
                partition_key: key.to_owned(),
                body: batch.cut(index..index + 1).bytes().slice(before..),
            }
        });
        AmqpRequest { messages: messages.collect() }
    }

    fn connection(&self) -> AmqpConnection {
        self.connection.clone()
    }
}
