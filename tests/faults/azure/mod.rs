//! Azure's services by their doubles: outcomes, tokens and refusals as the services make them.

mod amqp;
mod tokens;
mod whole;
