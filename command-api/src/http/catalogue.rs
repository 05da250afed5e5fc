//! The catalogue of commands: every type there is, for the lines of batches and for the document.

use http_problem::{Problem, nearest};
use serde::Deserialize;

use super::accounts::{
    CaptureHold, CloseAccount, Deposit, FreezeAccount, OpenAccount, PlaceHold, ReleaseHold, UnfreezeAccount, Withdraw,
};
use super::definition::{Field, Wire};
use super::explain::shown;
use super::json;
use super::orders::{
    AddItem, CancelOrder, ChangeQuantity, ConfirmDelivery, PlaceOrder, ReceiveReturn, RejectReturn, RemoveItem,
    RequestReturn, SetShipping, ShipOrder, StartOrder,
};
use super::payments::{CapturePayment, RefundPayment, RequestPayment, VoidPayment};
use super::products::{AdjustStock, ChangePrice, CreateProduct, DiscontinueProduct, ReceiveStock};
use super::read::{self, Taken, invalid_one, malformed};
use super::transfers::{ReverseTransfer, SendTransfer};

#[cfg(any(test, feature = "fuzzing"))]
type ReadBody = fn(&[u8], read::Beside<'_>, &mut Vec<u8>) -> Result<Taken, Problem>;

/// A type of command.
pub(super) struct CommandType {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) fields: &'static [Field],
    pub(super) versioned: bool,
    read_line: fn(&[u8], &mut Vec<u8>) -> Result<Taken, Problem>,
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) read_body: ReadBody,
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) explain_body: fn(&[u8], read::Beside<'_>) -> Problem,
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) explain_line: fn(&[u8]) -> Problem,
}

impl CommandType {
    pub(super) const fn of<W: Wire>() -> Self {
        Self {
            name: W::TYPE,
            about: W::ABOUT,
            fields: W::FIELDS,
            versioned: W::VERSIONED,
            read_line: read::line::<W>,
            #[cfg(any(test, feature = "fuzzing"))]
            read_body: read::body::<W>,
            #[cfg(any(test, feature = "fuzzing"))]
            explain_body: read::explain_body::<W>,
            #[cfg(any(test, feature = "fuzzing"))]
            explain_line: read::explain_line::<W>,
        }
    }
}

macro_rules! catalogue {
    ($($wire:ty),* $(,)?) => { &[$(CommandType::of::<$wire>()),*] };
}

/// Every type of command. What is asked most stands first: a line's type is looked up from the top.
pub(super) static CATALOGUE: &[CommandType] = catalogue![
    SendTransfer,
    Deposit,
    Withdraw,
    AddItem,
    StartOrder,
    PlaceOrder,
    RequestPayment,
    CapturePayment,
    ShipOrder,
    ReceiveStock,
    OpenAccount,
    CreateProduct,
    ReverseTransfer,
    PlaceHold,
    CaptureHold,
    ReleaseHold,
    FreezeAccount,
    UnfreezeAccount,
    CloseAccount,
    ChangePrice,
    AdjustStock,
    DiscontinueProduct,
    ChangeQuantity,
    RemoveItem,
    SetShipping,
    CancelOrder,
    ConfirmDelivery,
    RequestReturn,
    ReceiveReturn,
    RejectReturn,
    VoidPayment,
    RefundPayment,
];

/// Reads a line of a batch.
///
/// # Errors
/// A 400 problem that lists everything that is wrong. `scratch` is overwritten.
pub(super) fn line(bytes: &[u8], scratch: &mut Vec<u8>) -> Result<Taken, Problem> {
    let bytes = bytes.trim_ascii();
    let found = match plain_type(bytes) {
        Some(name) => look_up(name),
        None => look_up(&written_type(bytes)?),
    };
    (found?.read_line)(bytes, scratch)
}

fn look_up(name: &str) -> Result<&'static CommandType, Problem> {
    CATALOGUE.iter().find(|known| known.name == name).ok_or_else(|| {
        let hint = match nearest(name, CATALOGUE.iter().map(|known| known.name)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "/openapi.json lists them under /v1/commands".to_owned(),
        };
        invalid_one("type", "invalid_value", format!("there is no command of type {:?}; {hint}", shown(name, 64)))
    })
}

/// The type of a line that begins with it, as most do: read without looking at the rest.
fn plain_type(bytes: &[u8]) -> Option<&str> {
    let rest = bytes.strip_prefix(b"{\"type\":\"")?;
    let end = rest.iter().take(64).position(|byte| *byte == b'"')?;
    std::str::from_utf8(&rest[..end]).ok().filter(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
}

/// The type of a line that has it somewhere.
fn written_type(bytes: &[u8]) -> Result<String, Problem> {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        command_type: Option<String>,
    }
    let is_object = bytes.starts_with(b"{");
    if is_object && let Ok(Typed { command_type: Some(name) }) = serde_json::from_slice(bytes) {
        return Ok(name);
    }
    let tree = json::tree(bytes).map_err(|wrong| malformed(format!("the line {wrong}")))?;
    let missing = "type is missing; it must be the command's type, such as \"send_transfer\"";
    match tree.value.get("type") {
        _ if !is_object => {
            let sentence = "the line is not an object; write each command as one JSON object on a line of its own";
            Err(malformed(sentence.to_owned()))
        }
        None | Some(serde_json::Value::Null) => Err(invalid_one("type", "missing_field", missing.to_owned())),
        Some(serde_json::Value::String(name)) => Ok(name.clone()),
        Some(_) => {
            let sentence = "type must be the command's type, such as \"send_transfer\"";
            Err(invalid_one("type", "invalid_value", sentence.to_owned()))
        }
    }
}
