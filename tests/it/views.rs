//! PostgreSQL goes away under load: stopped for a while, or killed in the middle of what it is writing. Commands go on,
//! queries say that they cannot be answered, and afterwards the read models have everything once.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::postgres::{Cluster, ask, rows};
use crate::random::{Random, times};
use crate::server::{PATIENCE, Server, within};
use crate::traffic::{Pieces, Traffic, balances};
use crate::witness::{Kept, Witness};

/// How long PostgreSQL stays away, and how many commands are accepted at least in that time.
const OUTAGE: Duration = Duration::from_secs(10);
const OUTAGE_COMMANDS: usize = 500;
/// How often PostgreSQL is killed.
const KILLS: usize = 6;
/// Catching up takes about so long.
const MOMENT_MAX: Duration = Duration::from_millis(150);

#[tokio::test(flavor = "multi_thread")]
async fn commands_go_on_while_postgresql_is_away_and_the_views_catch_up() {
    let (folder, cluster) = (tempfile::tempdir().unwrap(), Cluster::start());
    let server = Server::start(&folder.path().join("log"), &cluster.url);
    server.ready().await;
    let client = server.client();
    let mut random = Random::seeded();
    let mut traffic = Traffic::start(client.clone(), 2, Pieces::Single, &mut random).await;
    traffic.at_most(2_000);
    traffic.goes_on(100).await;
    own_writes_are_read(&client, &traffic.witness, "before").await;

    cluster.stop();
    let (away_since, heard_before) = (Instant::now(), traffic.witness.heard());
    let says_so = within(PATIENCE, async || not_ready(&client).await);
    assert!(says_so.await, "{:?}", client.get("/health/ready").await);
    let mut refused = 0;
    while away_since.elapsed() < OUTAGE || traffic.witness.heard() < heard_before + OUTAGE_COMMANDS {
        traffic.at_most(2_000);
        refused += queries_say_so(&client).await;
        traffic.goes_on(20).await;
        assert!(not_ready(&client).await, "{:?}", client.get("/health/ready").await);
    }
    let (accepted, away) = (traffic.witness.heard() - heard_before, away_since.elapsed().as_secs());

    cluster.start_again();
    traffic.goes_on(100).await;
    own_writes_are_read(&client, &traffic.witness, "after").await;
    let witness = traffic.stop().await;
    assert_eq!(server.caught_up().await, witness.last_position());
    everything_once(&cluster.url, &witness).await;
    equal_when_filled_at_one_go(server, &folder.path().join("log"), &cluster.url).await;
    println!(
        "PostgreSQL away for {away} s: {accepted} commands answered meanwhile, {refused} queries answered with 503; \
         0 events missing or doubled in the read models",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missing_or_doubled_when_postgresql_is_killed_while_it_writes() {
    let (folder, cluster) = (tempfile::tempdir().unwrap(), Cluster::start());
    let server = Server::start(&folder.path().join("log"), &cluster.url);
    server.ready().await;
    let client = server.client();
    let mut random = Random::seeded();
    let mut traffic = Traffic::start(client.clone(), 2, Pieces::Mixed, &mut random).await;
    let kills = times("BURSAR_TEST_POSTGRES_KILLS", KILLS);
    let mut behind = 0;
    for _ in 0..kills {
        // What gathered while it was away is being written, in one batch or two.
        let writing = within(PATIENCE, async || client.get("/health/ready").await.1["views"].get("reason").is_none());
        assert!(writing.await, "{:?}", client.get("/health/ready").await);
        random.moment(MOMENT_MAX).await;
        behind += usize::from(client.get("/health/ready").await.1["views"]["lag_events"] != 0);
        cluster.kill();
        traffic.at_most(4_000);
        traffic.goes_on(1_000).await;
        cluster.start_again();
    }
    let witness = traffic.stop().await;
    assert_eq!(server.caught_up().await, witness.last_position());
    everything_once(&cluster.url, &witness).await;
    equal_when_filled_at_one_go(server, &folder.path().join("log"), &cluster.url).await;
    println!(
        "PostgreSQL killed {kills} times, {behind} of them while read models were behind: {} commands; 0 events missing \
         or doubled",
        witness.heard()
    );
}

async fn not_ready(client: &Client) -> bool {
    let (status, readiness) = client.get("/health/ready").await;
    let ok = |part: &str| readiness[part]["ok"].as_bool().unwrap();
    let told = readiness["views"]["reason"].as_str().is_some_and(|reason| !reason.is_empty());
    status == 503 && ok("log") && !ok("views") && told && client.get("/health/live").await.0 == 200
}

/// Every query answers, soon, that it cannot be answered now and when to ask again.
async fn queries_say_so(client: &Client) -> usize {
    let paths = ["/v1/accounts/acct-0", "/v1/accounts/acct-0/statement", "/v1/ledger/trial-balance?min_position=1"];
    for path in paths {
        let answer = client.request(Method::GET, path).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].as_bytes()), (503, &b"1"[..]), "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!((&problem["code"], &problem["retryable"]), (&json!("read_models_unavailable"), &json!(true)));
    }
    paths.len()
}

