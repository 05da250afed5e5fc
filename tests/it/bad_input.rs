//! Requests that cannot be taken, over real connections: for each the exact status, code, field and sentence. Whatever
//! is sent, nothing is answered with a fault of the server, and afterwards it does its work and the books balance.

mod batches;
mod bodies;
mod connections;
mod heads;
mod queries;
mod sizes;

use serde_json::Value;

use crate::scene::Scene;
use crate::wire::{Ask, Wire};

/// What a problem says: status, code, param, detail.
type Told = (u16, String, Option<String>, String);

fn told(status: u16, code: &str, param: &str, detail: &str) -> Told {
    let param = if param.is_empty() { None } else { Some(param.to_owned()) };
    (status, code.to_owned(), param, detail.to_owned())
}

/// Sends requests one after another over one connection, each of which must be answered with the problem beside it.
async fn expect(scene: &Scene, cases: Vec<(Ask, Told)>) {
    let mut wire = Wire::to(&scene.server).await;
    for (ask, expected) in cases {
        let problem = scene.problem(&wire.ask(&ask).await).await;
        assert_eq!(said(&problem), expected, "{:?}", String::from_utf8_lossy(&ask.bytes()));
    }
}

fn said(problem: &Value) -> Told {
    let text = |name: &str| problem[name].as_str().map(str::to_owned);
    let status = u16::try_from(problem["status"].as_u64().unwrap()).unwrap();
    (status, text("code").unwrap(), text("param"), text("detail").unwrap())
}
