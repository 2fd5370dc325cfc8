(​C) 2026 ACME (​TM), (​R), (c), ACME(​TM)
