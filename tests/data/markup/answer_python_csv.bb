Sure! Here is a small script that reads the CSV and sums the amounts per customer.

[code]import csv
from collections import defaultdict


def totals(path: str) -> dict[str, float]:
    """Sum of `amount` by `customer`."""
    result = defaultdict(float)
    with open(path, newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f):
            if not row["amount"]:
                continue  # skip empty cells
            result[row["customer"]] += float(row["amount"].replace(",", "."))
    return dict(result)


if __name__ == "__main__":
    for name, total in sorted(totals("orders.csv").items(), key=lambda x: -x[1]):
        print(f"{name:<20}{total:>12.2f}")[/code]

[b]How it works:[/b]

1. `csv.DictReader` gives each row as a dictionary keyed by the header.
2. Empty amounts are skipped, and a decimal comma becomes a point.
3. The result is sorted by amount, largest first.

>>[b]Tip:[/b] if the file comes from Excel, use `encoding="utf-8-sig"`, or the first header will begin with `\ufeff`.

Let me know if you need the same with [i]pandas[/i]!
