"""ERP adapters behind one port. They translate; they never decide what to post or when."""
