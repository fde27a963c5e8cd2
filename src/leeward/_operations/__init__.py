"""What every client does around a call: arguments in, receipts or exceptions out. Pure."""
