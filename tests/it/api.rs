//! What the server says of itself against what it does: the OpenAPI document, the page to try it, the pages of errors,
//! the metrics, the names of requests.

mod schema;

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use self::schema::{described, faults_of, faults_of_schema};
use crate::scene::{Answer, Scene, gbp, sent};
use crate::wire::{Ask, Wire};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Every operation: its method, its path and what is said about it.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, said)| (method.as_str(), path.as_str(), said))
    })
}

/// A scene with something of everything.
async fn full() -> Scene {
    let scene = Scene::new().await;
    scene.account("ann", 10_000).await;
    scene.account("shop", 0).await;
    scene.product("mug", 1_250, 825, 10).await;
    scene.done("/v1/accounts/ann/holds", json!({"hold_id": "h", "amount": gbp(5)})).await;
    scene
        .done(
            "/v1/transfers",
            json!({"transfer_id": "t", "from": "ann", "to": "shop", "amount": gbp(7), "reference": "x"}),
        )
        .await;
    scene.cart("o", &[("mug", 2)]).await;
    scene.done("/v1/orders/o/place", json!({})).await;
    let payment = json!({
        "payment_id": "pay", "order_id": "o", "payer": {"account_id": "ann"}, "payee_account_id": "shop",
        "amount": gbp(2_706), "capture": "on_shipment"
    });
    scene.done("/v1/payments", payment).await;
    scene.done("/v1/orders/o/shipments", json!({"shipment_id": "s", "carrier": "DHL"})).await;
    scene.done("/v1/orders/o/shipments/s/delivery", json!({})).await;
    let back = json!({"return_id": "r", "lines": [{"product_id": "mug", "quantity": 1}], "reason": "broken"});
    scene.done("/v1/orders/o/returns", back).await;
    scene.done("/v1/orders/o/returns/r/receipt", json!({})).await;
    scene.cart("cart", &[("mug", 1)]).await;
    scene.refused("/v1/accounts/shop/withdrawals", json!({"amount": gbp(999_999)})).await;
    scene
}

#[tokio::test]
async fn the_document_is_openapi_3_1_and_holds_together() {
    let scene = Scene::new().await;
    let answer = sent(scene.client.request(Method::GET, "/openapi.json")).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let document = answer.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    for name in ["title", "version", "description"] {
        assert!(document["info"][name].is_string(), "info.{name}");
    }
    let tags: BTreeSet<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let (mut faults, mut ids) = (Vec::new(), BTreeSet::new());
    for (method, path, said) in operations(&document) {
        let at = format!("{method} {path}");
        let mut wrong = |is_wrong: bool, what: &str| {
            if is_wrong {
                faults.push(format!("{at} {what}"));
            }
        };
        wrong(!METHODS.contains(&method), "is no operation");
        wrong(!path.starts_with('/'), "has no path from the root");
        wrong(!said["summary"].is_string(), "has no summary");
        wrong(!ids.insert(said["operationId"].as_str().unwrap_or_default()), "has no name of its own");
        let unknown = said["tags"].as_array().unwrap().iter().any(|tag| !tags.contains(tag.as_str().unwrap()));
        wrong(unknown, "has a tag that is not described");
        let parameters = said["parameters"].as_array().cloned().unwrap_or_default();
        let of_path: BTreeSet<_> =
            parameters.iter().filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap().to_owned()).collect();
        let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        wrong(of_path != in_path.map(str::to_owned).collect(), "has other parameters than its path");
        let names: BTreeSet<_> = parameters.iter().map(|p| (p["in"].to_string(), p["name"].to_string())).collect();
        wrong(names.len() != parameters.len(), "has a parameter twice");
        for parameter in &parameters {
            wrong(
                !["path", "query", "header"].contains(&parameter["in"].as_str().unwrap()),
                "has a parameter of nowhere",
            );
            wrong(parameter["in"] == "path" && parameter["required"] != true, "has an optional part of its path");
            wrong(!parameter["description"].is_string(), &format!("does not say what {} is", parameter["name"]));
        }
        wrong(said["responses"].as_object().is_none_or(|responses| responses.is_empty()), "has no responses");
        for (status, response) in said["responses"].as_object().into_iter().flatten() {
            wrong(status.parse::<u16>().is_err(), "has a status that is none");
            wrong(!response["description"].is_string(), &format!("does not describe {status}"));
        }
        let bodies = said["responses"].as_object().into_iter().flatten().map(|(_, response)| response);
        for body in bodies.chain([&said["requestBody"]]) {
            for (media_type, content) in body["content"].as_object().into_iter().flatten() {
                faults_of_schema(&document, &content["schema"], &format!("{at} {media_type}"), &mut faults);
            }
        }
        for parameter in &parameters {
            faults_of_schema(&document, &parameter["schema"], &format!("{at} {}", parameter["name"]), &mut faults);
            if let Some(example) = parameter.get("example") {
                faults.extend(faults_of(
                    &document,
                    &parameter["schema"],
                    example,
                    &format!("{at} {}", parameter["name"]),
                ));
            }
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        faults_of_schema(&document, schema, name, &mut faults);
    }
    assert_eq!(faults, Vec::<String>::new());
    assert!(ids.len() > 45, "{}", ids.len());
}

