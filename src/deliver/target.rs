//! The sink and its wire as they stand now; a changed secret replaces both at once.

use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use sidearm_sinks::contract::Sink;

use crate::{
    config::Rebuild,
    wire::{Reach, Wire, WireError, Wires},
};

/// A sink and the wire its requests go by.
pub(crate) struct Current<P: Reach> {
    pub(crate) sink: Box<dyn Sink<P>>,
    pub(crate) wire: Box<dyn Wire<P>>,
}

/// The current sink and wire of a lane, and how to build them anew.
pub(crate) struct Target<P: Reach> {
    current: RwLock<Arc<Current<P>>>,
    /// Built with new secrets, and not connected yet.
    unopened: Mutex<Option<Box<dyn Sink<P>>>>,
    rebuild: Arc<Mutex<Rebuild>>,
    wires: Arc<dyn Wires>,
}

impl<P: Reach> Target<P> {
    pub(crate) fn new(
        name: &str,
        sink: Box<dyn Sink<P>>,
        rebuild: Rebuild,
        wires: Arc<dyn Wires>,
    ) -> Result<Self, WireError> {
        let wire = P::open(&*wires, name, &sink.connection())?;
        let current = RwLock::new(Arc::new(Current { sink, wire }));
        let (unopened, rebuild) = (Mutex::new(None), Arc::new(Mutex::new(rebuild)));
        Ok(Self { current, unopened, rebuild, wires })
    }

    pub(crate) fn current(&self) -> Arc<Current<P>> {
        self.current.read().expect("nothing panics while the target is held").clone()
    }

    /// Builds sink and wire again if a secret has changed. Answers whether they are new.
    pub(crate) async fn refresh(&self, name: &str) -> bool {
        let rebuild = self.rebuild.clone();
        let built = tokio::task::spawn_blocking(move || {
            (rebuild.lock().expect("rebuilding does not panic"))()
        });
        match built.await.unwrap_or_else(|panic| Err(panic.to_string())) {
            Ok(Some(destination)) => *self.unopened() = P::take(destination),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(sink = name, error, "the sink's secrets could not be read again");
            }
        }
        self.open(name)
    }

    /// Connects the sink last built, if it is not connected yet. Answers whether it now is.
    fn open(&self, name: &str) -> bool {
        let mut unopened = self.unopened();
        let Some(sink) = unopened.take() else { return false };
        match P::open(&*self.wires, name, &sink.connection()) {
            Ok(wire) => {
                tracing::info!(sink = name, "a secret has changed; the sink is built anew");
                *self.current.write().expect("nothing panics while the target is held") =
                    Arc::new(Current { sink, wire });
                true
            }
            Err(error) => {
                tracing::warn!(sink = name, %error, "the sink could not be connected anew");
                *unopened = Some(sink);
                false
            }
        }
    }

    fn unopened(&self) -> MutexGuard<'_, Option<Box<dyn Sink<P>>>> {
        self.unopened.lock().expect("nothing panics while the target is held")
    }
}
