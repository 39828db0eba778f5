//! Messages as transfers: those of one key together, cut where the hub takes no more.
//!
//! A transfer of several is Event Hubs' own batch: an envelope whose data sections are the encoded
//! messages. A message alone goes as it is.

use fe2o3_amqp::{
    Sendable,
    types::messaging::{
        ApplicationProperties, Batch, Data, Message, MessageAnnotations, Properties,
        message::__private::Serializable,
    },
};
use serde_amqp::to_vec;
use sidearm_sinks::contract::AmqpMessage;

/// The message format of an envelope (`AmqpBatchedMessageFormat` of Microsoft's own clients).
const BATCH_FORMAT: u32 = 0x8001_3700;
/// What a data section adds to its bytes, at most.
const SECTION_BYTES: u64 = 8;
/// Where the hub names no limit of its own: that of the Standard tier.
pub(super) const DEFAULT_MAX_BYTES: u64 = 1024 * 1024;

/// A message in the library's own form: with one section of data, or an envelope's many.
type Encoded = Message<Batch<Data>>;

/// What goes out at once.
#[derive(Debug)]
pub(super) struct Transfer {
    /// The places of its messages in the request, in order.
    pub(super) messages: Vec<usize>,
    pub(super) message: Sendable<Batch<Data>>,
    /// What the hub takes, where this is more: it is then not sent.
    pub(super) too_large_for: Option<u64>,
}

/// The transfers of messages, in the order in which their keys first appear.
///
/// # Errors
/// A message cannot be encoded.
pub(super) fn of(messages: &[AmqpMessage], max_bytes: u64) -> Result<Vec<Transfer>, String> {
    let mut keys: Vec<&str> = Vec::new();
    for message in messages {
        if !keys.contains(&message.partition_key.as_str()) {
            keys.push(&message.partition_key);
        }
    }
    let mut transfers = Vec::new();
    for key in keys {
        let of_key = messages.iter().enumerate();
        let of_key = of_key.filter(|(_, message)| message.partition_key == key);
        of_one_key(key, of_key, max_bytes, &mut transfers)?;
    }
    Ok(transfers)
}

fn of_one_key<'m>(
    key: &str,
    messages: impl Iterator<Item = (usize, &'m AmqpMessage)>,
    max_bytes: u64,
    transfers: &mut Vec<Transfer>,
) -> Result<(), String> {
    let mut open: Vec<(usize, Encoded, Vec<u8>)> = Vec::new();
    let mut open_bytes = 0;
    for (place, message) in messages {
        let message = encoded(message, key);
        let bytes = to_vec(&Serializable(&message)).map_err(|error| error.to_string())?;
        let section_bytes = bytes.len() as u64 + SECTION_BYTES;
        if !open.is_empty() && open_bytes + section_bytes > max_bytes {
            transfers.push(closed(std::mem::take(&mut open), max_bytes));
        }
        if open.is_empty() {
            let envelope = to_vec(&Serializable(&envelope(&message, Vec::new())));
            open_bytes = envelope.map_err(|error| error.to_string())?.len() as u64;
        }
        open_bytes += section_bytes;
        open.push((place, message, bytes));
    }
    if !open.is_empty() {
        transfers.push(closed(open, max_bytes));
    }
    Ok(())
}

fn closed(mut open: Vec<(usize, Encoded, Vec<u8>)>, max_bytes: u64) -> Transfer {
    let messages = open.iter().map(|(place, ..)| *place).collect();
    if open.len() == 1 {
        let (_, message, bytes) = open.remove(0);
        let too_large_for = (bytes.len() as u64 > max_bytes).then_some(max_bytes);
        return Transfer { messages, message: message.into(), too_large_for };
    }
    let parted = open.into_iter().map(|(_, message, bytes)| (message, Data::from(bytes)));
    let (parted, sections): (Vec<Encoded>, Vec<Data>) = parted.unzip();
    let message = envelope(&parted[0], sections);
    let message = Sendable { message, message_format: BATCH_FORMAT, settled: None };
    Transfer { messages, message, too_large_for: None }
}

/// What holds messages. Its own sections are those of the first of them, without the body.
fn envelope(first: &Encoded, sections: Vec<Data>) -> Encoded {
    Message::builder()
        .message_annotations(first.message_annotations.clone())
        .properties(first.properties.clone())
        .body(sections.into())
        .build()
}

fn encoded(message: &AmqpMessage, key: &str) -> Encoded {
    let annotations = (!key.is_empty())
        .then(|| MessageAnnotations::builder().insert("x-opt-partition-key", key).build());
    Message::builder()
        .message_annotations(annotations)
        .properties(Properties::builder().message_id(message.id.clone()).build())
        .application_properties(
            ApplicationProperties::builder().insert("event_id", message.id.as_str()).build(),
        )
        .body(vec![Data::from(&message.body[..])].into())
        .build()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(id: usize, key: &str, bytes: usize) -> AmqpMessage {
        let body = Bytes::from(vec![b'x'; bytes]);
        AmqpMessage { id: format!("{id:032x}"), partition_key: key.to_owned(), body }
    }

    fn places(transfers: &[Transfer]) -> Vec<Vec<usize>> {
        transfers.iter().map(|transfer| transfer.messages.clone()).collect()
    }

    #[test]
    fn messages_of_one_key_go_together_and_in_order() {
        let messages = ["a", "b", "a", "", "b"].iter().enumerate();
        let messages: Vec<_> = messages.map(|(id, key)| message(id, key, 10)).collect();
        let transfers = of(&messages, 1000).expect("they can be written");
        assert_eq!(places(&transfers), [vec![0, 2], vec![1, 4], vec![3]]);
        assert_eq!(
            transfers.iter().map(|one| one.message.message_format).collect::<Vec<_>>(),
            [BATCH_FORMAT, BATCH_FORMAT, 0]
        );
    }

    #[test]
    fn no_transfer_is_larger_than_the_hub_takes() {
        for max_bytes in [600, 1_000, 5_000, 100_000] {
            for size in [1, 200, 255, 256, 300] {
                let messages: Vec<_> = (0..50).map(|id| message(id, "key", size)).collect();
                let transfers = of(&messages, max_bytes).expect("they can be written");
                let mut all = places(&transfers).concat();
                assert_eq!(all.len(), 50);
                all.dedup();
                assert_eq!(all, (0..50).collect::<Vec<_>>());
                for transfer in &transfers {
                    let bytes = to_vec(&Serializable(&transfer.message.message));
                    let bytes = bytes.expect("it can be written");
                    assert!(bytes.len() as u64 <= max_bytes, "{size} in {max_bytes}");
                    assert_eq!(transfer.too_large_for, None);
                }
            }
        }
    }

    #[test]
    fn a_message_too_large_goes_nowhere_and_takes_none_with_it() {
        let messages = [message(0, "", 10), message(1, "", 5_000), message(2, "", 10)];
        let transfers = of(&messages, 1_000).expect("they can be written");
        assert_eq!(places(&transfers), [[0], [1], [2]]);
        let too_large: Vec<_> = transfers.iter().map(|one| one.too_large_for).collect();
        assert_eq!(too_large, [None, Some(1_000), None]);
    }
}
