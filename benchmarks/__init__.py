"""What was measured, how, and with what result: folders mirror src/sparring, and results/NAME.json is what NAME.py wrote."""
