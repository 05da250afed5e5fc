#!/usr/bin/env python3
"""What Bursar must show after importing "Online Retail", worked out from the CSV alone.

Shares nothing with the Rust code but the rules of tests/data/README.md, so that both would have to be
wrong in the same way to agree. Standard library only; every amount is in integer pence of GBP.

    online_retail_figures.py FILE            print all figures as JSON
    online_retail_figures.py FILE --check    also require the published totals of the 10,000-line sample

All sums by day, product and customer carry `gross_pence` (orders), `returned_pence` (lines of `C` invoices
that match an order), `credited_pence` (those that do not) and `net_pence` = gross - returned - credited.
"""

import argparse
import csv
import json
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

DISCOUNT_CODE = "D"

# The published totals of the sample, in pence.
SAMPLE_GROSS_PENCE = 18_423_983
SAMPLE_GIVEN_BACK_PENCE = 358_058
SAMPLE_MERCHANT_PENCE = 18_065_925


@dataclass(frozen=True)
class Line:
    number: int  # 1 is the header
    invoice: str
    code: str
    quantity: int
    time: str  # ISO 8601, as in the file
    price_pence: int
    customer: str

    @property
    def day(self):
        return self.time[:10]

    @property
    def amount_pence(self):
        return self.quantity * self.price_pence

    @property
    def cancels(self):
        return self.invoice.startswith("C")


@dataclass
class Order:
    id: str
    customer: str
    time: str
    ordinal: int  # 1, or more where a code came at several prices
    lines: dict = field(default_factory=dict)  # code -> [quantity, price_pence], at most one price for a code
    returned: Counter = field(default_factory=Counter)  # code -> quantity given back so far

    def amount_pence(self):
        return sum(quantity * price for quantity, price in self.lines.values())

    def returnable(self, code):
        return self.lines[code][0] - self.returned[code] if code in self.lines else 0


def pence(text, number):
    """Exact: a price that is not a whole number of pence is an error, never rounded."""
    scaled = Decimal(text) * 100
    if scaled != int(scaled):
        raise ValueError(f"line {number}: the price {text} is not a whole number of pence")
    if scaled < 0:
        raise ValueError(f"line {number}: the price {text} is negative, for which there is no rule")
    return int(scaled)


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            invoice = row["InvoiceNo"]
            customer = f"cust-{row['CustomerID']}" if row["CustomerID"] else f"guest-{invoice}"
            price_pence = pence(row["UnitPrice"], number)
            quantity = int(row["Quantity"])
            yield Line(number, invoice, row["StockCode"], quantity, row["InvoiceDate"], price_pence, customer)


def invoices(lines):
    """Lines by invoice, invoices in order of first appearance."""
    grouped = {}
    for line in lines:
        grouped.setdefault(line.invoice, []).append(line)
    return grouped


def orders_of(invoice, lines):
    """The first price of a code goes to the first order, its second price to the second, and so on.

    An order takes the time of the invoice's first line.
    """
    orders = []
    for line in lines:
        if line.quantity <= 0 or line.price_pence == 0:
            continue
        for order in orders:
            if order.lines.setdefault(line.code, [0, line.price_pence])[1] == line.price_pence:
                break
        else:
            suffix = f"-{len(orders) + 1}" if orders else ""
            order = Order(f"inv-{invoice}{suffix}", line.customer, lines[0].time, len(orders) + 1)
            order.lines[line.code] = [0, line.price_pence]
            orders.append(order)
        order.lines[line.code][0] += line.quantity
    return orders


class Figures:
    """Walks the invoices in the file's order, which is the order of time."""

    def __init__(self):
        self.orders = []
        self.orders_by_customer = defaultdict(list)
        self.returns = []  # what each line of a C invoice became: (line, order) ...
        self.credit_notes = []  # ... or the line alone
        self.adjusted_up = []
        self.adjusted_down = []

    def sell(self, invoice, lines):
        for line in lines:
            if line.quantity < 0:
                self.adjusted_down.append(line)
            elif line.price_pence == 0:
                self.adjusted_up.append(line)
        for order in orders_of(invoice, lines):
            self.orders.append(order)
            self.orders_by_customer[order.customer].append(order)

    def give_back(self, line):
        quantity = -line.quantity
        if quantity <= 0:
            raise ValueError(f"line {line.number}: a cancellation of {quantity} pieces, for which there is no rule")
        order = None
        if line.code != DISCOUNT_CODE:
            candidates = reversed(self.orders_by_customer[line.customer])
            order = next((order for order in candidates if order.returnable(line.code) >= quantity), None)
        if order is None:
            self.credit_notes.append(line)
        else:
            order.returned[line.code] += quantity
            self.returns.append((line, order))

    def sums(self, key_of_order_line, key_of_line):
        """Gross, returned, credited and net in pence under the key that the caller picks."""
        sums = defaultdict(lambda: {"gross_pence": 0, "returned_pence": 0, "credited_pence": 0, "net_pence": 0})
        for order in self.orders:
            for code, (quantity, price) in order.lines.items():
                sums[key_of_order_line(order, code)]["gross_pence"] += quantity * price
        for line, _ in self.returns:
            sums[key_of_line(line)]["returned_pence"] -= line.amount_pence
        for line in self.credit_notes:
            sums[key_of_line(line)]["credited_pence"] -= line.amount_pence
        for sum_ in sums.values():
            sum_["net_pence"] = sum_["gross_pence"] - sum_["returned_pence"] - sum_["credited_pence"]
        return dict(sorted(sums.items()))


def compute(path):
    lines = list(read(path))
    figures = Figures()
    for invoice, group in invoices(lines).items():
        if group[0].cancels:
            for line in group:
                figures.give_back(line)
        else:
            figures.sell(invoice, group)
    return lines, figures