/// Each operation is asked as the document says, with its own examples; it answers with a status, a media type and a
/// body that the document knows.
#[tokio::test]
async fn every_operation_answers_as_the_document_says() {
    let scene = full().await;
    let document = scene.client.found("/openapi.json").await;
    let mut wire = Wire::to(&scene.server).await;
    scene.seen("/v1/accounts").await;
    for (method, path, said) in operations(&document) {
        let mut asked = filled(path, said);
        if path == "/v1/events/stream" {
            // It would go on for ever.
            asked.push_str("?to=3");
        }
        let mut ask = Ask::command(&asked, body(said)).method(method);
        if method == "get" {
            ask = Ask::new("GET", &asked);
        } else if path == "/v1/commands" {
            ask = Ask::batch("", body(said));
        }
        let answer = wire.ask(&ask).await;
        let media_type = answer.header("content-type").and_then(|told| told.split(';').next());
        if let Some(media_type) = media_type.filter(|media_type| media_type.starts_with("text/")) {
            let known = &said["responses"][answer.status.to_string()]["content"][media_type];
            assert!(known.is_object() && !answer.body.is_empty(), "{method} {path}: {media_type} {}", answer.text());
            continue;
        }
        let lines = media_type == Some("application/x-ndjson");
        scene.noted(if lines { answer.lines()[0].clone() } else { answer.json() });
        check(&document, method, path, said, &answer);
        assert!(answer.status < 500, "{method} {path}: {}", answer.text());
        if method == "get" {
            assert_eq!(answer.status, 200, "{asked}: {}", answer.text());
            let head = wire.ask_head(&Ask::new("HEAD", &asked)).await;
            assert_eq!((head.status, head.body.len()), (200, 0), "HEAD {asked}");
        }
    }
    // A question with every parameter that it knows.
    for (path, query) in [
        ("/v1/accounts", "owner_id=owner&status=open&limit=1"),
        ("/v1/accounts/{id}", "at=3"),
        ("/v1/accounts/{id}/statement", "from=2020-01-01&to=2999-01-01&at=9&limit=1"),
        ("/v1/accounts/{id}/holds", "status=open&limit=1"),
        ("/v1/orders", "customer_id=cust&state=completed&from=2020-01-01&to=2999-01-01&limit=1"),
        ("/v1/analytics/sales", "by=customer&from=2020-01-01&to=2999-01-01&limit=1"),
        ("/v1/rejections", "code=insufficient_funds&principal=anonymous&limit=1"),
    ] {
        let said = &document["paths"][path]["get"];
        let known: BTreeSet<_> =
            said["parameters"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
        let named = query.split('&').map(|pair| pair.split_once('=').unwrap().0);
        assert!(named.into_iter().all(|name| known.contains(name)), "{path} {query}: {known:?}");
        let asked = format!("{}?{query}", path.replace("{id}", "ann"));
        let answer = wire.ask(&Ask::new("GET", &asked)).await;
        assert_eq!(answer.status, 200, "{asked}: {}", answer.text());
        check(&document, "get", path, said, &answer);
    }
    scene.sound().await;
}

/// Holds an answer against the document.
fn check(document: &Value, method: &str, path: &str, said: &Value, answer: &Answer) {
    let told = format!("{method} {path}: {} {}", answer.status, answer.text());
    let response = &said["responses"][answer.status.to_string()];
    assert!(response.is_object(), "a status that is not documented: {told}");
    let media_type = answer.header("content-type").unwrap();
    let content = &response["content"][media_type];
    assert!(content.is_object(), "a media type that is not documented: {told}");
    let values = if media_type == "application/x-ndjson" { answer.lines() } else { vec![answer.json()] };
    for value in &values {
        assert_eq!(faults_of(document, &content["schema"], value, "the answer"), Vec::<String>::new(), "{told}");
        let known = described(document, &content["schema"]);
        // An object of any members, such as a schema, is described as one.
        for name in value.as_object().unwrap().keys().filter(|_| !known.is_empty()) {
            assert!(known.contains(name), "{name} is not documented: {told}");
        }
    }
    // The answer to an independent batch begins before any of its positions is known.
    // A link to the next page is there where there is one.
    let headers = response["headers"].as_object().into_iter().flatten();
    for (name, _) in headers.filter(|(name, _)| path != "/v1/commands" && *name != "Link") {
        assert!(answer.header(name).is_some(), "{name} is missing: {told}");
    }
}

/// A path with names that there are, and the query that it needs.
fn filled(path: &str, said: &Value) -> String {
    let names = [
        ("accounts", "ann"),
        ("orders", "o"),
        ("payments", "pay"),
        ("products", "mug"),
        ("projections", "read_models"),
        ("transfers", "t"),
    ];
    let id = names.iter().find(|(kind, _)| path.contains(kind)).map_or("", |(_, id)| id);
    let mut filled = path.replace("{id}", id);
    for (name, value) in [
        ("hold_id", "h"),
        ("product_id", "mug"),
        ("shipment_id", "s"),
        ("return_id", "r"),
        ("stream", "account-ann"),
        ("type", "transfer_sent"),
        ("version", "1"),
    ] {
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    let parameters = said["parameters"].as_array().into_iter().flatten();
    let needed = parameters.filter(|p| p["in"] == "query" && p["required"] == true);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let pair = |p: &Value| format!("{}={}", text(&p["name"]), text(&p["example"]).replace(' ', "+"));
    let needed: Vec<_> = needed.map(pair).collect();
    if needed.is_empty() { filled } else { format!("{filled}?{}", needed.join("&")) }
}

/// The example of a body.
fn body(said: &Value) -> String {
    let content = said["requestBody"]["content"].as_object().into_iter().flatten();
    let first = content.map(|(_, content)| &content["example"]).next();
    match first {
        Some(Value::String(lines)) => lines.clone(),
        Some(example) => example.to_string(),
        None => String::new(),
    }
}

#[tokio::test]
async fn the_page_to_try_it_has_all_that_it_needs() {
    let scene = Scene::new().await;
    let page = sent(scene.client.request(Method::GET, "/docs")).await;
    let text = page.text();
    assert!(page.status == 200 && text.contains("<title>Swagger UI</title>"), "{} {text}", page.status);
    let needed =
        text.split(['"', '\'']).filter_map(|part| part.strip_prefix("./").or(part.ends_with(".css").then_some(part)));
    let needed: BTreeSet<_> = needed.collect();
    assert!(needed.len() >= 4, "{needed:?}");
    for name in needed {
        let part = sent(scene.client.request(Method::GET, &format!("/docs/{name}"))).await;
        assert!(part.status == 200 && !part.body.is_empty(), "{name}: {}", part.status);
        if name.ends_with("initializer.js") {
            assert!(part.text().contains("/openapi.json"), "{}", part.text());
        }
    }
}

#[tokio::test]
async fn every_code_has_a_page_for_programs_and_for_browsers() {
    let scene = Scene::new().await;
    let list = sent(scene.client.request(Method::GET, "/problems")).await.text();
    let codes: Vec<_> = list.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert!(codes.len() > 80, "{list}");
    for (code, statuses) in codes {
        let request = || scene.client.request(Method::GET, &format!("/problems/{code}"));
        let text = sent(request()).await.text();
        assert!(text.starts_with(&format!("{code} ({statuses})\n")) && text.contains("**Do:** "), "{text}");
        let page = sent(request().header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")).await;
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(page.text().contains(&format!("<h1>{code} ({statuses})</h1>")), "{}", page.text());
    }
    for code in domain::rejection::Rejection::CODES {
        assert!(list.lines().any(|line| line.starts_with(&format!("{code} "))), "{code}");
    }
}

#[tokio::test]
async fn metrics_are_text_that_prometheus_reads_and_the_documentation_knows() {
    let scene = full().await;
    sent(scene.client.request(Method::GET, "/nowhere")).await;
    scene.seen("/v1/accounts").await;
    let answer = sent(scene.client.request(Method::GET, "/metrics")).await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    let (mut types, mut samples) = (BTreeMap::new(), Vec::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram", "summary"].contains(&kind), "{line}");
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} has its type twice");
        } else if !line.starts_with("# HELP ") {
            samples.push(sample(line));
        }
    }
    let documentation = include_str!("../../docs/configuration.md");
    let mut seen = BTreeSet::new();
    let mut buckets: BTreeMap<String, f64> = BTreeMap::new();
    for Sample { name, labels, value } in &samples {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| {
            name.strip_suffix(suffix).filter(|family| types.get(*family).is_some_and(|kind| kind == "histogram"))
        });
        let family = family.unwrap_or(name);
        assert!(types.contains_key(family), "{name} has no type");
        assert!(documentation.contains(&format!("`{family}`")), "{family} is not in docs/configuration.md");
        let without_bound: Vec<_> = labels.iter().filter(|(label, _)| label != "le").collect();
        assert!(seen.insert(format!("{name}{labels:?}")), "{name} {labels:?} stands twice");
        if name.ends_with("_bucket") {
            // Each bucket holds all of those before it, and the last of them everything.
            let before = buckets.insert(format!("{family}{without_bound:?}"), *value).unwrap_or(0.0);
            assert!(before <= *value, "{name} {labels:?}");
        } else if let Some(all) = buckets.get(&format!("{family}{without_bound:?}"))
            && name.ends_with("_count")
        {
            assert!((all - value).abs() < 0.5, "{name} {labels:?}");
        }
    }
    for metric in
        ["bursar_log_position", "bursar_projection_position", "bursar_commands_total", "bursar_log_room_bytes"]
    {
        assert!(samples.iter().any(|sample| sample.name == metric), "{metric} is not in\n{text}");
    }
    // What clients invent does not become a label.
    let routes = samples.iter().flat_map(|sample| &sample.labels).filter(|(label, _)| label == "route");
    for (_, route) in routes {
        assert!(route == "other" || route.starts_with('/') && !route.contains("ann"), "{route}");
    }
}

struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

/// Reads `name{label="value",…} number`.
fn sample(line: &str) -> Sample {
    let (what, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = what.split_once('{').unwrap_or((what, "}"));
    let is_word = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    assert!(!name.is_empty() && is_word(name), "{line}");
    let labels = labels.strip_suffix('}').unwrap().split_terminator("\",");
    let labels = labels.map(|pair| {
        let (label, value) = pair.split_once("=\"").unwrap();
        assert!(is_word(label), "{line}");
        (label.to_owned(), value.trim_end_matches('"').to_owned())
    });
    Sample { name: name.to_owned(), labels: labels.collect(), value: value.parse().unwrap() }
}

#[tokio::test]
async fn a_request_keeps_its_name_or_is_given_one() {
    let scene = Scene::new().await;
    scene.account("a", 10).await;
    let mut wire = Wire::to(&scene.server).await;
    let asks = || {
        [
            Ask::new("GET", "/health/live"),
            Ask::new("GET", "/v1/accounts/a"),
            Ask::new("GET", "/nowhere"),
            Ask::new("PUT", "/v1/accounts"),
            Ask::new("GET", "/openapi.json"),
            Ask::command("/v1/accounts/a/deposits", json!({"amount": gbp(1)}).to_string()),
            Ask::command("/v1/accounts/a/deposits", "["),
            Ask::command("/v1/accounts/a/withdrawals", json!({"amount": gbp(1_000)}).to_string()),
            Ask::batch("", "{}"),
        ]
    };
    let longest = "~".repeat(128);
    for name in ["order-import/17", "a", &longest] {
        for ask in asks() {
            let answer = wire.ask(&ask.header("X-Request-Id", name)).await;
            assert_eq!(answer.header("x-request-id"), Some(name));
            if answer.status >= 400 {
                assert_eq!(scene.problem(&answer).await["request_id"], name);
            }
        }
    }
    let mut given = BTreeSet::new();
    let longer = "~".repeat(129);
    for name in ["", "two words", "tab\tbed", "ü", &longer] {
        for ask in asks() {
            let answer = wire.ask(&ask.header("X-Request-Id", name)).await;
            let made = answer.header("x-request-id").unwrap().to_owned();
            assert_eq!(uuid::Uuid::parse_str(&made).unwrap().get_version_num(), 7, "{name:?}");
            assert!(given.insert(made), "each has a name of its own");
        }
    }
    scene.sound().await;
}
