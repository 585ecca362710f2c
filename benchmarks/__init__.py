"""What the layers cost, beside the least that Python needs and beside other ways: `python -m benchmarks`."""
