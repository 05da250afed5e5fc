#!/usr/bin/env python3
"""Daily revenue out of the events of Bursar: what was sold, less what was called off and what came back.

    revenue.py http http://127.0.0.1:8080               needs nothing but Python
    revenue.py kafka 127.0.0.1:9092 bursar.events       needs: pip install confluent-kafka

Reads everything there is, prints one line of JSON for each day and currency, in minor units, and ends. It agrees with
goods + tax + shipping under `net` of GET /v1/analytics/sales?by=day.
"""

import json
import sys
import urllib.request
from collections import defaultdict


class Revenue:
    """Joins what happened to orders. Events of one order must come in order; nothing else is needed."""

    TYPES = "order_placed,order_cancelled,return_received"

    def __init__(self):
        self.days = defaultdict(int)
        self.placed = {}

    def take(self, kind, time, data):
        day = time[:10]  # times are in UTC
        if kind == "order_placed":
            self.placed[data["order_id"]] = (data["total"], data["currency"])
            self.days[day, data["currency"]] += data["total"]
        elif kind == "order_cancelled" and data["order_id"] in self.placed:  # a cart was never sold
            total, currency = self.placed[data["order_id"]]
            self.days[day, currency] -= total
        elif kind == "return_received":
            self.days[day, data["currency"]] -= data["value"]


def over_http(revenue, base):
    """Page after page: each names the next one until the end of the log is reached."""
    path = f"/v1/events?type={Revenue.TYPES}"
    while path:
        with urllib.request.urlopen(base + path) as page:
            for line in page:
                event = json.loads(line)
                revenue.take(event["type"], event.get("effectivetime", event["time"]), event["data"])
            link = page.headers.get("Link")
        path = link and link[1 : link.index(">")]


def over_kafka(revenue, brokers, topic):
    """Every partition from its beginning to where it ends now, by the rule for gaps and duplicates."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "revenue", "enable.auto.commit": False})
    partitions = [TopicPartition(topic, p, OFFSET_BEGINNING) for p in consumer.list_topics(topic).topics[topic].partitions]
    ends = {p.partition: consumer.get_watermark_offsets(p)[1] for p in partitions}
    consumer.assign(partitions)
    last = defaultdict(int)  # for each partition; a reader that goes on later keeps it beside its results
    ends = {p: end for p, end in ends.items() if end}
    while ends:
        message = consumer.poll(10)
        if message is None or message.error():
            sys.exit(f"no answer from {brokers}: {message and message.error()}")
        headers = {name: value.decode() for name, value in message.headers()}
        partition, position = message.partition(), int(headers["log-position"])
        if position > last[partition]:  # else it was sent twice
            if int(headers["previous-position"]) > last[partition]:
                sys.exit(f"partition {partition}: something is missing between {last[partition]} and {position}")
            if message.value() is not None:  # else a watermark: nothing happened
                time = headers.get("ce_effectivetime", headers["ce_time"])
                revenue.take(headers["ce_type"], time, json.loads(message.value()))
            last[partition] = position
        if message.offset() + 1 >= ends.get(partition, 0):
            ends.pop(partition, None)
    consumer.close()


def main():
    if len(sys.argv) < 3 or (sys.argv[1] == "kafka") != (len(sys.argv) == 4):
        sys.exit(__doc__)
    revenue = Revenue()
    (over_kafka if sys.argv[1] == "kafka" else over_http)(revenue, *sys.argv[2:])
    for (day, currency), amount in sorted(revenue.days.items()):
        print(json.dumps({"day": day, "currency": currency, "amount": amount}))


if __name__ == "__main__":
    main()