/// What was just accepted is in the answer of who asks for its position.
async fn own_writes_are_read(client: &Client, witness: &Witness, when: &str) {
    let own = format!("own-{when}");
    let money = json!({"amount": 0, "currency": "GBP"});
    let open = json!({"type": "open_account", "key": own, "account_id": own, "owner_id": "o", "currency": "GBP"});
    assert!(witness.single(client, &open).await);
    for number in 1..=5 {
        let key = format!("{own}-{number}");
        let amount = json!({"amount": 11, "currency": "GBP"});
        let deposit = json!({"type": "deposit", "key": key, "account_id": own, "amount": amount});
        assert!(witness.single(client, &deposit).await);
        let position = witness.last_of(&key);
        let account = client.found(&format!("/v1/accounts/{own}?min_position={position}&wait_ms=30000")).await;
        let mut expected = money.clone();
        expected["amount"] = json!(11 * number);
        assert_eq!((&account["balance"], &account["version"]), (&expected, &json!(number)));
        assert!(account["position"].as_u64() >= Some(position));
    }
}

/// The rows against what the client was told: nothing missing, nothing twice.
async fn everything_once(url: &str, witness: &Witness) {
    let list = witness.list();
    let found: Vec<Value> = ask(url, "SELECT jsonb_object_agg(account_id, balance) FROM bursar.accounts").await;
    assert_eq!(found, [json!(balances(&list))]);
    let sums = "SELECT jsonb_object_agg(account_id, sum) FROM (SELECT account_id, sum(amount) FROM bursar.journal GROUP BY 1) j";
    let mut found: Vec<Value> = ask(url, sums).await;
    // An account that nothing was booked on has no rows here.
    for (account, balance) in balances(&list) {
        found[0].as_object_mut().unwrap().entry(account).or_insert(json!(balance));
    }
    assert_eq!(found, [json!(balances(&list))]);

    let accepted: Vec<&Kept> = list.iter().filter(|kept| kept.told.code.is_none()).collect();
    let of = |kind: &str| accepted.iter().filter(|kept| kept.command["type"] == kind).count();
    let (deposits, withdrawals, transfers) = (of("deposit"), of("withdraw"), of("send_transfer"));
    for (table, expected) in [
        ("accounts", of("open_account")),
        // A payment that is asked for sets its amount aside.
        ("holds", of("place_hold") + of("request_payment")),
        ("payments", of("request_payment")),
        ("transfers", transfers),
        ("journal", deposits + withdrawals + 2 * (transfers + of("capture_payment"))),
        ("rejections", list.len() - accepted.len()),
    ] {
        let found: Vec<i64> = ask(url, &format!("SELECT count(*) FROM bursar.{table}")).await;
        assert_eq!(found, [i64::try_from(expected).unwrap()], "{table}");
    }
    let trial: Vec<String> = ask(url, "SELECT sum(debits - credits)::text FROM bursar.trial_balance").await;
    assert_eq!(trial, ["0"]);
    every_booking_as_answered(url, &accepted).await;
}

/// The balance after each deposit and withdrawal, as the journal has it, is the one that the command was answered with.
async fn every_booking_as_answered(url: &str, accepted: &[&Kept]) {
    let bookings = "SELECT jsonb_build_array(position, balance_after) FROM bursar.journal \
                    WHERE event_type IN ('funds_deposited', 'funds_withdrawn') ORDER BY position";
    let found: Vec<Value> = ask(url, bookings).await;
    let booked = accepted.iter().filter(|kept| kept.command["type"] == "deposit" || kept.command["type"] == "withdraw");
    let mut expected: Vec<(u64, &Value)> =
        booked.map(|kept| (kept.told.position, &kept.told.result["balance"]["amount"])).collect();
    expected.sort_unstable_by_key(|(position, _)| *position);
    assert_eq!(found, expected.iter().map(|(position, balance)| json!([position, balance])).collect::<Vec<_>>());
}

/// The rows against those of a schema that is filled from the same log without any disturbance.
async fn equal_when_filled_at_one_go(server: Server, data: &std::path::Path, url: &str) {
    let found = rows(url, "bursar", &[]).await;
    assert_eq!(server.terminate().code(), Some(0));
    let server = Server::start_with(data, url, &["--database-schema", "at_one_go"]);
    server.caught_up().await;
    let expected = rows(url, "at_one_go", &[]).await;
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
}
