//! `/definitions`: everything that is defined, written to a file and read from one.

use super::answer::Answer;
use super::refusal::Refusal;
use super::request::Request;
use super::{cluster, multipart};
use crate::broker::definitions_file::{DefinitionsError, DefinitionsFile, ExportOrigin};

fn origin<'a>(request: &'a Request<'_>, cluster_name: &'a str) -> ExportOrigin<'a> {
    let identity = &request.api.identity;
    ExportOrigin { version: &identity.version, product: &identity.product, cluster_name }
}

/// Browsers save the answer under the name that the query gives.
fn downloaded(request: &Request<'_>, answer: Answer) -> Answer {
    match request.parameter("download") {
        Some(name) => answer.with_header("content-disposition", format!("attachment; filename={name}")),
        None => answer,
    }
}

/// `GET /definitions`.
pub(super) fn export(request: &Request<'_>) -> Result<Answer, Refusal> {
    let file = request.api.broker.export(&origin(request, &cluster::name(request.api)));
    Ok(downloaded(request, Answer::json(&file)))
}

/// `GET /definitions/{vhost}`.
pub(super) fn export_vhost(request: &Request<'_>) -> Result<Answer, Refusal> {
    let file = request.api.broker.export_vhost(request.part("vhost"), &origin(request, &cluster::name(request.api)));
    let file = file.ok_or_else(|| Refusal::bad_request("vhost_not_found"))?;
    Ok(downloaded(request, Answer::json(&file)))
}

impl From<DefinitionsError> for Refusal {
    fn from(error: DefinitionsError) -> Self {
        Self::bad_request(error.to_string())
    }
}

/// An empty body says nothing, and is fine.
fn done(
    request: &Request<'_>,
    read: impl FnOnce(&[u8]) -> Result<DefinitionsFile, DefinitionsError>,
) -> Result<Answer, Refusal> {
    let file = match request.content_type.as_deref().filter(|content_type| multipart::is_form(content_type)) {
        Some(content_type) => multipart::file(content_type, request.body)
            .ok_or_else(|| Refusal::bad_request("the form has no field 'file'"))?,
        None => request.body,
    };
    if file.is_empty() {
        return Ok(Answer::no_content());
    }
    let position = request.api.broker.import(&read(file)?, request.api.clock.now_ms())?;
    Ok(Answer::no_content().once_durable(position))
}

/// `POST /definitions`.
pub(super) fn import(request: &Request<'_>) -> Result<Answer, Refusal> {
    done(request, DefinitionsFile::read)
}

/// `POST /definitions/{vhost}`.
pub(super) fn import_vhost(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    done(request, |bytes| DefinitionsFile::read_into(bytes, &vhost.name))
}