def account_balances(figures):
    """Funding equals what the orders cost, so only what came back is left on a customer's account."""
    balances = {f"acct-{order.customer}": 0 for order in figures.orders}
    for line in [line for line, _ in figures.returns] + figures.credit_notes:
        account = f"acct-{line.customer}"
        balances[account] = balances.get(account, 0) - line.amount_pence
    return dict(sorted(balances.items()))


def report(lines, figures):
    by_day = figures.sums(lambda order, code: order.time[:10], lambda line: line.day)
    by_product = figures.sums(lambda order, code: code, lambda line: line.code)
    by_customer = figures.sums(lambda order, code: order.customer, lambda line: line.customer)
    units_sold, units_returned = Counter(), Counter()
    for order in figures.orders:
        for code, (quantity, _) in order.lines.items():
            units_sold[code] += quantity
    for line, _ in figures.returns:
        units_returned[line.code] -= line.quantity
    for code, sums in by_product.items():
        sums["units_sold"], sums["units_returned"] = units_sold[code], units_returned[code]
    orders_by_day = Counter(order.time[:10] for order in figures.orders)
    for day, sums in by_day.items():
        sums["orders"] = orders_by_day[day]

    balances = account_balances(figures)
    gross = sum(order.amount_pence() for order in figures.orders)
    returned = -sum(line.amount_pence for line, _ in figures.returns)
    credited = -sum(line.amount_pence for line in figures.credit_notes)
    return {
        "currency": "GBP",
        "counts": {
            "lines": len(lines),
            "invoices": len({line.invoice for line in lines}),
            "cancellation_invoices": len({line.invoice for line in lines if line.cancels}),
            "cancellation_lines": sum(line.cancels for line in lines),
            "products": len({line.code for line in lines}),
            "products_sold": len(units_sold),
            "customers_named": len({line.customer for line in lines if line.customer.startswith("cust-")}),
            "customers_guest_with_orders": sum(a.startswith("acct-guest-") for a in balances),
            "customer_accounts": len(balances),
            "orders": len(figures.orders),
            "orders_second_or_later": sum(order.ordinal > 1 for order in figures.orders),
            "order_lines": sum(len(order.lines) for order in figures.orders),
            "returns": len(figures.returns),
            "credit_notes": len(figures.credit_notes),
            "returns_at_another_price": sum(
                order.lines[line.code][1] != line.price_pence for line, order in figures.returns
            ),
            "stock_adjustments_up": len(figures.adjusted_up),
            "stock_adjustments_down": len(figures.adjusted_down),
        },
        "totals": {
            "gross_pence": gross,
            "returned_pence": returned,
            "credited_pence": credited,
            "given_back_pence": returned + credited,
            "net_pence": gross - returned - credited,
        },
        "merchant_pence": gross - returned - credited,
        "sales_by_day": by_day,
        "sales_by_product": by_product,
        "sales_by_customer": by_customer,
        "customer_account_balances_pence": balances,
        "given_back_by_account_pence": {account: amount for account, amount in balances.items() if amount},
        "orders_second_or_later": {
            order.id: order.amount_pence() for order in figures.orders if order.ordinal > 1
        },
        "returns": [
            {
                "invoice": line.invoice,
                "line": line.number,
                "order": order.id,
                "customer": line.customer,
                "product": line.code,
                "quantity": -line.quantity,
                "amount_pence": -line.amount_pence,
                "amount_at_order_price_pence": -line.quantity * order.lines[line.code][1],
            }
            for line, order in figures.returns
        ],
        "credit_notes": [
            {
                "invoice": line.invoice,
                "line": line.number,
                "customer": line.customer,
                "product": line.code,
                "quantity": -line.quantity,
                "amount_pence": -line.amount_pence,
            }
            for line in figures.credit_notes
        ],
    }


def check(lines, shown):
    """Sums over the report against sums over the raw lines, which know nothing of orders or returns."""
    raw_gross = sum(line.amount_pence for line in lines if line.quantity > 0)
    raw_given_back = -sum(line.amount_pence for line in lines if line.cancels)
    totals = shown["totals"]
    pairs = [
        ("gross", totals["gross_pence"], raw_gross),
        ("given back", totals["given_back_pence"], raw_given_back),
        ("customer accounts", sum(shown["customer_account_balances_pence"].values()), raw_given_back),
        ("merchant", shown["merchant_pence"], sum(line.amount_pence for line in lines)),
    ]
    for table in ("sales_by_day", "sales_by_product", "sales_by_customer"):
        pairs.append((table, sum(row["net_pence"] for row in shown[table].values()), totals["net_pence"]))
    return pairs


def check_sample(shown):
    totals = shown["totals"]
    return [
        ("gross of the sample", totals["gross_pence"], SAMPLE_GROSS_PENCE),
        ("given back in the sample", totals["given_back_pence"], SAMPLE_GIVEN_BACK_PENCE),
        ("merchant of the sample", shown["merchant_pence"], SAMPLE_MERCHANT_PENCE),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("file", help="the CSV file")
    parser.add_argument("--check", action="store_true", help="require the published totals of the 10,000-line sample")
    arguments = parser.parse_args()

    try:
        lines, figures = compute(arguments.file)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"{arguments.file}: {error}")
    shown = report(lines, figures)
    wrong = [
        f"{name}: {got} pence, expected {expected}"
        for name, got, expected in check(lines, shown) + (check_sample(shown) if arguments.check else [])
        if got != expected
    ]
    if wrong:
        sys.exit(f"{arguments.file}: the figures contradict each other:\n  " + "\n  ".join(wrong))
    json.dump(shown, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
