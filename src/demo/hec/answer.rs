//! Splunk's table of answers: each a code, a sentence and an HTTP status.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Json, Response},
};
use serde_json::json;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) number: u16,
    pub(super) status: u16,
    text: &'static str,
}

const fn code(number: u16, status: u16, text: &'static str) -> Code {
    Code { number, status, text }
}

pub(super) const SUCCESS: Code = code(0, 200, "Success");
pub(super) const TOKEN_DISABLED: Code = code(1, 403, "Token disabled");
pub(super) const TOKEN_REQUIRED: Code = code(2, 401, "Token is required");
pub(super) const INVALID_AUTHORIZATION: Code = code(3, 401, "Invalid authorization");
pub(super) const INVALID_TOKEN: Code = code(4, 403, "Invalid token");
pub(super) const NO_DATA: Code = code(5, 400, "No data");
pub(super) const INVALID_FORMAT: Code = code(6, 400, "Invalid data format");
pub(super) const INCORRECT_INDEX: Code = code(7, 400, "Incorrect index");
pub(super) const INTERNAL_ERROR: Code = code(8, 500, "Internal server error");
pub(super) const BUSY: Code = code(9, 503, "Server is busy");
pub(super) const CHANNEL_MISSING: Code = code(10, 400, "Data channel is missing");
pub(super) const INVALID_CHANNEL: Code = code(11, 400, "Invalid data channel");
pub(super) const EVENT_REQUIRED: Code = code(12, 400, "Event field is required");
pub(super) const EVENT_BLANK: Code = code(13, 400, "Event field cannot be blank");
pub(super) const ACK_DISABLED: Code = code(14, 400, "ACK is disabled");
pub(super) const INDEXED_FIELDS: Code = code(15, 400, "Error in handling indexed fields");
pub(super) const QUERY_AUTHORIZATION: Code =
    code(16, 400, "Query string authorization is not enabled");
pub(super) const HEALTHY: Code = code(17, 200, "HEC is healthy");
pub(super) const UNHEALTHY: Code = code(18, 503, "HEC is unhealthy, queues are full");
pub(super) const HEALTH_TOKEN: Code = code(21, 400, "Invalid token");
pub(super) const HEALTH_TOKEN_DISABLED: Code = code(22, 400, "Token disabled");
pub(super) const SHUTTING_DOWN: Code = code(23, 503, "Server is shutting down");
pub(super) const NEARLY_FULL: Code = code(24, 200, "Queue is approaching capacity");
pub(super) const FULL: Code = code(26, 429, "Queue is at capacity");
pub(super) const ACK_CHANNEL_FULL: Code = code(27, 429, "ACK channel is at capacity");

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: Code,
    /// The event it is about, counted from 0.
    pub(super) event: Option<usize>,
    /// The name under which indexing can be asked for.
    pub(super) ack: Option<u64>,
}

impl From<Code> for Answer {
    fn from(code: Code) -> Self {
        Self { code, event: None, ack: None }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut body = json!({ "text": self.code.text, "code": self.code.number });
        if let Some(event) = self.event {
            body["invalid-event-number"] = event.into();
        }
        if let Some(ack) = self.ack {
            body["ackId"] = ack.into();
        }
        let status = StatusCode::from_u16(self.code.status).expect("the table has real ones");
        (status, Json(body)).into_response()
    }
}
