-- Daily revenue out of a file of events, in DuckDB: the same as revenue.py prints.
--
--   curl -s 'http://127.0.0.1:8080/v1/events?limit=10000' > events.ndjson     (and the pages after it, see consumers.md)
--   duckdb < revenue.sql
CREATE VIEW events AS
    SELECT id::BIGINT AS position, type, subject, CAST(coalesce(effectivetime, time)[:10] AS DATE) AS day, data
    FROM read_json('events.ndjson', format = 'newline_delimited', columns = {
        id: 'VARCHAR', type: 'VARCHAR', subject: 'VARCHAR', time: 'VARCHAR', effectivetime: 'VARCHAR', data: 'JSON'
    });

WITH placed AS (
    SELECT subject, day, data->>'currency' AS currency, (data->>'total')::BIGINT AS amount
    FROM events WHERE type = 'order_placed'
), moved AS (
    SELECT day, currency, amount FROM placed
    UNION ALL -- a cart that was called off was never sold: it is not among the placed
    SELECT e.day, p.currency, -p.amount FROM events e JOIN placed p USING (subject) WHERE e.type = 'order_cancelled'
    UNION ALL
    SELECT day, data->>'currency', -(data->>'value')::BIGINT FROM events WHERE type = 'return_received'
)
SELECT day::VARCHAR AS day, currency, sum(amount)::BIGINT AS amount FROM moved GROUP BY ALL ORDER BY day, currency;
