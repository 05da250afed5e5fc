#!/usr/bin/env python3
"""Asks a running Bursar that has imported the sample, and compares its answers with the raw CSV's own sums.

    check_api.py BASE_URL FILE

Standard library only, and nothing of the Rust code. Ends with 1 and the differences if anything differs.
"""

import json
import sys
import urllib.request
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parent))
import online_retail_figures as independent  # noqa: E402


def get(base, path):
    with urllib.request.urlopen(base + path, timeout=30) as answer:
        return json.load(answer)


def pence(value):
    """An amount of the API: minor units, alone or as {"amount", "currency"}."""
    if isinstance(value, dict):
        if value["currency"] != "GBP":
            raise ValueError(f"an amount in {value['currency']}, where the sample has only GBP")
        value = value["amount"]
    if not isinstance(value, int):
        raise ValueError(f"{value!r} is not an integer amount")
    return value


def rows(answer):
    """The one list of an answer, whatever it is called."""
    if isinstance(answer, list):
        return answer
    lists = [value for value in answer.values() if isinstance(value, list)]
    if len(lists) != 1:
        raise ValueError(f"expected one list in the answer, found the fields {sorted(answer)}")
    return lists[0]


def balance_of(base, account):
    return pence(get(base, f"/v1/accounts/{quote(account)}")["balance"])


def trial_balance(base):
    """Sum over the account classes of GBP."""
    return sum(pence(row["balance"]) for row in rows(get(base, "/v1/ledger/trial-balance")) if row["currency"] == "GBP")


def net_sales(base):
    return sum(pence(row["net"]["goods"]) for row in rows(get(base, "/v1/analytics/sales?by=day")))


def differences(base, path):
    lines, figures = independent.compute(path)
    expected = independent.report(lines, figures)
    comparisons = [
        ("the balance of acct-merchant", balance_of(base, "acct-merchant"), independent.SAMPLE_MERCHANT_PENCE),
        ("the trial balance", trial_balance(base), 0),
        # Credit notes are not sales: they are in the balances alone.
        ("net sales over all days", net_sales(base), expected["totals"]["gross_pence"] - expected["totals"]["returned_pence"]),
    ]
    for account, amount in expected["given_back_by_account_pence"].items():
        comparisons.append((f"the balance of {account}", balance_of(base, account), amount))
    for name, got, wanted in comparisons:
        if got != wanted:
            yield f"{name} is {got} pence, expected {wanted}"
    print(f"{len(comparisons)} figures of {base} compared with {path}")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    base, path = sys.argv[1].rstrip("/"), sys.argv[2]
    try:
        wrong = list(differences(base, path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"{base}: could not read the figures: {type(error).__name__}: {error}")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
