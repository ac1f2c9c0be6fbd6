//! `leveret top`: a live view of a broker in the terminal.
//!
//! `facts` is what the broker says, `view` what is chosen with keys, both without a terminal; `drawn` makes a frame of them.

mod drawn;
mod facts;
mod view;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use clap::Args;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use super::broker_options::BrokerOptions;
use super::client::Client;
use super::ending::{Failed, end};
use super::{Run, exit};
use facts::Facts;
use view::{Next, View};

/// The arguments of `leveret top`.
#[derive(Debug, Args)]
#[command(
    after_help = "Keys: d, r, a, c, n sort by depth, rate, age, consumers, name; / filters by name; arrows scroll; q quits.\n\n\
                  Example: leveret top --once"
)]
pub(super) struct Top {
    /// Seconds between two looks at the broker
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,

    /// Write one frame as text and end
    #[arg(long)]
    once: bool,

    #[command(flatten)]
    broker: BrokerOptions,
}

impl Run for Top {
    fn run(self) -> ExitCode {
        if self.once {
            return end(self.frame());
        }
        if !io::stdout().is_terminal() {
            let text = "the output is no terminal; --once writes one frame as text";
            return end(Err(Failed::other(exit::USAGE, text)));
        }
        end(self.watch().map(|()| String::new()))
    }
}

/// How wide and how high a frame is that is written as text.
const TEXT_SIZE: (u16, u16) = (110, 40);

/// What the thread that asks the broker finds.
type Found = Result<Facts, String>;

impl Top {
    fn frame(&self) -> Result<String, Failed> {
        let facts = Facts::of(&self.broker.client()?)?;
        let mut view = View::default();
        view.take(Ok(facts));
        Ok(drawn::as_text(&view, TEXT_SIZE))
    }

    fn watch(&self) -> Result<(), Failed> {
        // Asked once here, so that a broker that is not there is said on a terminal that is as it was.
        let client = self.broker.client()?;
        let first = Facts::of(&client)?;
        let (wants, asked) = channel();
        let (finds, found) = channel();
        let asking = thread::Builder::new().name("leveret-top".to_owned()).spawn(move || ask(&client, &asked, &finds));
        asking.map_err(|error| Failed::other(1, format!("cannot start a thread: {error}")))?;
        let mut view = View::default();
        view.take(Ok(first));
        let mut terminal = ratatui::try_init().map_err(terminal_failed)?;
        let ended = self.run_in(&mut terminal, &mut view, &wants, &found);
        ratatui::restore();
        ended.map_err(terminal_failed)
    }

    fn run_in(
        &self,
        terminal: &mut ratatui::DefaultTerminal,
        view: &mut View,
        wants: &Sender<()>,
        found: &Receiver<Found>,
    ) -> io::Result<()> {
        loop {
            terminal.draw(|frame| drawn::draw(view, frame))?;
            if event::poll(Duration::from_secs(self.interval))? {
                if let Event::Key(key) = event::read()?
                    && key.kind == KeyEventKind::Press
                    && view.press(key) == Next::Quit
                {
                    return Ok(());
                }
            } else {
                // The thread has ended only if this one has.
                wants.send(()).ok();
            }
            while let Ok(facts) = found.try_recv() {
                view.take(facts);
            }
        }
    }
}

/// Asks the broker whenever that is wanted. A broker that does not answer keeps no key waiting.
fn ask(client: &Client, asked: &Receiver<()>, finds: &Sender<Found>) {
    loop {
        match asked.recv_timeout(Duration::from_secs(3600)) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        }
        // Several wishes are one.
        while asked.try_recv().is_ok() {}
        if finds.send(Facts::of(client).map_err(|failed| failed.to_string())).is_err() {
            return;
        }
    }
}

fn terminal_failed(error: io::Error) -> Failed {
    Failed::other(1, format!("the terminal cannot be used: {error}"))
}
