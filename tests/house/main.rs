//! The engine with the clock paused and no sockets: hours pass in no time. The relay is the
//! built-in one, over in-memory pipes. Beside it, the program's commands that need neither.

mod commands;
mod relay;
