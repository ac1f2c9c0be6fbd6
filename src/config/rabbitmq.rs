//! What is configured as for RabbitMQ: its environment variables and its files, in the words of the settings here.

mod environment;
mod erl_arguments;
mod meaning;

pub(super) use environment::read as read_environment;
