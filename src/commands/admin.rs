//! `rabbitmqadmin`: RabbitMQ's tool for the HTTP API. The `key=value` words of its first version and the flags of its second one are
//! both understood; the answers are those of the first, which scripts read.

mod arguments;
mod formats;
mod objects;
mod verbs;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::Request;

/// Does what the arguments ask for.
pub(super) fn run(arguments: Vec<OsString>) -> ExitCode {
    let arguments: Vec<String> =
        arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    if arguments.iter().any(|argument| matches!(argument.as_str(), "--help" | "-h" | "help")) || arguments.is_empty() {
        return end(Ok(USAGE.to_owned()));
    }
    if arguments.iter().any(|argument| argument == "--version") {
        return end(Ok(format!("rabbitmqadmin {}\n", leveret::Broker::rabbitmq_version())));
    }
    end(Request::read(&arguments).and_then(|request| verbs::carry_out(&request)))
}

/// Both versions fail with 1, whatever it is.
fn end(found: Result<String, String>) -> ExitCode {
    match found {
        Ok(text) => {
            // Whoever reads it may have gone.
            io::stdout().write_all(text.as_bytes()).ok();
            ExitCode::SUCCESS
        }
        Err(why) => {
            writeln!(io::stderr(), "*** {why}").ok();
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "\
Usage: rabbitmqadmin [options] subcommand

Options
  -H, --host HOST        the host of the HTTP API; without -H, -P and -u the broker of this machine is asked, without a password
  -P, --port PORT        its port [default: 15672]
  -u, --username NAME    who asks [default: guest]
  -p, --password TEXT    its password [default: guest]
  -V, --vhost NAME       the virtual host [default: /, and all of them for list]
  -f, --format FORMAT    table, tsv, long, pretty_json, raw_json, kvp or bash [default: table]
  -q, --quiet            say nothing when something was done
  -N, -c, -s, -d, ...    are taken and change nothing

Subcommands; key=value may be written --key value, and queues list is list queues
  list users|vhosts|connections|exchanges|bindings|permissions|channels|consumers|parameters|policies|queues|nodes [COLUMN...]
  show overview [COLUMN...]
  declare queue name= [durable=true] [auto_delete=] [queue_type=] [arguments=JSON]
  declare exchange name= type= [durable=true] [auto_delete=] [internal=] [arguments=JSON]
  declare binding source= destination= [destination_type=] [routing_key=] [arguments=JSON]
  declare vhost name=            declare user name= password= tags=
  declare permission vhost= user= configure= write= read=
  declare policy name= pattern= definition=JSON [priority=] [apply-to=]      declare operator_policy ...
  declare parameter component= name= value=JSON
  declare vhost_limit vhost= name= value=      declare user_limit user= name= value=
  delete queue|exchange|vhost|user|policy|... name=      delete binding source= destination= [properties_key=]
  purge queue name=              close connection name=
  publish routing_key= [exchange=] [payload=] [properties=JSON]      (without payload: the standard input)
  get queue= [count=] [ackmode=]
  import FILE                    export FILE
  health_check NAME [--port PORT] [--protocol NAME]
";
