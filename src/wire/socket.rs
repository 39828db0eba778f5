//! Sockets that are only written to: datagrams, streams, streams within TLS.
//!
//! Nobody answers, so this wire watches instead. One connection is kept; its other half is read all
//! the time, for the end of it and nothing else. Before each batch the connection must be whole,
//! asked of the kernel itself; behind it the batch is not called sent until the connection has
//! stayed whole for a moment, while further batches are already written. A batch is therefore sent
//! again where the receiver closed or broke the connection before, during or just after it. What no
//! sender can know is whether a receiver that took the bytes into its memory lives to store them.

mod line;

use std::time::Duration;

use sidearm_sinks::contract::{Sent, Socket, SocketConnection, SocketRequest, Transport};
use tokio::{runtime::Handle, sync::Mutex, time::timeout};

use super::{Attempt, Wire, WireError, tls};
use line::Line;

/// How long a connection must stay whole behind a batch: longer than it takes a receiver's refusal
/// to come back from anywhere near. It delays no batch, only the word that one is sent.
const QUIET: Duration = Duration::from_millis(100);
/// Connecting takes no longer, so that the rest of the time-out is for writing.
const MAX_CONNECT: Duration = Duration::from_secs(10);

/// The way to one receiver; several batches may be under way at once, written one by one.
#[derive(Debug)]
pub struct SocketWire {
    connection: SocketConnection,
    line: Mutex<Option<Line>>,
}

impl SocketWire {
    /// Reads the connection's certificate files; connects to nothing yet.
    ///
    /// # Errors
    /// [`WireError::Unusable`] names the file that cannot be read or used.
    pub fn new(connection: &SocketConnection) -> Result<Self, WireError> {
        if connection.transport == Transport::Tls {
            tls::check(&connection.tls, &connection.host)?;
        }
        Ok(Self { connection: connection.clone(), line: Mutex::default() })
    }

    async fn send(&self, request: SocketRequest) -> Result<Sent, WireError> {
        let (sent, mut watch) = self.write(&request).await?;
        match timeout(QUIET, watch.ended()).await {
            Err(_) => Ok(sent),
            Ok(why) => Err(WireError::ReplyLost(format!("written, and then {why}"))),
        }
    }

    async fn write(&self, request: &SocketRequest) -> Result<(Sent, line::Watch), WireError> {
        let limit = self.connection.timeout;
        let mut kept = self.line.lock().await;
        // Taken out: a call that is given up in the middle leaves no half message behind.
        let mut line = match whole(kept.take()).await {
            Some(line) => line,
            None => timeout(MAX_CONNECT.min(limit / 2), Line::connect(&self.connection))
                .await
                .map_err(|_| WireError::NotSent("no connection in time".to_owned()))??,
        };
        match timeout(limit, line.write(request)).await {
            Ok(Ok(sent)) => {
                let watch = line.watch();
                *kept = Some(line);
                Ok((sent, watch))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(WireError::ReplyLost(format!("not taken within {limit:?}"))),
        }
    }
}

impl Drop for SocketWire {
    fn drop(&mut self) {
        if let Some(line) = self.line.get_mut().take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(line.close());
        }
    }
}

/// The line, if it is still whole.
async fn whole(line: Option<Line>) -> Option<Line> {
    let mut line = line?;
    line.is_whole().await.then_some(line)
}

impl Wire<Socket> for SocketWire {
    fn call(&self, request: SocketRequest) -> Attempt<'_, Socket> {
        Box::pin(self.send(request))
    }
}
