//! `/leveret/app`: whether clients are let in, which `rabbitmqctl stop_app`, `start_app` and `reset` change.

use std::fmt;
use std::sync::Arc;

use serde_json::json;

use super::answer::Answer;
use super::refusal::Refusal;
use super::request::Request;
use crate::broker::Broker;
use crate::connection::admission::{Admission, suspended};

/// Makes a broker as new: removes everything, and makes what a new one has.
pub(crate) type StartOver = Box<dyn Fn(&Broker) -> Result<(), String> + Send + Sync>;

/// What lets clients in, and makes the broker as new.
pub(crate) struct App {
    admission: Arc<Admission>,
    start_over: StartOver,
}

impl App {
    pub(crate) fn new(admission: Arc<Admission>, start_over: StartOver) -> Self {
        Self { admission, start_over }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("App").field("admission", &self.admission).finish_non_exhaustive()
    }
}

/// `GET /leveret/app`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(&json!({ "running": !request.api.app.admission.is_suspended() })))
}

/// `POST /leveret/app/stop`: closes all connections, and lets nobody in.
pub(super) fn stop(request: &Request<'_>) -> Result<Answer, Refusal> {
    tracing::info!(user = request.caller()?.name(), "stop_app: closing all connections, and letting nobody in");
    request.api.app.admission.suspend();
    request.api.broker.node().registry.close_where(|_| true, &suspended());
    Ok(Answer::no_content())
}

/// `POST /leveret/app/start`: lets clients in again.
pub(super) fn start(request: &Request<'_>) -> Result<Answer, Refusal> {
    tracing::info!(user = request.caller()?.name(), "start_app: letting clients in");
    request.api.app.admission.resume();
    Ok(Answer::no_content())
}

/// `POST /leveret/app/reset`: removes everything. Only while nobody is let in, so that nobody loses what is in use.
pub(super) fn reset(request: &Request<'_>) -> Result<Answer, Refusal> {
    if !request.api.app.admission.is_suspended() {
        return Err(Refusal::bad_request("clients are let in; stop that first with /leveret/app/stop (stop_app)"));
    }
    tracing::info!(user = request.caller()?.name(), "reset: removing everything");
    (request.api.app.start_over)(&request.api.broker).map_err(Refusal::bad_request)?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}
