//! The whole way on real sockets: a relay, an engine (in this process or the real program), and
//! destinations that fail. What must hold is read off the journal and the destinations, never off
//! the engine's own word alone.

mod burst;
mod journalled;
mod kill;
mod outage;
mod poison;
mod site;
mod terminate;
