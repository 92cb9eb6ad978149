//! The one JSON object around every answer.
//!
//! Key order as the real API's: result, success, errors, messages, result_info.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error_code::ErrorCode;

/// An answer. Long lists say where they are: most by pages, some by cursors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<T, I = ResultInfo> {
    /// What was asked for; `null` for a failure, and for a success with nothing to say.
    #[serde(default = "nothing")]
    pub result: Option<T>,
    /// Whether the call did what it was asked. wrangler looks at this alone, the SDKs at the status alone.
    pub success: bool,
    /// Why it did not.
    #[serde(default)]
    pub errors: Vec<Fault>,
    /// Remarks: texts, or objects like those of `errors`.
    #[serde(default)]
    pub messages: Vec<serde_json::Value>,
    /// Where in a list this page is.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    pub result_info: Option<I>,
}

// Not the derive's default, which would demand that a result has one.
fn nothing<T>() -> Option<T> {
    None
}

impl<T> Envelope<T> {
    /// A success with a result.
    pub const fn success(result: T) -> Self {
        Self {
            result: Some(result),
            success: true,
            errors: Vec::new(),
            messages: Vec::new(),
            result_info: None,
        }
    }

    /// A success with nothing to say: `result` is `null`.
    pub const fn done() -> Self {
        Self { result: None, success: true, errors: Vec::new(), messages: Vec::new(), result_info: None }
    }

    /// A failure.
    pub fn failure(fault: Fault) -> Self {
        Self { result: None, success: false, errors: vec![fault], messages: Vec::new(), result_info: None }
    }

    /// Adds the place in a list.
    #[must_use]
    pub fn with_info<I>(self, info: I) -> Envelope<T, I> {
        Envelope {
            result: self.result,
            success: self.success,
            errors: self.errors,
            messages: self.messages,
            result_info: Some(info),
        }
    }
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// What went wrong, as a number.
    pub code: u32,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// What lies behind it, printed nested by wrangler.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error_chain: Vec<Fault>,
}

impl Fault {
    /// A code with its own text.
    pub fn new(code: ErrorCode) -> Self {
        Self::with_message(code, code.message())
    }

    /// A code with a more exact text.
    pub fn with_message(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code: code.number(), message: message.into(), error_chain: Vec::new() }
    }

    /// Adds what lies behind it.
    #[must_use]
    pub fn caused_by(mut self, code: ErrorCode) -> Self {
        self.error_chain.push(Self::new(code));
        self
    }
}

/// Where in a list without page numbers a page is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CursorInfo {
    /// Items on this page.
    pub count: u64,
    /// What to ask for the next page with; empty: this is the last.
    pub cursor: String,
}

/// Where in a list a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResultInfo {
    /// The page, from 1.
    pub page: u64,
    /// Items asked for.
    pub per_page: u64,
    /// Items on this page.
    pub count: u64,
    /// Items on all pages.
    pub total_count: u64,
    /// How many pages there are.
    pub total_pages: u64,
}

impl ResultInfo {
    /// The place of a page of `count` items.
    pub const fn new(page: u64, per_page: u64, count: u64, total_count: u64) -> Self {
        let pages = if per_page == 0 { 0 } else { total_count.div_ceil(per_page) };
        Self { page, per_page, count, total_count, total_pages: pages }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_in_the_order_of_the_real_api() {
        let list = Envelope::success([1]).with_info(ResultInfo::new(1, 10, 1, 11));
        assert_eq!(
            serde_json::to_string(&list).unwrap(),
            r#"{"result":[1],"success":true,"errors":[],"messages":[],"result_info":{"page":1,"per_page":10,"count":1,"total_count":11,"total_pages":2}}"#
        );
        let done = Envelope::<()>::done();
        assert_eq!(
            serde_json::to_string(&done).unwrap(),
            r#"{"result":null,"success":true,"errors":[],"messages":[]}"#
        );
    }

    #[test]
    fn a_failure_carries_one_error_and_its_chain() {
        let fault = Fault::new(ErrorCode::InvalidHeaders).caused_by(ErrorCode::InvalidAuthorizationHeader);
        let failure = serde_json::to_value(Envelope::<()>::failure(fault)).unwrap();
        assert_eq!(
            failure,
            serde_json::json!({"result": null, "success": false, "messages": [], "errors": [{
                "code": 6003, "message": "Invalid request headers",
                "error_chain": [{"code": 6111, "message": "Invalid format for Authorization header"}]
            }]})
        );
    }

    #[test]
    fn answers_of_other_servers_are_read() {
        let read: Envelope<String> =
            serde_json::from_str(r#"{"success":false,"errors":[{"code":1,"message":"m","meta":{}}],"x":1}"#)
                .unwrap();
        assert_eq!(read.errors[0].message, "m");
        assert!(read.result.is_none());
    }
}
