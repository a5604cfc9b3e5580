//! The scripts do the same as the model: random commands of two nodes on both.

#[path = "../../../../sse-redis/tests/server/server.rs"]
#[allow(dead_code, reason = "the tests of sse-redis use the rest")]
mod redis_server;

use super::random::Dice;
use super::server::{Change, Server};
use crate::nodes::ledger::{ClaimCall, LAST_WRITE, Ledger, LedgerCall, LedgerReply, RequestCall, WriteCall};
use crate::nodes::redis_ledger::RedisLedger;
use sse_core::{Event, Frame};
use sse_redis::Redis;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const STEPS: u64 = 3_000;

/// A dump of the log: topic, kind, type and data of each entry.
const DUMP: &str = "
local reply = {'ok'}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  if fields.t then
    reply[#reply + 1] = fields.t
    reply[#reply + 1] = (fields.x or '') .. ' ' .. (fields.e or '') .. ' ' .. (fields.d or '')
  end
end
return reply";

/// The entries of each topic. The order of the ends of several runs of a dead node is not defined.
type Entries = HashMap<String, Vec<String>>;

fn frame(kind: &'static str, data: String) -> Frame {
    Event::data(data).event(kind).frame().unwrap()
}

/// A reply without entry IDs and times, which differ.
fn comparable(reply: LedgerReply) -> String {
    match reply {
        LedgerReply::Changed(id) => format!("changed {}", id.is_some()),
        LedgerReply::Taken(state, id) => format!("taken {state:?} {}", id.is_some()),
        LedgerReply::Looked { state, token, id, idle } => {
            format!("{state:?} {token} {} {}", id.is_some(), idle.is_some())
        }
        LedgerReply::Members(members) => {
            let mut members: Vec<_> = members.iter().map(|member| format!("{member:?}")).collect();
            members.sort();
            format!("{members:?}")
        }
        other => format!("{other:?}"),
    }
}

fn call(model: &Server, dice: &mut Dice, step: u64, tokens: &mut Vec<Arc<str>>) -> LedgerCall {
    let topic: Arc<str> = format!("run/{}", dice.below(3)).into();
    let (nonce, id) =
        (format!("nonce{}", step - dice.below(2).min(step)).into(), topic.trim_start_matches("run/").into());
    // Most commands have the token of the claim, so that many succeed.
    let token = model
        .token_of(&topic)
        .filter(|_| dice.below(4) > 0)
        .unwrap_or_else(|| tokens[tokens.len() - 1 - dice.below(tokens.len().min(4) as u64) as usize].clone());
    let mut flag = || dice.below(2) == 0;
    match step % 3 {
        0 => {
            if flag() {
                tokens.push(format!("token{step}").into());
            }
            let (is_fresh, is_kept, replaces_ended) = (flag(), flag(), flag());
            let token = tokens[tokens.len() - 1].clone();
            LedgerCall::Claim(ClaimCall { topic, token, is_fresh, is_kept, replaces_ended })
        }
        1 => {
            let end = (dice.below(4) == 0).then(|| frame("done", step.to_string()));
            let events = (0..dice.below(3)).map(|number| frame("token", format!("{step}:{number}"))).collect();
            let number = match dice.below(8) {
                0 => dice.below(5),
                1 if dice.below(4) == 0 => LAST_WRITE,
                _ => model.next_number(&topic),
            };
            LedgerCall::Write(WriteCall { topic, token, number, events, end })
        }
        _ => match dice.below(9) {
            0 | 1 => LedgerCall::Stop(RequestCall { topic, id, token, nonce }),
            2 | 3 => {
                let is_kept = dice.below(2) == 0;
                let token = if dice.below(4) == 0 { "".into() } else { token };
                LedgerCall::Remove { request: RequestCall { topic, id, token, nonce }, is_kept }
            }
            4 => LedgerCall::Repair { topic, end: frame("failed", step.to_string()) },
            5 | 6 => LedgerCall::Beat { attached: vec![topic], end: frame("failed", step.to_string()) },
            7 => LedgerCall::Members,
            _ => LedgerCall::Look { topic },
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scripts_do_the_same_as_the_model() {
    if let Some(reason) = redis_server::missing() {
        assert!(std::env::var("CI").is_ok_and(|ci| ci == "true"), "no server to test against: {reason}");
        println!("ignored: {reason}");
        return;
    }
    let server = redis_server::Server::start(false);
    let (redis, _hub) = Redis::start(&server.url()).unwrap();
    redis.loaded().await.unwrap();
    let ledgers = [RedisLedger::new(&redis, "run/"), RedisLedger::new(&redis, "run/")];
    let mut model = Server::default();
    let mut dice = Dice::new(7);
    let mut tokens = vec!["token".into()];
    let mut kinds = HashMap::new();
    for step in 0..STEPS {
        let at = dice.below(2) as usize;
        match dice.below(60) {
            0 => {
                let topic = format!("run/{}", dice.below(3));
                server.cli(&["DEL", &ledgers[at].claim_key(&topic)]);
                model.lose(&topic);
            }
            1 => {
                server.cli(&["ZADD", &ledgers[at].leases, "XX", "1", &ledgers[at].node]);
                model.expire(at as u64);
            }
            _ => {}
        }
        let call = call(&model, &mut dice, step, &mut tokens);
        let expected = comparable(model.execute(at as u64, call.clone(), 1_000_000 + step));
        let found = comparable(ledgers[at].call(call.clone()).await.unwrap());
        assert_eq!(found, expected, "step {step}: {call:?}");
        *kinds.entry(expected.split(' ').next().unwrap_or_default().to_owned()).or_insert(0) += 1;
    }
    let dump = redis.run_script(DUMP, &[], []).await.unwrap();
    let (entries, _) = dump[1..].as_chunks::<2>();
    let mut found = Entries::new();
    for [topic, entry] in entries {
        found.entry(topic.clone()).or_default().push(entry.clone());
    }
    let mut expected = Entries::new();
    for (_, topic, change) in &model.log {
        let (kind, event) = match change {
            Change::Event(event) => ("", Some(event)),
            Change::End(event) => ("end", Some(event)),
            Change::Remove => ("remove", None),
        };
        let text = event.map_or_else(String::new, |event| String::from_utf8_lossy(event.as_bytes()).into_owned());
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        let entry = format!("{kind} {} {}", field("event: "), field("data: "));
        expected.entry(topic.to_string()).or_default().push(entry);
    }
    assert_eq!(found, expected);
    // The commands had each of these results many times.
    for kind in [
        "changed",
        "taken",
        "Written",
        "Refused(Other)",
        "Refused(Behind)",
        "Refused(None)",
        "Refused(Ended)",
        "Unchanged",
    ] {
        assert!(kinds.get(kind).is_some_and(|times| *times > 10), "{kind}: {kinds:?}");
    }
    redis.stop();
    tokio::time::sleep(Duration::ZERO).await;
}
