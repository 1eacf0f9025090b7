"""Side effects that workflows ask for: small classes that receive ports. One input model, one result model each."""
