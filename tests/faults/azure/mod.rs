//! Azure's services by their doubles: outcomes, tokens and refusals as the services make them.

mod amqp;
mod environment;
mod kafka;
mod proxied;
mod tokens;
mod whole;
