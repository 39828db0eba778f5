//! A message on the wire becomes a record of the journal, as it is.
//!
//! The decoder appends; what it answers is only that there was a message. Bytes that are no
//! protobuf are none of its business: whoever reads them from the journal finds out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf as _, Bytes};
use sidearm_sinks::contract::Kind;
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder},
};

use crate::{grpc::Raw, journal::Appender};

/// The appender of one stream, shared by the watch and the decoder of its current subscription.
/// Both run in one task, so the lock is never waited for.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Appender>>);

impl Shared {
    pub(super) fn new(appender: Appender) -> Self {
        Self(Arc::new(Mutex::new(appender)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Appender> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Journals each message as it is decoded.
pub(super) struct Journalling(pub(super) Shared);

impl Codec for Journalling {
    type Encode = Bytes;
    type Decode = ();
    type Encoder = Raw;
    type Decoder = Self;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Self {
        Self(self.0.clone())
    }
}

impl Decoder for Journalling {
    type Item = ();
    type Error = Status;

    /// Never answers `Ok(None)`: to tonic that means that bytes are missing.
    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        let length = message.remaining();
        if message.chunk().len() == length {
            self.0.lock().append(Kind::Event, message.chunk());
            message.advance(length);
        } else {
            self.0.lock().append(Kind::Event, &message.copy_to_bytes(length));
        }
        Ok(Some(()))
    }
}
