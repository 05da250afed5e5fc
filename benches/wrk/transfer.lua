-- Single transfers over HTTP, each under a key of its own. Arguments: run name, number of accounts (1: all from one
-- account to one other).
local thread_count = 0

function setup(thread)
  thread_count = thread_count + 1
  thread:set("thread_number", thread_count)
end

function init(args)
  run, accounts, sent = args[1], tonumber(args[2]), 0
  headers = { ["Content-Type"] = "application/json" }
end

function request()
  sent = sent + 1
  local from = (sent * 48271 + thread_number * 7919) % accounts
  local to = (from + 1) % accounts
  if accounts == 1 then to = 1 end
  headers["Idempotency-Key"] = run .. "-" .. thread_number .. "-" .. sent
  local body = string.format(
    '{"from":"acct-%06d","to":"acct-%06d","amount":{"amount":1,"currency":"USD"}}', from, to)
  return wrk.format("POST", "/v1/transfers", headers, body)
end

function done(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
  io.write(string.format("RESULT %.1f %d %d\n",
    summary.requests / (summary.duration / 1e6), latency:percentile(99), bad))
end
