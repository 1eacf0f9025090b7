"""A simulated production line: stations that make pieces, published by an OPC UA server of its own.

It is the counterpart that the product is judged against, so it shares no code with the product; what it says in
`/_control/truth` is what was really made. Not a plant model: no physics, no material flow beyond one straight line.
"""
